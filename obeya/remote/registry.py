"""`ModelRegistry` over the network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from obeya import names
from obeya.comparison import VersionComparison
from obeya.documents.catalog import transition_from_document, version_from_document
from obeya.documents.comparisons import comparison_from_document
from obeya.documents.governance import (
    live_report_from_document,
    request_from_document,
    waiver_from_document,
)
from obeya.documents.policies import policy_from_document
from obeya.documents.verdicts import judgement_from_document, verdict_from_document
from obeya.errors import InvalidInput, NotFound
from obeya.metrics import Metric
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import Verdict
from obeya.policy.waivers import Waiver
from obeya.records import ModelVersion, StageTransition, VersionDraft
from obeya.registry import MetricValues, as_tags, version_number
from obeya.remote._further import FurtherOperations
from obeya.remote._requests import (
    draft_body,
    existing,
    gated_stage,
    metrics_body,
    model_path,
    owner_path,
    place_path,
    stage_value,
    version_path,
)
from obeya.remote.files import ArtifactOperations
from obeya.remote.transport import ATTEMPTS, DEFAULT_URL, Timeouts, Transport
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import TransitionRequest


class RemoteRegistry(FurtherOperations, ArtifactOperations):
    """The registry of a server, as an account's token reaches it. Keeps `ModelRegistry`.

    `url` and `token` are ``OBEYA_URL`` and ``OBEYA_TOKEN`` where they are not given. Errors are
    those of the contract, with every refusal and the verdict; beside them `NotSignedIn` (the
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
        artifact_uri: str = "",
        *,
        label: str = "",
        tags: Mapping[str, str] | None = None,
        description: str = "",
        source_run: str = "",
        artifact_digest: str = "",
    ) -> ModelVersion:
        """See `ModelRegistry.register_model`."""
        draft = VersionDraft(
            model=name,
            number=version,
            metrics=metrics or {},
            artifact_uri=artifact_uri,
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
        """See `ModelRegistry.get_version`."""
        return version_from_document(self._api.get(*version_path(name, version)))

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        """See `ModelRegistry.list_versions`."""
        return list(self.search_versions(model=name, order_by="version"))

    def get_latest(self, name: str) -> ModelVersion | None:
        """See `ModelRegistry.get_latest`."""
        return self._latest(name, None)

    def get_by_stage(self, name: str, stage: Stage) -> Sequence[ModelVersion]:
        """See `ModelRegistry.get_by_stage`."""
        wanted = f"stage = {Stage.parse(stage).value}"
        return list(self.search_versions(wanted, model=name, order_by="version"))

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        """See `ModelRegistry.get_latest_in_stage`."""
        return self._latest(name, Stage.parse(stage))

    def log_metrics(self, name: str, version: int, metrics: MetricValues) -> ModelVersion:
        """See `ModelRegistry.log_metrics`."""
        body = {"metrics": metrics_body(metrics)}
        return version_from_document(
            self._api.post(*version_path(name, version), "metrics", body=body)
        )

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        """See `ModelRegistry.set_policy`."""
        stage = policy.stage.value if policy.stage else ""
        if not stage:
            raise InvalidInput("A policy needs a target stage to be stored.", field="stage")
        document = self._api.put(*owner_path(name), "policies", stage, body=policy.to_document())
        return int(document["revision"])

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        """See `ModelRegistry.remove_policy`."""
        wanted = gated_stage(stage, name)
        self._api.delete(*owner_path(name), "policies", wanted.value, reason=reason or None)

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        """See `ModelRegistry.get_policy`."""
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
    ) -> Verdict:
        """See `ModelRegistry.check_promotion_policy`."""
        path = (*version_path(name, version), "verdict")
        stage = stage_value(to_stage)
        if policy is None:
            return verdict_from_document(self._api.get(*path, to_stage=stage))
        body = {"policy": policy.to_document(), "to_stage": stage}
        return verdict_from_document(self._api.post(*path, body=body))

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        """See `ModelRegistry.can_promote`."""
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
        """See `ModelRegistry.transition_stage`."""
        body = {
            "to_stage": Stage.parse(to_stage).value,
            "reason": reason,
            "archive_existing": archive_existing,
            "expected_stage": stage_value(expected_stage),
            "expected_revision": expected_revision,
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
        """See `ModelRegistry.request_transition`."""
        body = {
            "to_stage": stage_value(to_stage),
            "reason": reason,
            "archive_existing": archive_existing,
        }
        path = (*version_path(name, version), "requests")
        return request_from_document(self._api.post(*path, body=body))

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        """See `ModelRegistry.get_requests`."""
        found = self._api.pages(*place_path(name, version), "requests")
        return [request_from_document(document) for document in found]

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.approve`."""
        return self._vote(name, version, "approve", comment, to_stage)

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.reject`."""
        return self._vote(name, version, "reject", comment, to_stage)

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """See `ModelRegistry.withdraw`."""
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
        """See `ModelRegistry.waive`."""
        body = {
            "requirements": list(requirements),
            "reason": reason,
            "expires_at": expires_at.isoformat(),
            "to_stage": stage_value(to_stage),
        }
        path = (*version_path(name, version), "waivers")
        return waiver_from_document(self._api.post(*path, body=body))

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        """See `ModelRegistry.rollback`."""
        number = None if to_version is None else version_number(to_version)
        body = {"reason": reason, "to_version": number}
        return transition_from_document(self._api.post(*model_path(name), "rollbacks", body=body))

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        """See `ModelRegistry.set_guardrail`."""
        body = {
            "comparison": guardrail.comparison.value,
            "bound": guardrail.bound,
            "auto_rollback": guardrail.auto_rollback,
        }
        self._api.put(*model_path(name), "guardrails", guardrail.metric, body=body)

    def remove_guardrail(self, name: str, metric: str) -> None:
        """See `ModelRegistry.remove_guardrail`."""
        known = existing(names.metric_name, metric, "guardrail")
        self._api.delete(*model_path(name), "guardrails", known)

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        """See `ModelRegistry.report_live_metric`."""
        stated = Metric(metric, value)
        number = None if version is None else version_number(version)
        body = {"metric": stated.name, "value": stated.value, "version": number}
        return live_report_from_document(
            self._api.post(*model_path(name), "live-values", body=body)
        )

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        """See `ModelRegistry.set_wip_limit`."""
        body = {"limit": limit.limit, "mode": limit.mode.value}
        self._api.put(*owner_path(name), "wip-limits", limit.stage.value, body=body)

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        """See `ModelRegistry.remove_wip_limit`."""
        self._api.delete(*owner_path(name), "wip-limits", Stage.parse(stage).value)

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        """See `ModelRegistry.get_transitions`."""
        found = self._api.pages(*place_path(name, version), "transitions")
        return [transition_from_document(document) for document in found]

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        """See `ModelRegistry.compare_versions`."""
        found = self._api.get(
            *model_path(name), "comparison", a=version_number(a), b=version_number(b)
        )
        return comparison_from_document(found)

    def set_tag(self, name: str, key: str, value: str, version: int | None = None) -> None:
        """See `ModelRegistry.set_tag`."""
        as_tags({key: value})
        self._api.put(*place_path(name, version), "tags", key, body={"value": value})

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        """See `ModelRegistry.delete_tag`."""
        self._api.delete(*place_path(name, version), "tags", existing(names.tag_key, key, "tag"))

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `ModelRegistry.set_alias`."""
        number = version_number(version)
        wanted = names.alias(alias)
        self._api.put(*model_path(name), "aliases", wanted, body={"version": number})

    def delete_alias(self, name: str, alias: str) -> None:
        """See `ModelRegistry.delete_alias`."""
        self._api.delete(*model_path(name), "aliases", existing(names.alias, alias, "alias"))

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        """See `ModelRegistry.set_description`."""
        described = names.description(text)
        self._api.patch(*place_path(name, version), body={"description": described})

    def rename_model(self, name: str, new_name: str) -> None:
        """See `ModelRegistry.rename_model`."""
        wanted = names.model_name(new_name)
        self._api.patch(*model_path(name), body={"name": wanted})

    def delete_version(self, name: str, version: int) -> None:
        """See `ModelRegistry.delete_version`."""
        self._api.delete(*version_path(name, version))

    def delete_model(self, name: str) -> None:
        """See `ModelRegistry.delete_model`."""
        self._api.delete(*model_path(name))

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
