"""Where a version may go from here, and why not elsewhere."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from boards import models
from boards.permissions import Right, has_right, right_for_transition
from boards.queries.facts import facts_for
from boards.queries.open_requests import open_requests
from obeya.errors import RefusalKind
from obeya.stages import Stage, is_promotion
from obeya.transitions import TransitionJudgement, judge_transition


@dataclass(frozen=True, slots=True)
class MoveOption:
    """One stage as the target of a move by one person.

    `missing_right` names the right that the person lacks, None when it is held. `occupants` are
    the numbers of the model's other versions now in that stage. `may_ask` tells whether the
    person may open requests, `request` is the one that is open for this move.
    """

    stage: Stage
    judgement: TransitionJudgement
    missing_right: Right | None
    occupants: tuple[int, ...]
    may_ask: bool = False
    request: uuid.UUID | None = None

    @property
    def allowed(self) -> bool:
        """Whether this person's move there would be made."""
        return self.missing_right is None and self.judgement.allowed

    @property
    def is_here(self) -> bool:
        """Whether it is the stage the version is in."""
        return self.judgement.from_stage is self.stage

    @property
    def can_be_requested(self) -> bool:
        """Whether the person lacks approvals or the right to promote, and may ask for the move."""
        return (
            self.may_ask
            and self.request is None
            and is_promotion(self.judgement.from_stage, self.stage)
            and not self.judgement.refused_by(RefusalKind.WORKFLOW)
            and (self.missing_right is not None or self.judgement.refused_by(RefusalKind.APPROVALS))
        )

    @property
    def why_not(self) -> str:
        """Every reason against the move in one line; empty when there is none."""
        if self.missing_right is not None:
            return f"You may not {self.missing_right.deed}."
        return " ".join(refusal.sentence for refusal in self.judgement.refusals)


def move_options(version: models.ModelVersion, user: models.User) -> tuple[MoveOption, ...]:
    """All four stages as targets, in the order of the board. `version.model` must be fetched."""
    occupants: dict[str, list[int]] = {}
    for stage, number in (
        models.ModelVersion.objects.filter(model=version.model, deleted_at=None)
        .exclude(pk=version.pk)
        .filter(stage__in=[stage.value for stage in Stage if stage.is_gated])
        .order_by("number")
        .values_list("stage", "number")
    ):
        occupants.setdefault(stage, []).append(number)
    may_ask = has_right(user, Right.TRANSITION)
    requests = open_requests([version.pk], timezone.now())
    options = []
    for stage in Stage:
        judgement = judge_transition(facts_for(version, stage)[0])
        right = right_for_transition(judgement.from_stage, stage)
        request = requests.get((version.pk, stage.value))
        options.append(
            MoveOption(
                stage,
                judgement,
                None if has_right(user, right) else right,
                tuple(occupants.get(stage.value, ())),
                may_ask,
                request.row.uid if request else None,
            )
        )
    return tuple(options)


@dataclass(frozen=True, slots=True)
class LastMover:
    """Who moved a version last, and when."""

    name: str
    moved_at: datetime


def last_mover(version: models.ModelVersion) -> LastMover | None:
    """Who moved the version last; None when it was never moved."""
    event = (
        models.StageTransition.objects.filter(version=version)
        .select_related("actor")
        .order_by("-sequence")
        .first()
    )
    if event is None:
        return None
    return LastMover(event.actor.username if event.actor else "the registry", event.occurred_at)
