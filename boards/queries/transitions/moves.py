"""The possible moves of a version, and the reasons why others are not possible."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from boards import models
from boards.access.actors import display_name
from boards.access.permissions import Permission, has_permission, permission_for_transition
from boards.queries.facts.evidence import MoveFacts, named_occupants
from obeya.errors import RefusalKind
from obeya.records import MOVES, Action
from obeya.stages import Stage, is_promotion
from obeya.transitions.judge import TransitionJudgement, judge_transition
from obeya.transitions.limits import OCCUPANTS_NAMED

# Checks, refusals, requests, aliases and the like do not change a version's revision.
_CHANGES = {
    Action.METRICS_LOGGED: "logged metrics of this version",
    Action.VERSION_DESCRIBED: "changed the description of this version",
    Action.VERSION_TAGGED: "set a tag of this version",
    Action.VERSION_UNTAGGED: "removed a tag of this version",
}
_REVISING = (*MOVES, *_CHANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOption:
    """One stage as the target of a move by one person.

    `judgement` is for the move only, `clearing` for the move that archives the model's versions in
    that stage, None if it has none there. `missing_permission` is the permission that the person
    lacks, None if they have it. `occupants` are the numbers of the model's other versions in that
    stage. `may_ask`: the person can open requests; `request` is the open request for this move.
    """

    stage: Stage
    judgement: TransitionJudgement
    clearing: TransitionJudgement | None
    missing_permission: Permission | None
    occupants: tuple[int, ...]
    may_ask: bool = False
    request: uuid.UUID | None = None

    @property
    def allowed(self) -> bool:
        """Whether this person's move would be accepted, with or without archiving."""
        return self.missing_permission is None and self.judged.allowed

    @property
    def is_here(self) -> bool:
        """Whether it is the version's current stage."""
        return self.judgement.from_stage is self.stage

    @property
    def needs_room(self) -> bool:
        """Whether the move would be accepted only if the versions there are archived."""
        return self.allowed and not self.judgement.allowed

    @property
    def may_archive(self) -> bool:
        """Whether archiving the versions there is offered: if that helps, and in Production."""
        has_others = bool(self.occupants) and self.allowed
        return has_others and (self.needs_room or self.stage is Stage.PRODUCTION)

    @property
    def judged(self) -> TransitionJudgement:
        """The judgement of the variant that is offered first."""
        if self.clearing is None:
            return self.judgement
        if self.stage is Stage.PRODUCTION or self.clearing.allowed > self.judgement.allowed:
            return self.clearing
        return self.judgement

    @property
    def occupants_text(self) -> str:
        """The numbers of some of the occupants: ``v1, v3``."""
        named = ", ".join(f"v{number}" for number in self.occupants[-OCCUPANTS_NAMED:])
        more = len(self.occupants) - OCCUPANTS_NAMED
        return f"{named} and {more:,} more" if more > 0 else named

    @property
    def is_warned(self) -> bool:
        """Whether the move would be accepted with a waiver, a warning or archiving."""
        policy_result = self.judged.policy_result
        by_waiver = policy_result is not None and bool(policy_result.waived)
        return self.needs_room or by_waiver or bool(self.judged.warnings)

    @property
    def full(self) -> str:
        """The refusals of a full stage if archiving would help; empty otherwise."""
        if not self.needs_room:
            return ""
        return " ".join(
            r.sentence for r in self.judgement.refusals if r.kind is RefusalKind.WIP_LIMIT
        )

    @property
    def can_be_requested(self) -> bool:
        """Whether the user can request the move, lacking approvals or the promote permission."""
        return (
            self.may_ask
            and self.request is None
            and is_promotion(self.judgement.from_stage, self.stage)
            and not self.judgement.refused_by(RefusalKind.WORKFLOW)
            and (
                self.missing_permission is not None
                or self.judgement.refused_by(RefusalKind.APPROVALS)
            )
        )

    @property
    def why_not(self) -> str:
        """All reasons against the move in one line; empty if there is none."""
        if self.missing_permission is not None:
            return f"You don’t have permission to {self.missing_permission.deed}."
        return " ".join(refusal.sentence for refusal in self.judged.refusals)


def move_options(version: models.ModelVersion, user: models.User) -> tuple[MoveOption, ...]:
    """Return all four stages as targets, in board order. `version.model` must have been fetched."""
    occupants: dict[str, list[int]] = {}
    for stage, number in (
        models.ModelVersion.objects.filter(model=version.model, deleted_at=None)
        .exclude(pk=version.pk)
        .exclude(stage=Stage.ARCHIVED.value)
        .order_by("number")
        .values_list("stage", "number")
    ):
        occupants.setdefault(stage, []).append(number)
    may_ask = has_permission(user, Permission.TRANSITION)
    source = MoveFacts([version], with_digest=True)

    def judged(stage: Stage, *, archive_existing: bool) -> TransitionJudgement:
        facts = source.of(version, stage, archive_existing=archive_existing)
        return judge_transition(named_occupants(version, facts, archive_existing=archive_existing))

    options = []
    for stage in Stage:
        there = tuple(occupants.get(stage.value, ()))
        permission = permission_for_transition(Stage(version.stage), stage)
        request = source.request_of(version, stage)
        options.append(
            MoveOption(
                stage=stage,
                judgement=judged(stage, archive_existing=False),
                clearing=judged(stage, archive_existing=True) if there else None,
                missing_permission=None if has_permission(user, permission) else permission,
                occupants=there,
                may_ask=may_ask,
                request=request.row.uid if request else None,
            )
        )
    return tuple(options)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """The last change of a version. `to_stage` is None unless the version moved."""

    name: str
    action: Action
    to_stage: Stage | None
    made_at: datetime

    @property
    def sentence(self) -> str:
        """The change as the start of a sentence: ``ada moved this to Staging``."""
        if self.to_stage is None:
            return f"{self.name} {_CHANGES[self.action]}"
        how = " in a rollback" if self.action is Action.VERSION_ROLLED_BACK else ""
        return f"{self.name} moved this to {self.to_stage.label}{how}"


def last_change(version: models.ModelVersion) -> LastChange | None:
    """Return the last event that changed the version's revision; one statement."""
    event = (
        models.AuditEvent.objects.filter(version=version, action__in=_REVISING)
        .select_related("actor")
        .order_by("-occurred_at", "-pk")
        .first()
    )
    if event is None:
        return None
    name = display_name(event.actor)
    to_stage = Stage(event.to_stage) if event.to_stage else None
    return LastChange(
        name=name, action=Action(event.action), to_stage=to_stage, made_at=event.occurred_at
    )
