"""`ModelRegistry` over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from obeya import names
from obeya.artifacts.records import Artifact
from obeya.comparison import VersionComparison
from obeya.documents.artifacts import artifact_from_document
from obeya.documents.catalog import (
    model_from_document,
    transition_from_document,
    version_from_document,
)
from obeya.documents.comparisons import comparison_from_document
from obeya.documents.governance import (
    guardrail_from_document,
    live_report_from_document,
    request_from_document,
    waiver_from_document,
)
from obeya.documents.imports import import_report_from_document, imported_model_document
from obeya.documents.policies import policy_from_document
from obeya.documents.policy_results import judgement_from_document, policy_result_from_document
from obeya.errors import InvalidInput, NotFound
from obeya.imports import ImportedModel, ImportReport
from obeya.metrics import Metric
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.policy.waivers import Waiver
from obeya.records import ModelVersion, RegisteredModel, StageTransition, VersionDraft
from obeya.registry import ModelRegistry
from obeya.remote import files
from obeya.remote._requests import (
    draft_body,
    existing,
    gated_stage,
    intent_body,
    metrics_body,
    model_path,
    owner_path,
    place_path,
    stage_value,
    version_path,
)
from obeya.remote.files import Progress, no_progress
from obeya.remote.transport import ATTEMPTS, DEFAULT_URL, PAGE, Timeouts, Transport
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.intent import TransitionIntent
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import TransitionRequest
from obeya.values import MetricValues, as_tags, stage_and_name, version_number


class RemoteRegistry(ModelRegistry):
    """The registry of a server, as an account's token reaches it. Keeps `ModelRegistry`.

    `url` and `token` are ``OBEYA_URL`` and ``OBEYA_TOKEN`` where they are not given. Errors are
    those of the contract, with every refusal and the policy result; beside them `NotSignedIn` (the
    token is none or over) and `Unreachable` (no server answered).

    Raises:
        InvalidInput: the address is none.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        environ = os.environ
        self._api = Transport(
            environ.get("OBEYA_URL", DEFAULT_URL) if url is None else url,
            (environ.get("OBEYA_TOKEN", "") if token is None else token).strip(),
            timeouts=timeouts or Timeouts(),
            attempts=attempts,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._api.base!r})"

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._api.base

    def register_model(
        self,
        name: str,
        version: int | None = None,
        metrics: MetricValues | None = None,
        artifact_path: str = "",
        *,
        label: str = "",
        tags: Mapping[str, str] | None = None,
        description: str = "",
        source_run: str = "",
        artifact_digest: str = "",
    ) -> ModelVersion:
        draft = VersionDraft(
            model=name,
            version=version,
            metrics=metrics or {},
            artifact_path=artifact_path,
            label=label,
            tags=tags or {},
            description=description,
            source_run=source_run,
            artifact_digest=artifact_digest,
        )
        body = draft_body(draft)
        path = ("models", names.model_name(body.pop("model")), "versions")
        return version_from_document(self._api.post(*path, body=body))

    def get_version(self, name: str, version: int) -> ModelVersion:
        return version_from_document(self._api.get(*version_path(name, version)))

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        return list(self.search_versions(model=name, order_by="version"))

    def get_latest(self, name: str) -> ModelVersion | None:
        return self._latest(name, None)

    def get_by_stage(self, stage: Stage, name: str | None = None) -> Sequence[ModelVersion]:
        stage, name = stage_and_name(stage, name)
        found = self.search_versions(
            f"stage = {stage.value}", model=name, order_by="model, version"
        )
        return list(found)

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        return self._latest(name, Stage.parse(stage))

    def log_metrics(self, name: str, version: int, metrics: MetricValues) -> ModelVersion:
        body = {"metrics": metrics_body(metrics)}
        return version_from_document(
            self._api.post(*version_path(name, version), "metrics", body=body)
        )

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        stage = policy.stage.value if policy.stage else ""
        if not stage:
            raise InvalidInput("A policy needs a target stage to be stored.", field="stage")
        document = self._api.put(*owner_path(name), "policies", stage, body=policy.to_document())
        return int(document["revision"])

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        wanted = gated_stage(stage, name)
        self._api.delete(*owner_path(name), "policies", wanted.value, reason=reason or None)

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        wanted = Stage.parse(stage)
        if not wanted.is_gated:
            if name is not None:
                self.get_model(name)
            return None
        try:
            document = self._api.get(*owner_path(name), "policies", wanted.value)
        except NotFound as error:
            if error.what == "policy":
                return None
            raise
        return policy_from_document(document["policy"])

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> PolicyResult:
        path = (*version_path(name, version), "policy-result")
        stage = stage_value(to_stage)
        if policy is None:
            return policy_result_from_document(self._api.get(*path, to_stage=stage))
        body = {"policy": policy.to_document(), "to_stage": stage}
        return policy_result_from_document(self._api.post(*path, body=body))

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        path = (*version_path(name, version), "judgement")
        return judgement_from_document(self._api.get(*path, to_stage=stage_value(to_stage)))

    def transition_stage(
        self,
        name: str,
        version: int,
        to_stage: Stage,
        *,
        reason: str = "",
        archive_existing: bool = False,
        expected_stage: Stage | None = None,
        expected_revision: int | None = None,
    ) -> StageTransition:
        intent = TransitionIntent(
            to_stage=Stage.parse(to_stage),
            reason=reason,
            archive_existing=archive_existing,
            expected_stage=expected_stage,
            expected_revision=expected_revision,
        )
        body = intent_body(intent) | {
            "expected_stage": stage_value(intent.expected_stage),
            "expected_revision": intent.expected_revision,
        }
        path = (*version_path(name, version), "transitions")
        return transition_from_document(self._api.post(*path, body=body))

    def request_transition(
        self,
        name: str,
        version: int,
        to_stage: Stage | None = None,
        *,
        reason: str = "",
        archive_existing: bool = False,
    ) -> TransitionRequest:
        intent = TransitionIntent(
            to_stage=to_stage, reason=reason, archive_existing=archive_existing
        )
        path = (*version_path(name, version), "requests")
        return request_from_document(self._api.post(*path, body=intent_body(intent)))

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        found = self._api.pages(*place_path(name, version), "requests")
        return [request_from_document(document) for document in found]

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        return self._vote(name, version, "approve", comment, to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        return self._vote(name, version, "reject", comment, to_stage)

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        path = (*version_path(name, version), "withdrawals")
        return request_from_document(
            self._api.post(*path, body={"to_stage": stage_value(to_stage)})
        )

    def waive(
        self,
        name: str,
        version: int,
        requirements: Sequence[str],
        *,
        reason: str,
        expires_at: datetime,
        to_stage: Stage | None = None,
    ) -> Waiver:
        body = {
            "requirements": list(requirements),
            "reason": reason,
            "expires_at": expires_at.isoformat(),
            "to_stage": stage_value(to_stage),
        }
        path = (*version_path(name, version), "waivers")
        return waiver_from_document(self._api.post(*path, body=body))

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        number = None if to_version is None else version_number(to_version)
        body = {"reason": reason, "to_version": number}
        return transition_from_document(self._api.post(*model_path(name), "rollbacks", body=body))

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        body = {
            "comparison": guardrail.comparison.value,
            "bound": guardrail.bound,
            "auto_rollback": guardrail.auto_rollback,
        }
        self._api.put(*model_path(name), "guardrails", guardrail.metric, body=body)

    def remove_guardrail(self, name: str, metric: str) -> None:
        known = existing(names.metric_name, metric, "guardrail")
        self._api.delete(*model_path(name), "guardrails", known)

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        stated = Metric(metric, value)
        number = None if version is None else version_number(version)
        body = {"metric": stated.name, "value": stated.value, "version": number}
        return live_report_from_document(
            self._api.post(*model_path(name), "live-values", body=body)
        )

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        body = {"limit": limit.limit, "mode": limit.mode.value}
        self._api.put(*owner_path(name), "wip-limits", limit.stage.value, body=body)

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        self._api.delete(*owner_path(name), "wip-limits", Stage.parse(stage).value)

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        found = self._api.pages(*place_path(name, version), "transitions")
        return [transition_from_document(document) for document in found]

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        found = self._api.get(
            *model_path(name), "comparison", a=version_number(a), b=version_number(b)
        )
        return comparison_from_document(found)

    def set_tag(self, name: str, key: str, value: str, version: int | None = None) -> None:
        as_tags({key: value})
        self._api.put(*place_path(name, version), "tags", key, body={"value": value})

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        self._api.delete(*place_path(name, version), "tags", existing(names.tag_key, key, "tag"))

    def set_alias(self, name: str, alias: str, version: int) -> None:
        number = version_number(version)
        wanted = names.alias(alias)
        self._api.put(*model_path(name), "aliases", wanted, body={"version": number})

    def delete_alias(self, name: str, alias: str) -> None:
        self._api.delete(*model_path(name), "aliases", existing(names.alias, alias, "alias"))

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        described = names.description(text)
        self._api.patch(*place_path(name, version), body={"description": described})

    def rename_model(self, name: str, new_name: str) -> None:
        wanted = names.model_name(new_name)
        self._api.patch(*model_path(name), body={"name": wanted})

    def delete_version(self, name: str, version: int) -> None:
        self._api.delete(*version_path(name, version))

    def delete_model(self, name: str) -> None:
        self._api.delete(*model_path(name))

    # Beyond the contract

    def list_models(self, words: str = "") -> Iterator[RegisteredModel]:
        """The registered models by name, those whose names hold all the words."""
        return map(model_from_document, self._api.pages("models", q=words or None))

    def get_model(self, name: str) -> RegisteredModel:
        """A registered model as it stands. Raises `NotFound`."""
        return model_from_document(self._api.get(*model_path(name)))

    def search_versions(
        self,
        where: str = "",
        *,
        model: str | None = None,
        order_by: str = "",
        page_size: int = PAGE,
    ) -> Iterator[ModelVersion]:
        """The versions that a filter lets through, of one model or of all; the newest first.

        They are fetched page by page as they are asked for.
        docs/filters.md says how filters and orders are written.

        Raises:
            InvalidInput: the filter or the order cannot be read.
        """
        owner = () if model is None else model_path(model)
        found = self._api.pages(
            *owner,
            "versions",
            filter=where or None,
            order_by=order_by or None,
            limit=page_size,
        )
        return map(version_from_document, found)

    def get_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias points at. Raises `NotFound`."""
        return version_from_document(
            self._api.get(*model_path(name), "aliases", existing(names.alias, alias, "alias"))
        )

    def register_versions(
        self, drafts: Sequence[VersionDraft], *, key: str = ""
    ) -> list[ModelVersion]:
        """Register 1 to 1,000 versions, of one model or of several: all of them or none.

        What was registered under a `key` of the caller's own is not registered again under it
        within a week: the answer is then that of the first time.

        Raises:
            AlreadyExists: a number or a label is taken.
        """
        body = {"versions": [draft_body(draft) for draft in drafts]}
        found = self._api.send("POST", ("versions",), body=body, key=key)
        return [version_from_document(document) for document in found["items"]]

    def import_model(self, imported: ImportedModel) -> ImportReport:
        """Bring in a model and up to 500 of its versions as they stand in another registry.

        What is there already stays as it is. It takes a token with the scope admin.
        """
        found = self._api.post("imports", body=imported_model_document(imported))
        return import_report_from_document(found)

    def store_check(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> tuple[str, PolicyResult]:
        """Judge a version by its policy and store the result: the check's id and the result."""
        path = (*version_path(name, version), "checks")
        stored = self._api.post(*path, body={"to_stage": stage_value(to_stage)})
        return str(stored["id"]), policy_result_from_document(stored["policy_result"])

    def get_policies(self) -> list[tuple[str | None, int, PromotionPolicy]]:
        """The policies in force: whose (None: the site's), which revision, and what they ask."""
        return [
            (row["model"], row["revision"], policy_from_document(row["policy"]))
            for row in self._api.get("policies")["items"]
        ]

    def replace_policy(self, policy: PromotionPolicy, name: str | None, revision: int) -> int:
        """`set_policy`, if the policy in force still is of that revision (0: there is none).

        Raises:
            Conflict: it is not.
        """
        stage = policy.stage.value if policy.stage else ""
        document = self._api.send(
            "PUT",
            (*owner_path(name), "policies", stage),
            body=policy.to_document(),
            if_match=revision,
        )
        return int(document["revision"])

    def simulate_policy(self, policy: PromotionPolicy, name: str | None = None) -> dict[str, Any]:
        """What a policy would do, to versions and past promotions, as the API says it."""
        body = {"policy": policy.to_document(), "model": name}
        found: dict[str, Any] = self._api.post("policy-simulations", body=body)
        return found

    def get_guardrails(self, name: str) -> list[Guardrail]:
        """The guardrails of a model, by metric."""
        found = self._api.get(*model_path(name), "guardrails")
        return [guardrail_from_document(document) for document in found["items"]]

    def get_waivers(self, name: str, version: int) -> list[Waiver]:
        """The waivers of a version, the oldest first."""
        found = self._api.get(*version_path(name, version), "waivers")
        return [waiver_from_document(document) for document in found["items"]]

    def revoke_waiver(self, waiver_id: str, *, reason: str = "") -> Waiver:
        """Take a waiver back before it expires.

        Raises:
            AlreadyClosed: it was revoked or has expired.
        """
        found = self._api.post("waivers", waiver_id, "revocation", body={"reason": reason})
        return waiver_from_document(found)

    def audit_events(self, **chosen: str) -> Iterator[dict[str, Any]]:
        """Events of the audit log, the newest first, each in the form of the export.

        `chosen` are ``model``, ``version``, ``actor``, ``action``, ``stage``, ``channel``,
        ``since`` and ``until``.
        """
        return self._api.pages("audit", "events", **chosen)

    def me(self) -> dict[str, Any]:
        """Whom the token stands for, what it is, and what it may do."""
        found: dict[str, Any] = self._api.get("me")
        return found

    # Artifacts

    def get_artifact(self, model: str, version: int) -> Artifact:
        """The files of a version, and what was told of them. Raises `NotFound`."""
        return artifact_from_document(self._api.get(*version_path(model, version), "artifact"))

    def store_file(self, file: Path) -> str:
        """Send the content of a file, unless the server has it from before; its SHA-256.

        Raises:
            TooLarge, StorageFull: the server has no room for it.
        """
        return files.store_file(self._api, file)

    def upload_artifact(
        self,
        model: str,
        version: int,
        source: str | Path,
        *,
        progress: Progress = no_progress,
    ) -> Artifact:
        """Make a version of a file or folder of this machine. It must be in Development.

        Content that the server has from before is not sent again, so that an upload that broke off
        goes on where it was. `progress` is called with path and bytes of each file that is done.

        Raises:
            InvalidInput: there is no such file or folder, or a name in it cannot be.
            Conflict: the version has left Development.
            DigestMismatch: it was registered with another digest.
            TooLarge, StorageFull: the server has no room for a file.
        """
        body = files.store_files(self._api, Path(source), progress)
        address = (*version_path(model, version), "artifact")
        return artifact_from_document(self._api.put(*address, body=body))

    def download_artifact(
        self,
        model: str,
        version: int,
        target: str | Path,
        *,
        progress: Progress = no_progress,
    ) -> Artifact:
        """Write the files of a version into a folder that is not there yet, or is empty.

        The folder appears when all files are whole and have the digests on record.

        Raises:
            NotFound: no such version, or it has no files in the registry.
            AlreadyExists: there is something at `target`.
            DigestMismatch: what came is not what is on record.
            Unreachable: the server broke off, again and again.
        """
        folder = files.empty_folder(Path(target))
        artifact = self.get_artifact(model, version)
        if artifact.size is None:
            raise NotFound(
                f"{model} v{version} has no files in the registry, only what is on record of them.",
                what="file",
            )
        files.download(self._api, version_path(model, version), artifact, folder, progress)
        return artifact

    def _latest(self, name: str, stage: Stage | None) -> ModelVersion | None:
        try:
            found = self._api.get(*model_path(name), "versions", "latest", stage=stage_value(stage))
        except NotFound as error:
            if error.what == "version":
                return None
            raise
        return version_from_document(found)

    def _vote(
        self, name: str, version: int, decision: str, comment: str, to_stage: Stage | None
    ) -> TransitionRequest:
        body = {"decision": decision, "comment": comment, "to_stage": stage_value(to_stage)}
        path = (*version_path(name, version), "votes")
        return request_from_document(self._api.post(*path, body=body))
