"""The mark “imported, not checked” of versions, as the log has it."""

from __future__ import annotations

from django.db.models import Case, F, OuterRef, Q, Subquery, TextField, Value, When

from boards import models
from boards.models.audit import event_data
from obeya.imports import GATED, UNCHECKED, leaves_unchecked
from obeya.records import MOVES, Channel

GATED_TEXT = Case(
    When(to_stage__in=GATED, then=F("canonical_text")), default=Value(""), output_field=TextField()
)
"""The text of a move that can leave a version unchecked, "" for others, whose texts are longer."""


def is_unchecked_after(to_stage: str, channel: str, text: str) -> bool:
    """Return whether a version is “imported, not checked” after this move."""
    # Reading the text takes longest.
    if to_stage not in GATED:
        return False
    return leaves_unchecked(to_stage, channel, event_data(text) or {})


def was_unchecked(version: models.ModelVersion) -> bool:
    """Return whether a version was “imported, not checked” when it was last in a gated stage."""
    moves = models.AuditEvent.objects.filter(
        version=version, action__in=[action.value for action in MOVES], to_stage__in=GATED
    )
    last = moves.order_by("-sequence").values_list("to_stage", "channel", "canonical_text").first()
    return last is not None and is_unchecked_after(*last)


def unchecked_by_log() -> list[int]:
    """Return the ids of the versions whose last move in the log leaves them unchecked."""
    last = models.AuditEvent.objects.filter(
        version=OuterRef("pk"), action__in=[action.value for action in MOVES]
    ).order_by("-sequence")
    moved = models.ModelVersion.objects.annotate(
        last_channel=Subquery(last.values("channel")[:1]),
        last_stage=Subquery(last.values("to_stage")[:1]),
        last_text=Subquery(last.values("canonical_text")[:1]),
    )
    # Most versions are left out before their texts are read.
    possible = Q(last_text__contains=UNCHECKED) | Q(last_channel=Channel.IMPORT.value)
    rows = moved.filter(possible, last_stage__in=GATED)
    return [
        pk
        for pk, *move in rows.values_list("pk", "last_stage", "last_channel", "last_text")
        if is_unchecked_after(*move)
    ]
