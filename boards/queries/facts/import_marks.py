"""The mark “imported, not checked” of versions, as the log has it."""

from __future__ import annotations

from django.db.models import OuterRef, Q, QuerySet, Subquery

from boards import models
from boards.models.audit import event_data
from obeya.imports import GATED, UNCHECKED, leaves_unchecked
from obeya.records import MOVES, Channel


def is_unchecked_after(event: models.AuditEvent) -> bool:
    """Return whether a version is “imported, not checked” after this move."""
    # Most moves are checked, and reading the text takes longest.
    if event.to_stage not in GATED:
        return False
    return leaves_unchecked(event.to_stage, event.channel, event_data(event.canonical_text) or {})


def unchecked_by_log() -> QuerySet[models.ModelVersion]:
    """Return the versions whose last move in the log leaves them unchecked."""
    last = models.AuditEvent.objects.filter(
        version=OuterRef("pk"), action__in=[action.value for action in MOVES]
    ).order_by("-sequence")
    # Quotes inside of values are escaped in canonical JSON, so only a member can match.
    said = Q(last_text__contains=f'"{UNCHECKED}":true')
    return models.ModelVersion.objects.annotate(
        last_channel=Subquery(last.values("channel")[:1]),
        last_stage=Subquery(last.values("to_stage")[:1]),
        last_text=Subquery(last.values("canonical_text")[:1]),
    ).filter(said | Q(last_channel=Channel.IMPORT.value), last_stage__in=GATED)
