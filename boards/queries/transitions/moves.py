"""Where a version may go from here, and why not elsewhere."""

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

# Checks, refusals, requests, aliases and the like leave a version's revision as it is.
_REVISING = (
    *MOVES,
    Action.METRICS_LOGGED,
    Action.VERSION_DESCRIBED,
    Action.VERSION_TAGGED,
    Action.VERSION_UNTAGGED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOption:
    """One stage as the target of a move by one person.

    `judgement` is of the move alone, `clearing` of the move that archives what the model has there,
    None where it has nothing there. `missing_permission` is the permission that the person lacks,
    None when it is held. `occupants` are the numbers of the model's other versions in that stage.
    `may_ask` tells whether the person may open requests, `request` is the one open for this move.
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
        """Whether this person's move there would be made, in one way at least."""
        return self.missing_permission is None and self.judged.allowed

    @property
    def is_here(self) -> bool:
        """Whether it is the stage the version is in."""
        return self.judgement.from_stage is self.stage

    @property
    def needs_room(self) -> bool:
        """Whether the move would be made only if what is there is archived."""
        return self.allowed and not self.judgement.allowed

    @property
    def may_archive(self) -> bool:
        """Whether archiving what is there is offered: where it makes room, and in Production."""
        has_others = bool(self.occupants) and self.allowed
        return has_others and (self.needs_room or self.stage is Stage.PRODUCTION)

    @property
    def judged(self) -> TransitionJudgement:
        """The judgement of the way that is offered first."""
        if self.clearing is None:
            return self.judgement
        if self.stage is Stage.PRODUCTION or self.clearing.allowed > self.judgement.allowed:
            return self.clearing
        return self.judgement

    @property
    def occupants_text(self) -> str:
        """The occupants in words, some of them named: ``v1, v3``."""
        named = ", ".join(f"v{number}" for number in self.occupants[-OCCUPANTS_NAMED:])
        more = len(self.occupants) - OCCUPANTS_NAMED
        return f"{named} and {more:,} more" if more > 0 else named

    @property
    def is_warned(self) -> bool:
        """Whether the move would be made with a waiver, a warning or by making room."""
        policy_result = self.judged.policy_result
        by_waiver = policy_result is not None and bool(policy_result.waived)
        return self.needs_room or by_waiver or bool(self.judged.warnings)

    @property
    def full(self) -> str:
        """What a full stage says where archiving would make room; empty elsewhere."""
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
        """Every reason against the move in one line; empty when there is none."""
        if self.missing_permission is not None:
            return f"You may not {self.missing_permission.deed}."
        return " ".join(refusal.sentence for refusal in self.judged.refusals)


def move_options(version: models.ModelVersion, user: models.User) -> tuple[MoveOption, ...]:
    """All four stages as targets, in the order of the board. `version.model` must be fetched."""
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
        return judge_transition(named_occupants(version, facts))

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


@dataclass(frozen=True, slots=True)
class LastChange:
    """Who changed a version last, in what way, and when."""

    name: str
    action: Action
    made_at: datetime


def last_change(version: models.ModelVersion) -> LastChange | None:
    """The last of the events that made a new revision of the version; one statement."""
    event = (
        models.AuditEvent.objects.filter(version=version, action__in=_REVISING)
        .select_related("actor")
        .order_by("-occurred_at", "-pk")
        .first()
    )
    if event is None:
        return None
    name = display_name(event.actor)
    return LastChange(name, Action(event.action), event.occurred_at)
