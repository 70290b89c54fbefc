"""The contract that every registry keeps, whatever it stores its versions in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

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

    An implementation is bound to an actor and a clock when it is made. Every method may raise
    `NotAllowed` (the actor lacks the permission), `NotFound` (no such model or version) and
    `InvalidInput` (a name, number or text that cannot be); what else a method raises is said
    with it. A method that raises has changed nothing, but for the one event that a refused
    transition leaves.
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
    ) -> ModelVersion:
        """Register a version in Development; the model too, when it is new.

        `version` None means the next number; a given number must be above all numbers that the
        model ever used. A metric given as a plain number has no samples, error or dataset.

        Raises:
            AlreadyExists: the number or the label is taken.
        """

    def get_version(self, name: str, version: int) -> ModelVersion:
        """The version as it stands."""

    def list_versions(self, name: str) -> Sequence[ModelVersion]:
        """All versions of the model, by number."""

    def get_latest(self, name: str) -> ModelVersion | None:
        """The version with the highest number; None when all were deleted."""

    def get_by_stage(self, stage: Stage, name: str | None = None) -> Sequence[ModelVersion]:
        """Return the versions in `stage`, of one model or (None) of all, by model and version."""

    def get_latest_in_stage(self, name: str, stage: Stage) -> ModelVersion | None:
        """The version with the highest number in `stage`; None when there is none."""

    def log_metrics(self, name: str, version: int, metrics: MetricValues) -> ModelVersion:
        """Add metrics to a version; a metric that is there is replaced, its old value logged."""

    def set_policy(self, policy: PromotionPolicy, name: str | None = None) -> int:
        """Make `policy` the policy of its stage, for one model or (None) for the whole site.

        Returns the number of the new revision. A policy equal to the present one makes none.

        Raises:
            InvalidInput: the policy has no stage.
        """

    def remove_policy(self, stage: Stage, name: str | None = None, *, reason: str = "") -> None:
        """Take the policy of a stage out of force, of one model or (None) of the whole site.

        For a model without a policy of its own the site's holds. Its revisions stay, and the
        next one counts on from them.

        Raises:
            NotFound: none is in force.
        """

    def get_policy(self, stage: Stage, name: str | None = None) -> PromotionPolicy | None:
        """The policy in force: the model's own, else the site's, else None."""

    def check_promotion_policy(
        self,
        name: str,
        version: int,
        policy: PromotionPolicy | None = None,
        to_stage: Stage | None = None,
    ) -> PolicyResult:
        """Judge a version by `policy`, else by that of `to_stage`, else of its next stage.

        With no policy it passes and says so. Nothing is stored.
        """

    def can_promote(
        self, name: str, version: int, to_stage: Stage | None = None
    ) -> TransitionJudgement:
        """Judge a move by every rule without making it. `to_stage` None means the next stage.

        Raises:
            InvalidInput: `to_stage` is None and the version's stage has no next one.
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
        """Move a version, if every rule lets it.

        `archive_existing` archives the other versions in the target stage in the same operation.
        `expected_stage` and `expected_revision` are what the caller was looking at.

        Raises:
            Conflict: the version is no longer as expected.
            TransitionRefused: carries every refusal; `InvalidTransition` when the workflow is
                among those who refuse.
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
        """Ask that a version be moved to `to_stage` (None: its next stage) once others approve.

        The policy need not pass yet. `archive_existing` as in `transition_stage`, for the move
        that the request leads to.

        Raises:
            InvalidTransition: the workflow does not know this move.
            AlreadyExists: there is an open request for it.
            InvalidInput: it is no promotion, or there is no next stage.
        """

    def get_requests(self, name: str, version: int | None = None) -> Sequence[TransitionRequest]:
        """The requests for one version, or for all of the model's, the newest first."""

    def approve(
        self, name: str, version: int, *, comment: str = "", to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Approve the open request for a version, on the evidence as it stands.

        Approving is not moving, except where the policy promotes by itself: then the last
        approval moves the version if every other rule lets it. `to_stage` says which, where
        there are several.

        Raises:
            NotAllowed: it is one's own request.
            NotFound: there is no open request.
        """

    def reject(
        self, name: str, version: int, *, comment: str, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Reject the open request for a version, which closes it.

        Raises:
            NotFound: there is no open request.
            InvalidInput: there is no comment.
        """

    def withdraw(
        self, name: str, version: int, *, to_stage: Stage | None = None
    ) -> TransitionRequest:
        """Take back one's own open request.

        Raises:
            NotFound: there is no open request.
            NotAllowed: it is somebody else's.
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
        """Let named requirements pass for one version and `to_stage` (None: the next stage).

        `requirements` are lines of the policy in force as `Requirement.describe` says them.

        Raises:
            InvalidInput: the policy asks for no such thing, there is no reason, or the expiry is
                not in the future.
        """

    def rollback(self, name: str, to_version: int | None = None, *, reason: str) -> StageTransition:
        """Put the last good version (or `to_version`) back into Production and archive the rest.

        `obeya.transitions.rollback.rollback_target` chooses that version. Policies and WIP limits
        are checked and recorded, but block nothing.

        Raises:
            InvalidInput: none qualifies, `to_version` is there or never was, or no reason.
        """

    def set_guardrail(self, name: str, guardrail: Guardrail) -> None:
        """Keep a live metric of the Production version within a bound; one for each metric.

        Another for the same metric clears what the one before raised.
        """

    def remove_guardrail(self, name: str, metric: str) -> None:
        """Take a guardrail away, and clear what it raised.

        Raises:
            NotFound: the metric has none.
        """

    def report_live_metric(
        self, name: str, metric: str, value: float, *, version: int | None = None
    ) -> LiveReport:
        """Report what is measured live of a version in Production (None: of the champion).

        A value beyond the guardrail raises an andon, once, which a value within it clears; a
        guardrail that rolls back does so, where no other version is in Production.

        Raises:
            InvalidInput: the version is not in Production, or nothing is.
        """

    def set_wip_limit(self, limit: WipLimit, name: str | None = None) -> None:
        """Limit how many versions a stage holds, of one model or (None) of the whole site."""

    def remove_wip_limit(self, stage: Stage, name: str | None = None) -> None:
        """Take a WIP limit away.

        Raises:
            NotFound: the stage has none.
        """

    def get_transitions(self, name: str, version: int | None = None) -> Sequence[StageTransition]:
        """The moves of one version, or of all of the model's, oldest first.

        The registration is the first, with `from_stage` None.
        """

    def compare_versions(self, name: str, a: int, b: int) -> VersionComparison:
        """Hold version `b` against version `a`."""

    def set_tag(self, name: str, key: str, value: str, version: int | None = None) -> None:
        """Set a tag of a version, or (None) of the model."""

    def delete_tag(self, name: str, key: str, version: int | None = None) -> None:
        """Remove a tag.

        Raises:
            NotFound: there is no such tag.
        """

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version; an alias that is there moves."""

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias.

        Raises:
            NotFound: there is no such alias.
        """

    def set_description(self, name: str, text: str, version: int | None = None) -> None:
        """Describe a version, or (None) the model, in Markdown."""

    def rename_model(self, name: str, new_name: str) -> None:
        """Give a model another name; its versions, history and chain stay with it.

        Raises:
            AlreadyExists: another model has that name.
        """

    def delete_version(self, name: str, version: int) -> None:
        """Hide a version. Its events stay and its number is never reused."""

    def delete_model(self, name: str) -> None:
        """Hide a model with its versions. Its events stay; the name may be taken anew."""
