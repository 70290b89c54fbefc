"""The interface of every registry, independent of its storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from obeya.aliases.governed import GovernedAlias
from obeya.comparison import VersionComparison
from obeya.policy.policy import PromotionPolicy
from obeya.policy.results import PolicyResult
from obeya.policy.waivers import Waiver
from obeya.records import ModelVersion, StageTransition
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail, LiveReport
from obeya.transitions.judge import TransitionJudgement
from obeya.transitions.limits import WipLimit
from obeya.transitions.requests import TransitionRequest
from obeya.values import MetricValues


class ModelRegistry(Protocol):
    """Registered models, their versions, and the only way to move them.

    An implementation has an actor and a clock, given when it is created. Every method can raise
    `NotAllowed` (the actor lacks the permission), `NotFound` (no such model or version) and
    `InvalidInput` (an invalid name, number or text); a method that raises other errors lists them.
    A method that raises has changed nothing, except for the one event that a refused transition
    records.
    """

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
        """Register a version in Development, and the model if it is new.

        `version` None means the next number; a given number must be greater than every number that
        the model has used. A metric given as a plain number has no samples, error or dataset.

        Raises:
            AlreadyExists: the number or the label is already in use.
            SimilarName: the new model, the label, a metric or a tag key has a name that looks like
                another one, and `allow_similar` is false.
        """

    def get_version(self, name: str, version: int) -> ModelVersion:
        """Return the current state of a version."""

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        """Return all versions of the model, ordered by number."""

    def get_latest(self, name: str) -> ModelVersion | None:
        """Return the version with the highest number; None if all were deleted."""

    def get_by_stage(self, stage: Stage, name: str | None = None) -> Sequence[ModelVersion]:
        """Return the versions in `stage`, of one model or (None) of all, by model and version."""

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        """Return the version with the highest number in `stage`; None if there is none."""

    def log_metrics(
        self, name: str, version: int, metrics: MetricValues, *, allow_similar: bool = False
    ) -> ModelVersion:
        """Add metrics to a version.

        A metric that already exists is replaced and its old value is logged.

        Raises:
            SimilarName: a name is new and looks like that of another metric of the version, and
                `allow_similar` is false.
        """

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        """Set `policy` as the policy of its stage: a model policy or (None) the default policy.

        Returns the number of the new revision. A policy equal to the current one creates no
        revision.

        Raises:
            InvalidInput: the policy has no stage.
        """

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        """Remove the policy of a stage: a model policy or (None) the default policy.

        A model without a model policy uses the default policy. The revisions are kept, and the next
        revision continues their numbering.

        Raises:
            NotFound: there is no such policy.
        """

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        """Return the policy in force: the model policy, else the default policy, else None."""

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> PolicyResult:
        """Check a version against `policy`, else that of `to_stage`, else that of its next stage.

        Without a policy the version passes, and the result says so. Nothing is stored.
        """

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        """Judge a move by every rule without moving. `to_stage` None means the next stage.

        Raises:
            InvalidInput: `to_stage` is None and the version's stage has no next stage.
        """

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
        """Move a version if every rule allows it.

        `archive_existing` archives the other versions in the target stage in the same operation.
        `expected_stage` and `expected_revision` are the state that the caller saw.

        Raises:
            Conflict: the version is not in the expected state.
            TransitionRefused: has every refusal; `InvalidTransition` if the workflow is one of
                them.
        """

    def request_transition(
        self,
        name: str,
        version: int,
        to_stage: Stage | None = None,
        *,
        reason: str = "",
        archive_existing: bool = False,
    ) -> TransitionRequest:
        """Request to move a version to `to_stage` (None: its next stage) once others approve.

        The policy need not pass yet. `archive_existing` as in `transition_stage`, for the requested
        move.

        Raises:
            InvalidTransition: the workflow does not allow this move.
            AlreadyExists: there is an open request for it.
            InvalidInput: it is not a promotion, or there is no next stage.
        """

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        """Return the requests of one version, or of all versions of the model, newest first."""

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Approve the open request of a version, on its current evidence.

        An approval does not move the version, unless the policy promotes automatically: then the
        last approval moves it if every other rule allows the move. `to_stage` selects the request
        if there are several.

        Raises:
            NotAllowed: it is the actor's own request.
            NotFound: there is no open request.
        """

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Reject the open request of a version, which closes it.

        Raises:
            NotFound: there is no open request.
            InvalidInput: there is no comment.
        """

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Withdraw the actor's open request.

        Raises:
            NotFound: there is no open request.
            NotAllowed: someone else opened it.
        """

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
        """Waive requirements for one version and `to_stage` (None: the next stage).

        `requirements` are lines of the policy in force, in the text form of `Requirement.describe`.

        Raises:
            InvalidInput: the policy has no such requirement, there is no reason, or the expiry is
                not in the future.
        """

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        """Restore the last good version (or `to_version`) to Production and archive the others.

        `obeya.transitions.rollback.rollback_target` selects that version. Policies and WIP limits
        are checked and recorded, but do not block the rollback.

        Raises:
            InvalidInput: no version qualifies, `to_version` is in Production or never was, or there
                is no reason.
        """

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        """Set a limit for a live metric of the Production version; one guardrail per metric.

        Replacing the guardrail of a metric clears the alert of the previous one.
        """

    def remove_guardrail(self, name: str, metric: str) -> None:
        """Remove a guardrail, and clear its alert.

        Raises:
            NotFound: the metric has no guardrail.
        """

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        """Report a live metric of a version in Production (None: of the champion).

        A value beyond the guardrail raises one alert (andon), and a value within it clears the
        alert. A guardrail with rollback rolls back if no other version is in Production.

        Raises:
            InvalidInput: the version is not in Production, or no version is.
        """

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        """Limit the number of versions in a stage, of one model or (None) across all models."""

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        """Remove a WIP limit.

        Raises:
            NotFound: the stage has no limit.
        """

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        """Return the moves of one version, or of all versions of the model, oldest first.

        The registration is the first, with `from_stage` None.
        """

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        """Compare version `b` with version `a`."""

    def set_tag(
        self,
        name: str,
        key: str,
        value: str,
        version: int | None = None,
        *,
        allow_similar: bool = False,
    ) -> None:
        """Set a tag of a version, or (None) of the model.

        Raises:
            SimilarName: the key is new and looks like another one there, and `allow_similar` is
                false.
        """

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        """Remove a tag.

        Raises:
            NotFound: there is no such tag.
        """

    def set_alias(
        self, name: str, alias: str, version: int, *, allow_similar: bool = False
    ) -> None:
        """Point an alias at a version; an existing alias is moved.

        Setting it to where it already points does nothing.

        Raises:
            AliasRefused: the alias is governed, and the version is not where it can point to.
            SimilarName: the alias is new and looks like another one of the model, and
                `allow_similar` is false.
        """

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias.

        Raises:
            NotFound: there is no such alias.
            AliasRefused: the alias is governed.
        """

    def set_governed_alias(self, governed: GovernedAlias, name: str | None = None) -> None:
        """Govern an alias of one model or (None) of all models, or set it free.

        Existing aliases are not changed. Names that look alike have one configuration.
        """

    def remove_governed_alias(self, alias: str, name: str | None = None) -> None:
        """Remove the configuration of an alias name, of one model or (None) of the registry.

        The configuration of the registry, then that of the workflow, applies again.

        Raises:
            NotFound: the name is not configured there.
        """

    def get_governed_aliases(self, name: str | None = None) -> Sequence[GovernedAlias]:
        """Return the alias names governed or set free for a model, or (None) by default."""

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        """Describe a version, or (None) the model, in Markdown."""

    def rename_model(self, name: str, new_name: str, *, allow_similar: bool = False) -> None:
        """Rename a model; its versions, history and chain are kept.

        Raises:
            AlreadyExists: another model has that name.
            SimilarName: the name looks like that of another model, and `allow_similar` is false.
        """

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version: it is hidden. Its events are kept and its number is never reused."""

    def delete_model(self, name: str) -> None:
        """Delete a model: it and its versions are hidden.

        Its events are kept; the name can be used again.
        """
