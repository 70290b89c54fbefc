"""The board on a past date, from the audit log only.

A version was in the stage of its last move at or before the time, unless it or its model was
deleted by then. Times within a chain never decrease, so “last” means by time and id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from boards import models
from boards.access.actors import display_name
from boards.queries.audit.audit_filter import YEARS, midnight
from boards.queries.facts.import_marks import is_unchecked_after
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from obeya.errors import InvalidInput
from obeya.records import MOVES, Action
from obeya.stages import Stage

PAGE = 50

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?\Z", re.ASCII)
# A version leaves its stage by a move to another one, or by its deletion.
_EXITS = (*MOVES, Action.VERSION_DELETED)
_MOVE_COLUMNS = ("occurred_at", "channel", "to_stage", "canonical_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCard:
    """A version on a past date.

    `since` is when it entered the stage, `actor` moved it there. `name_then` is the model's name on
    that date, empty if the name is the same today. `event` is the id of the move. `is_unchecked`:
    an import placed it there, and no policy was checked.
    """

    event: int
    model: str
    name_then: str
    number: int
    label: str
    since: datetime
    actor: str
    is_deleted: bool
    is_unchecked: bool

    @property
    def place(self) -> str:
        """The cursor of the page of the log that begins with the move."""
        return place_of(self.since, self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastColumn:
    """One stage: its exact number of versions and one page of them, last entered first."""

    stage: Stage
    count: int
    cards: tuple[PastCard, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PastBoard:
    """The whole board at a past time."""

    moment: datetime
    columns: tuple[PastColumn, ...]

    @property
    def count(self) -> int:
        """The number of versions on the board."""
        return sum(column.count for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionStay:
    """A version's time in Production. `until` None means that it is still there.

    `actor` moved it there, in the event with the id `event`. `is_unchecked`: it was an import, and
    no policy was checked.
    """

    number: int
    since: datetime
    until: datetime | None
    actor: str
    event: int
    is_deleted: bool
    is_unchecked: bool

    @property
    def place(self) -> str:
        """The cursor of the page of the log that begins with the move."""
        return place_of(self.since, self.event)


def place_of(moment: datetime, event: int) -> str:
    """Return the cursor of the page that begins with an event, newest first."""
    return str(Cursor(moment, event + 1))


def local_moment(text: str) -> datetime | None:
    """Return the written time, without a time zone; None if it is invalid."""
    try:
        read = datetime.fromisoformat(text) if _MOMENT.match(text) else None
    except ValueError:
        return None
    return read if read is not None and read.year in YEARS else None


def parse_moment(text: str, *, now: datetime) -> datetime:
    """Parse ``2026-03-03T12:00``, in the reader's time zone; a date means its last moment.

    Raises:
        InvalidInput: it is not a time, or it is later than `now`.
    """
    text = text.strip()
    read = local_moment(text)
    if read is None:
        raise InvalidInput(
            f"“{text[:32]}” is not a date and time. Write it like 2026-03-03T12:00.", field="at"
        )
    if len(text) == len("2026-03-03"):
        # Today is not over yet: it is shown as of now.
        moment = midnight(read.date() + timedelta(days=1)) - timedelta(microseconds=1)
        moment = min(moment, now) if midnight(read.date()) <= now else moment
    else:
        moment = timezone.make_aware(read)
    if moment > now:
        raise InvalidInput("That time is in the future. Choose a past date and time.", field="at")
    return moment.astimezone(UTC)


def board_as_of(moment: datetime, board_filter: BoardFilter) -> PastBoard:
    """Return the first page of every column at `moment`. Only words and model of the filter apply.

    Seven statements whatever the number of versions, one more with a model in the filter.
    """
    within = _within(board_filter)
    found = {stage: _entry_ids(moment, within, stage, None) for stage in Stage}
    cards = _cards([pk for ids in found.values() for pk in ids[:PAGE]], moment)
    counts = _counts(moment, within)
    return PastBoard(
        moment,
        tuple(
            PastColumn(stage=stage, count=counts[stage], cards=page, next_cursor=cursor)
            for stage, ids in found.items()
            for page, cursor in [_page(ids, cards)]
        ),
    )


def column_as_of(
    moment: datetime, board_filter: BoardFilter, stage: Stage, after: Cursor | None
) -> tuple[tuple[PastCard, ...], str | None]:
    """Return the next page of one column, and the cursor of the one after it."""
    ids = _entry_ids(moment, _within(board_filter), stage, after)
    return _page(ids, _cards(ids[:PAGE], moment))


def in_production_on(model: models.RegisteredModel, day: date) -> tuple[ProductionStay, ...]:
    """Return the versions in Production at any time of a day in the reader's time zone.

    The one that entered last comes first; a version that left and came back appears twice. Two
    statements.
    """
    start, end = midnight(day), midnight(day + timedelta(days=1))
    production = Stage.PRODUCTION.value
    left = models.AuditEvent.objects.filter(
        version=OuterRef("version"),
        from_stage=production,
        action__in=_EXITS,
        sequence__gt=OuterRef("sequence"),
    )
    entries = (
        models.AuditEvent.objects.filter(
            model=model, to_stage=production, action__in=MOVES, occurred_at__lt=end
        )
        .annotate(until=Subquery(left.order_by("sequence").values("occurred_at")[:1]))
        .filter(Q(until=None) | Q(until__gte=start))
        .select_related("version", "actor")
        .only(*_MOVE_COLUMNS, "version__number", "version__deleted_at", "actor__username")
        .order_by("-sequence")
    )
    return tuple(
        ProductionStay(
            number=row.version.number,
            since=row.occurred_at,
            until=row.until,
            actor=display_name(row.actor),
            event=row.pk,
            is_deleted=row.version.deleted_at is not None,
            is_unchecked=is_unchecked_after(row.to_stage, row.channel, row.canonical_text),
        )
        for row in entries
        if row.version is not None
    )


def _within(board_filter: BoardFilter) -> Q:
    """Return the part of the filter that applies to past events, as a condition on them."""
    within = Q()
    if board_filter.model:
        # Deleted ones too: the model may have existed then.
        named = models.RegisteredModel.objects.filter(name=board_filter.model)
        within &= Q(model__in=list(named.values_list("pk", flat=True)))
    if board_filter.text and not board_filter.expression:
        matching = BoardFilter(text=board_filter.text).apply(models.ModelVersion.objects.all())
        within &= Q(version__in=matching.values("pk"))
    return within


def _standing_models(moment: datetime) -> Q:
    """Return the condition that an event's model had not been deleted by then."""
    gone = models.AuditEvent.objects.filter(
        action=Action.MODEL_DELETED.value, occurred_at__lte=moment
    )
    return ~Q(model__in=gone.values("model"))


def _entry_ids(
    moment: datetime, within: Q, stage: Stage, after: Cursor | None
) -> list[tuple[int, datetime]]:
    """Return ids and times of a page of the moves in effect at `moment`, and of one more."""
    later = models.AuditEvent.objects.filter(
        Q(occurred_at__gt=OuterRef("occurred_at")) | Q(pk__gt=OuterRef("pk")),
        version=OuterRef("version"),
        action__in=_EXITS,
        occurred_at__gte=OuterRef("occurred_at"),
        occurred_at__lte=moment,
    )
    entries = models.AuditEvent.objects.filter(
        _standing_models(moment),
        # SQLite uses the partial index only if its condition is repeated.
        ~Q(to_stage=""),
        ~Exists(later),
        within,
        to_stage=stage.value,
        action__in=MOVES,
        occurred_at__lte=moment,
    )
    if after is not None:
        entries = entries.filter(after.older("occurred_at"))
    return list(
        entries.order_by("-occurred_at", "-pk").values_list("pk", "occurred_at")[: PAGE + 1]
    )


def _counts(moment: datetime, within: Q) -> Mapping[Stage, int]:
    """Count the versions in each stage: those that entered minus those that left."""
    stages = [stage.value for stage in Stage]
    events = models.AuditEvent.objects.filter(
        _standing_models(moment), within, occurred_at__lte=moment
    ).order_by()
    # The action is checked in the count: as a condition it would make SQLite use the index of
    # actions, which contains none of the other columns.
    entered = events.filter(~Q(to_stage=""), to_stage__in=stages).values_list("to_stage")
    left = events.filter(~Q(from_stage=""), from_stage__in=stages).values_list("from_stage")
    counts: Counter[str] = Counter()
    for stage, number in entered.annotate(number=Count("pk", filter=Q(action__in=MOVES))):
        counts[stage] += number
    for stage, number in left.annotate(number=Count("pk", filter=Q(action__in=_EXITS))):
        counts[stage] -= number
    return {stage: counts[stage.value] for stage in Stage}


def _page(
    ids: Sequence[tuple[int, datetime]], cards: Mapping[int, PastCard]
) -> tuple[tuple[PastCard, ...], str | None]:
    shown = ids[:PAGE]
    cursor = Cursor(shown[-1][1], shown[-1][0]) if len(ids) > PAGE else None
    return tuple(cards[pk] for pk, _ in shown), str(cursor) if cursor else None


def _cards(ids: Sequence[tuple[int, datetime]], moment: datetime) -> dict[int, PastCard]:
    """Return cards by the id of their move; two statements."""
    rows = [row for row in _rows([pk for pk, _ in ids]) if row.model and row.version]
    names = _names_then({row.model_id for row in rows}, moment)
    return {
        row.pk: PastCard(
            event=row.pk,
            model=row.model.name,
            name_then=names.get(row.model_id, ""),
            number=row.version.number,
            label=row.version.label,
            since=row.occurred_at,
            actor=display_name(row.actor),
            is_deleted=row.version.deleted_at is not None,
            is_unchecked=is_unchecked_after(row.to_stage, row.channel, row.canonical_text),
        )
        for row in rows
        if row.model is not None and row.version is not None
    }


def _rows(ids: Sequence[int]) -> QuerySet[models.AuditEvent]:
    return (
        models.AuditEvent.objects.filter(pk__in=ids)
        .select_related("model", "version", "actor")
        .only(
            *_MOVE_COLUMNS,
            "model__name",
            "version__number",
            "version__label",
            "version__deleted_at",
            "actor__username",
        )
    )


def _names_then(model_ids: set[int | None], moment: datetime) -> dict[int | None, str]:
    """Return the former names of models that were renamed since, unless that text was erased."""
    renamed = models.AuditText.objects.filter(
        role="previous_name",
        event__model__in=model_ids,
        event__action=Action.MODEL_RENAMED.value,
        event__occurred_at__gt=moment,
    )
    first = renamed.values("event__model").annotate(first=Min("event")).values("first")
    return {
        model_id: name
        for model_id, name, today in renamed.filter(event__in=first).values_list(
            "event__model", "text", F("event__model__name")
        )
        if name != today
    }
