"""The errors that have a stage or a policy result; see `obeya.errors` for the others."""

from __future__ import annotations

from obeya.errors import NotFound, Refusal, RefusalKind, RegistryError
from obeya.policy.results import PolicyResult
from obeya.stages import Stage


class Conflict(RegistryError):
    """The version, model or policy was changed since the caller read it; nothing was changed.

    `stage` and `revision` are the current state. For a policy, `stage` is the stage of the policy,
    and `revision` is 0 if there is no policy. A model has no stage; its revision is the number of
    its events.
    """

    code = "conflict"
    http_status = 409
    exit_status = 4

    def __init__(self, sentence: str, *, stage: Stage | None, revision: int) -> None:
        super().__init__(sentence)
        self.stage = stage
        self.revision = revision


class TransitionRefused(RegistryError):
    """A rule refuses the move.

    `refusals` has every reason, not only the first; `policy_result` is the result of the policy
    check, None if no policy applies to the move.
    """

    code = "transition_refused"
    http_status = 422
    exit_status = 1

    def __init__(
        self,
        refusals: tuple[Refusal, ...],
        *,
        from_stage: Stage,
        to_stage: Stage,
        policy_result: PolicyResult | None = None,
        check_id: str | None = None,
    ) -> None:
        super().__init__(" ".join(refusal.sentence for refusal in refusals))
        self.refusals = refusals
        self.from_stage = from_stage
        self.to_stage = to_stage
        self.policy_result = policy_result
        self.check_id = check_id


class InvalidTransition(TransitionRefused):
    """The workflow refuses the move. The error has both stages and the moves that are allowed."""

    code = "invalid_transition"


class AliasRefused(RegistryError):
    """A governed alias cannot be set or deleted like this. The sentence says which move sets it.

    `alias` is the governed name, `stage` the stage that it is bound to.
    """

    code = "alias_refused"
    http_status = 422
    exit_status = 1

    def __init__(self, sentence: str, *, alias: str, stage: Stage) -> None:
        super().__init__(sentence)
        self.alias = alias
        self.stage = stage


def refuse(
    refusals: tuple[Refusal, ...],
    *,
    from_stage: Stage,
    to_stage: Stage,
    policy_result: PolicyResult | None = None,
    check_id: str | None = None,
) -> TransitionRefused:
    """Return the error for these refusals: `InvalidTransition` if the workflow is one of them."""
    by_workflow = any(refusal.kind is RefusalKind.WORKFLOW for refusal in refusals)
    kind = InvalidTransition if by_workflow else TransitionRefused
    return kind(
        refusals,
        from_stage=from_stage,
        to_stage=to_stage,
        policy_result=policy_result,
        check_id=check_id,
    )


def policy_not_found(stage: Stage, model: str | None) -> NotFound:
    """Return the error for a missing policy: a model policy or (None) the default policy."""
    missing = "There is no default policy" if model is None else f"{model} has no model policy"
    return NotFound(f"{missing} for {stage.label}.", what="policy")
