"""`ModelRegistry` over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from obeya import names
from obeya.aliases.governed import GovernedAlias
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
    governed_alias_from_document,
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
    similar_body,
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
    """The registry of a server, accessed with an API token. Implements `ModelRegistry`.

    `url` and `token` default to ``OBEYA_URL`` and ``OBEYA_TOKEN``. The errors are those of
    `ModelRegistry`, with every refusal and the policy result, and also `NotSignedIn` (the token is
    invalid or expired) and `Unreachable` (no server answered).

    Raises:
        InvalidInput: the address is not valid.
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
        allow_similar: bool = False,
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
            allow_similar=allow_similar,
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

    def log_metrics(
        self, name: str, version: int, metrics: MetricValues, *, allow_similar: bool = False
    ) -> ModelVersion:
        body = {"metrics": metrics_body(metrics)} | similar_body(allow_similar=allow_similar)
        return version_from_document(
            self._api.post(*version_path(name, version), "metrics", body=body)
        )

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        stage = policy.stage.value if policy.stage else ""
        if not stage:
            raise InvalidInput("A stored policy needs a target stage.", field="stage")
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
        return self._review(name, version, "approve", comment, to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        return self._review(name, version, "reject", comment, to_stage)

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

    def set_tag(
        self,
        name: str,
        key: str,
        value: str,
        version: int | None = None,
        *,
        allow_similar: bool = False,
    ) -> None:
        as_tags({key: value})
        body = {"value": value} | similar_body(allow_similar=allow_similar)
        self._api.put(*place_path(name, version), "tags", key, body=body)

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        self._api.delete(*place_path(name, version), "tags", existing(names.tag_key, key, "tag"))

    def set_alias(
        self, name: str, alias: str, version: int, *, allow_similar: bool = False
    ) -> None:
        number = version_number(version)
        body = {"version": number} | similar_body(allow_similar=allow_similar)
        self._api.put(*model_path(name), "aliases", names.alias(alias), body=body)

    def delete_alias(self, name: str, alias: str) -> None:
        self._api.delete(*model_path(name), "aliases", existing(names.alias, alias, "alias"))

    def set_governed_alias(self, governed: GovernedAlias, name: str | None = None) -> None:
        body = {"mode": governed.mode.value, "stage": stage_value(governed.stage)}
        self._api.put(*owner_path(name), "governed-aliases", governed.alias, body=body)

    def remove_governed_alias(self, alias: str, name: str | None = None) -> None:
        known = existing(names.alias, alias, "governed_alias")
        self._api.delete(*owner_path(name), "governed-aliases", known)

    def get_governed_aliases(self, name: str | None = None) -> Sequence[GovernedAlias]:
        if name is None:
            return [governed for model, governed in self.list_governed_aliases() if model is None]
        found = self._api.get(*model_path(name), "governed-aliases")
        return [governed_alias_from_document(document) for document in found["items"]]

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        described = names.description(text)
        self._api.patch(*place_path(name, version), body={"description": described})

    def rename_model(self, name: str, new_name: str, *, allow_similar: bool = False) -> None:
        body = {"name": names.model_name(new_name)} | similar_body(allow_similar=allow_similar)
        self._api.patch(*model_path(name), body=body)

    def delete_version(self, name: str, version: int) -> None:
        self._api.delete(*version_path(name, version))

    def delete_model(self, name: str) -> None:
        self._api.delete(*model_path(name))

    # Beyond `ModelRegistry`

    def list_models(self, words: str = "") -> Iterator[RegisteredModel]:
        """Return the registered models by name, those whose names contain all the words."""
        return map(model_from_document, self._api.pages("models", q=words or None))

    def get_model(self, name: str) -> RegisteredModel:
        """Return the current state of a registered model. Raises `NotFound`."""
        return model_from_document(self._api.get(*model_path(name)))

    def search_versions(
        self,
        where: str = "",
        *,
        model: str | None = None,
        order_by: str = "",
        page_size: int = PAGE,
    ) -> Iterator[ModelVersion]:
        """Return the versions that match a filter, of one model or of all, newest first.

        They are fetched page by page during the iteration. docs/filters.md describes the syntax of
        filters and orderings.

        Raises:
            InvalidInput: the filter or the ordering is not valid.
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
        """Return the version that an alias points at. Raises `NotFound`."""
        return version_from_document(
            self._api.get(*model_path(name), "aliases", existing(names.alias, alias, "alias"))
        )

    def register_versions(
        self, drafts: Sequence[VersionDraft], *, key: str = ""
    ) -> list[ModelVersion]:
        """Register 1 to 1,000 versions, of one or several models: all of them or none.

        The caller can give a `key`: a second call with the same key within a week registers nothing
        and returns the first response.

        Raises:
            AlreadyExists: a number or a label is already in use.
        """
        body = {"versions": [draft_body(draft) for draft in drafts]}
        found = self._api.send("POST", ("versions",), body=body, key=key)
        return [version_from_document(document) for document in found["items"]]

    def import_model(self, imported: ImportedModel) -> ImportReport:
        """Import a model and up to 500 of its versions from another registry.

        Existing versions are not changed. Requires the import permission and a token with the scope
        admin.
        """
        found = self._api.post("imports", body=imported_model_document(imported))
        return import_report_from_document(found)

    def store_check(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> tuple[str, PolicyResult]:
        """Check a version against its policy, store the check, and return its id and result."""
        path = (*version_path(name, version), "checks")
        stored = self._api.post(*path, body={"to_stage": stage_value(to_stage)})
        return str(stored["id"]), policy_result_from_document(stored["policy_result"])

    def get_policies(self) -> list[tuple[str | None, int, PromotionPolicy]]:
        """Return the policies in force: model (None: default policy), revision and policy."""
        return [
            (row["model"], row["revision"], policy_from_document(row["policy"]))
            for row in self._api.get("policies")["items"]
        ]

    def replace_policy(self, policy: PromotionPolicy, name: str | None, revision: int) -> int:
        """Set a policy if the policy in force still has this revision (0: there is none).

        Raises:
            Conflict: the revision is different.
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
        """Return the effect of a policy on versions and past promotions, as JSON from the API."""
        body = {"policy": policy.to_document(), "model": name}
        found: dict[str, Any] = self._api.post("policy-simulations", body=body)
        return found

    def list_governed_aliases(self) -> list[tuple[str | None, GovernedAlias]]:
        """Return the alias names governed or set free by default, with None, then by model."""
        found = self._api.get("governed-aliases")
        return [(each["model"], governed_alias_from_document(each)) for each in found["items"]]

    def get_guardrails(self, name: str) -> list[Guardrail]:
        """Return the guardrails of a model, by metric."""
        found = self._api.get(*model_path(name), "guardrails")
        return [guardrail_from_document(document) for document in found["items"]]

    def get_waivers(self, name: str, version: int) -> list[Waiver]:
        """Return the waivers of a version, oldest first."""
        found = self._api.get(*version_path(name, version), "waivers")
        return [waiver_from_document(document) for document in found["items"]]

    def revoke_waiver(self, waiver_id: str, *, reason: str = "") -> Waiver:
        """Revoke a waiver before it expires.

        Raises:
            AlreadyClosed: it was revoked or has expired.
        """
        found = self._api.post("waivers", waiver_id, "revocation", body={"reason": reason})
        return waiver_from_document(found)

    def audit_events(self, **chosen: str) -> Iterator[dict[str, Any]]:
        """Return events of the audit log, newest first, each in the form of the export.

        `chosen` are the filters ``model``, ``version``, ``actor``, ``action``, ``stage``,
        ``channel``, ``since`` and ``until``.
        """
        return self._api.pages("audit", "events", **chosen)

    def me(self) -> dict[str, Any]:
        """Return the account of the token, the token's properties, and its permissions."""
        found: dict[str, Any] = self._api.get("me")
        return found

    # Artifacts

    def get_artifact(self, model: str, version: int) -> Artifact:
        """Return the files of a version with the findings in them. Raises `NotFound`."""
        return artifact_from_document(self._api.get(*version_path(model, version), "artifact"))

    def store_file(self, file: Path) -> str:
        """Upload the content of a file, unless the server has it; return its SHA-256.

        Raises:
            TooLarge, StorageFull: the server has no space for it.
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
        """Upload a local file or folder as the artifact of a version, which must be in Development.

        Content that the server already has is not sent again, so an interrupted upload continues
        where it stopped. `progress` is called with the path and size in bytes of each finished
        file.

        Raises:
            InvalidInput: there is no such file or folder, or a name in it is not valid.
            Conflict: the version is no longer in Development.
            DigestMismatch: it was registered with another digest.
            TooLarge, StorageFull: the server has no space for a file.
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
        """Download the files of a version to a folder that does not exist or is empty.

        The folder is created when all files are complete and have their recorded digests.

        Raises:
            NotFound: no such version, or it has no files in the registry.
            AlreadyExists: there is something at `target`.
            DigestMismatch: a downloaded file does not have its recorded digest.
            Unreachable: the connection was interrupted repeatedly.
        """
        folder = files.empty_folder(Path(target))
        artifact = self.get_artifact(model, version)
        if artifact.size is None:
            raise NotFound(
                f"The files of {model} v{version} are not stored in the registry.",
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

    def _review(
        self, name: str, version: int, decision: str, comment: str, to_stage: Stage | None
    ) -> TransitionRequest:
        body = {"decision": decision, "comment": comment, "to_stage": stage_value(to_stage)}
        path = (*version_path(name, version), "reviews")
        return request_from_document(self._api.post(*path, body=body))
