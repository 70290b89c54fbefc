"""The board as it was, from the audit log alone.

A version stands where its last move at or before the moment took it, unless it or its model had
been deleted by then. Within a chain time never goes back, so “last” is by time and id.
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
from boards.queries.paging.keyset import Cursor
from boards.queries.search.board_filter import BoardFilter
from obeya.errors import InvalidInput
from obeya.records import MOVES, Action
from obeya.stages import Stage

PAGE = 50

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?\Z", re.ASCII)
# What takes a version out of its stage: a move elsewhere, or its deletion.
_EXITS = (*MOVES, Action.VERSION_DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCard:
    """One version as it stood. `since` is when it entered the stage, `actor` who moved it there.

    `name_then` is what the model was called then, empty when it is called the same today.
    `event` is the id of the move.
    """

    event: int
    model: str
    name_then: str
    number: int
    label: str
    since: datetime
    actor: str
    is_deleted: bool

    @property
    def place(self) -> str:
        """The cursor of the page of the log that begins with the move."""
        return place_of(self.since, self.event)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastColumn:
    """One stage: how many versions it held, exactly, and one page of them, last entered first."""

    stage: Stage
    count: int
    cards: tuple[PastCard, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PastBoard:
    """The whole board as of a moment."""

    moment: datetime
    columns: tuple[PastColumn, ...]

    @property
    def count(self) -> int:
        """How many versions there were."""
        return sum(column.count for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionStay:
    """A version's time in Production. `until` None means that it is still there.

    `actor` is who moved it in, by the event with the id `event`.
    """

    number: int
    since: datetime
    until: datetime | None
    actor: str
    event: int
    is_deleted: bool

    @property
    def place(self) -> str:
        """The cursor of the page of the log that begins with the move."""
        return place_of(self.since, self.event)


def place_of(moment: datetime, event: int) -> str:
    """The cursor after which an event is the first, newest first."""
    return str(Cursor(moment, event + 1))


def local_moment(text: str) -> datetime | None:
    """The moment as it is written, without a time zone; None where it is none."""
    try:
        read = datetime.fromisoformat(text) if _MOMENT.match(text) else None
    except ValueError:
        return None
    return read if read is not None and read.year in YEARS else None


def parse_moment(text: str, *, now: datetime) -> datetime:
    """Read ``2026-03-03T12:00``, in the reader's time zone; a day alone is its last moment.

    Raises:
        InvalidInput: it is no moment, or later than `now`.
    """
    text = text.strip()
    read = local_moment(text)
    if read is None:
        raise InvalidInput(
            f"“{text[:32]}” is not a moment; write it like 2026-03-03T12:00.", field="at"
        )
    if len(text) == len("2026-03-03"):
        # A day that is not over yet is seen as it is now.
        moment = midnight(read.date() + timedelta(days=1)) - timedelta(microseconds=1)
        moment = min(moment, now) if midnight(read.date()) <= now else moment
    else:
        moment = timezone.make_aware(read)
    if moment > now:
        raise InvalidInput("That moment is still to come; choose one that has passed.", field="at")
    return moment.astimezone(UTC)


def board_as_of(moment: datetime, board_filter: BoardFilter) -> PastBoard:
    """The first page of every column as of `moment`; of the filter, words and model apply.

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
    """The next page of one column, and the cursor of the one after it."""
    ids = _entry_ids(moment, _within(board_filter), stage, after)
    return _page(ids, _cards(ids[:PAGE], moment))


def in_production_on(model: models.RegisteredModel, day: date) -> tuple[ProductionStay, ...]:
    """The versions in Production at any time of a day of the reader's time zone; two statements.

    The one that entered last comes first; a version that left and came back stands there twice.
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
        .only("occurred_at", "version__number", "version__deleted_at", "actor__username")
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
        )
        for row in entries
        if row.version is not None
    )


def _within(board_filter: BoardFilter) -> Q:
    """The part of the filter that the past can answer, as a condition on events."""
    within = Q()
    if board_filter.model:
        # Deleted ones too: the model may have been there then.
        named = models.RegisteredModel.objects.filter(name=board_filter.model)
        within &= Q(model__in=list(named.values_list("pk", flat=True)))
    if board_filter.text and not board_filter.expression:
        matching = BoardFilter(text=board_filter.text).apply(models.ModelVersion.objects.all())
        within &= Q(version__in=matching.values("pk"))
    return within


def _standing_models(moment: datetime) -> Q:
    """The condition that an event's model had not been deleted by the moment."""
    gone = models.AuditEvent.objects.filter(
        action=Action.MODEL_DELETED.value, occurred_at__lte=moment
    )
    return ~Q(model__in=gone.values("model"))


def _entry_ids(
    moment: datetime, within: Q, stage: Stage, after: Cursor | None
) -> list[tuple[int, datetime]]:
    """A page of the moves that hold as of the moment, and one more: ids and times."""
    later = models.AuditEvent.objects.filter(
        Q(occurred_at__gt=OuterRef("occurred_at")) | Q(pk__gt=OuterRef("pk")),
        version=OuterRef("version"),
        action__in=_EXITS,
        occurred_at__gte=OuterRef("occurred_at"),
        occurred_at__lte=moment,
    )
    entries = models.AuditEvent.objects.filter(
        _standing_models(moment),
        # SQLite takes the partial index only where its condition is repeated.
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
    """How many versions each stage held: those that entered less those that left."""
    stages = [stage.value for stage in Stage]
    events = models.AuditEvent.objects.filter(
        _standing_models(moment), within, occurred_at__lte=moment
    ).order_by()
    # Which action it was is asked of each event as it is counted: as a condition it would lead
    # SQLite to the index of actions, which holds nothing else that is asked for.
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
    """Cards by the id of their move; two statements."""
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
        )
        for row in rows
        if row.model is not None and row.version is not None
    }


def _rows(ids: Sequence[int]) -> QuerySet[models.AuditEvent]:
    return (
        models.AuditEvent.objects.filter(pk__in=ids)
        .select_related("model", "version", "actor")
        .only(
            "occurred_at",
            "model__name",
            "version__number",
            "version__label",
            "version__deleted_at",
            "actor__username",
        )
    )


def _names_then(model_ids: set[int | None], moment: datetime) -> dict[int | None, str]:
    """What models were called that were renamed since, unless that text was erased."""
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
