"""Moves and other events, read from the audit log."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import QuerySet

from boards import models
from boards.access.actors import display_name
from boards.queries.facts.import_marks import GATED_TEXT, is_unchecked_after
from obeya.records import Action, Channel, StageTransition
from obeya.stages import Stage


def transitions(
    model: models.RegisteredModel, version: models.ModelVersion | None = None
) -> list[StageTransition]:
    """Return the moves of a version, or (None) of all the model's versions, oldest first.

    Two statements, three for a single version. The registration is the first move.
    """
    return _told(model, list(_moves(model, version)))


def transitions_page(
    model: models.RegisteredModel,
    version: models.ModelVersion | None,
    *,
    after: int | None,
    limit: int,
) -> tuple[list[StageTransition], int | None]:
    """Return a page of moves as `transitions`: those after the event numbered `after`.

    The second value is the number to continue from, None on the last page. The numbers are those of
    events in the model's chain.
    """
    rows = list(_moves(model, version).filter(sequence__gt=after or 0)[: limit + 1])
    shown = rows[:limit]
    return _told(model, shown), shown[-1].sequence if len(rows) > limit else None


def _moves(model: models.RegisteredModel, version: models.ModelVersion | None) -> QuerySet[Any]:
    events = models.StageTransition.objects.filter(model=model, version__deleted_at=None)
    if version is not None:
        events = events.filter(version=version)
    moves = events.select_related("version", "actor").order_by("sequence")
    return moves.annotate(gated_text=GATED_TEXT).defer("canonical_text")


def _told(model: models.RegisteredModel, rows: list[Any]) -> list[StageTransition]:
    reasons = event_reasons([row.pk for row in rows])
    archived = _archived_by_operation(model, rows)
    return [
        StageTransition(
            model=model.name,
            version=row.version.number,
            from_stage=Stage(row.from_stage) if row.from_stage else None,
            to_stage=Stage(row.to_stage),
            actor=display_name(row.actor),
            timestamp=row.occurred_at,
            operation_id=str(row.operation or ""),
            reason=reasons.get(row.pk, ""),
            archived=tuple(n for n in archived[row.operation] if n != row.version.number),
            is_rollback=row.action == Action.VERSION_ROLLED_BACK.value,
            is_imported=row.channel == Channel.IMPORT.value,
            imported_unchecked=is_unchecked_after(row.to_stage, row.channel, row.gated_text),
        )
        for row in rows
        if row.version is not None
    ]


def event_reasons(event_ids: list[int]) -> dict[int, str]:
    """Return the reasons of events, by event; one statement."""
    return dict(
        models.AuditText.objects.filter(event__in=event_ids, role="reason").values_list(
            "event_id", "text"
        )
    )


def _archived_by_operation(
    model: models.RegisteredModel, rows: list[models.StageTransition]
) -> dict[object, list[int]]:
    operations = {row.operation for row in rows} - {None}
    archived: dict[object, list[int]] = defaultdict(list)
    if not operations:
        return archived
    found = models.StageTransition.objects.filter(
        model=model, operation__in=operations, to_stage=Stage.ARCHIVED.value
    ).values_list("operation", "version__number")
    for operation, number in found.order_by("sequence"):
        archived[operation].append(number)
    return archived
