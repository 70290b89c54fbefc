"""The audit log as people read it: newest first, filtered, a page at a time."""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from boards import models
from boards.queries.event_details import Detail, cut, details_of
from boards.queries.history import NOBODY
from boards.queries.keyset import Cursor
from boards.queries.promotion_record import RECORDED
from obeya.errors import InvalidInput, model_not_found, version_not_found
from obeya.records import Action, Channel
from obeya.registry import NUMBER_MAX
from obeya.stages import Stage

PAGE = 50
TEXT_MAX = 2_000
DETAILS_MAX = 60
FILTER_TEXT_MAX = 256

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
# Outside these years a moment cannot be taken to another time zone and back.
_YEARS = range(1970, 9990)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are shown. Empty fields let everything through.

    `actor` is a username, or ``system`` for the registry itself; `stage` the stage that the
    event leads to; `since` and `until` are days of the site's time zone, both included.
    """

    actor: str = ""
    action: Action | None = None
    model: str = ""
    version: int | None = None
    stage: Stage | None = None
    since: date | None = None
    until: date | None = None
    channel: Channel | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> tuple[AuditFilter, dict[str, str]]:
        """Read the fields by name.

        Returns the filter of those that can be read, and for each that cannot a sentence that
        says why.
        """
        problems: dict[str, str] = {}

        def read(field: str, parse: Callable[[str], _T]) -> _T | None:
            text = values.get(field, "").strip()
            if not text:
                return None
            try:
                return parse(text)
            except InvalidInput as error:
                problems[field] = str(error)
                return None

        chosen = cls(
            actor=read("actor", _name) or "",
            action=read("action", _action),
            model=read("model", _name) or "",
            version=read("version", _number),
            stage=read("stage", Stage.parse),
            since=read("since", _day),
            until=read("until", _day),
            channel=read("channel", _channel),
        )
        if chosen.since and chosen.until and chosen.since > chosen.until:
            problems["until"] = "The period ends before it starts."
        return chosen, problems

    def condition(self) -> Q:
        """The condition on events of all fields but actor, model and version."""
        condition = Q()
        if self.action:
            condition &= Q(action=self.action.value)
        if self.channel:
            condition &= Q(channel=self.channel.value)
        if self.stage:
            # The second term says nothing new; SQLite takes the partial index only if it is there.
            condition &= Q(to_stage=self.stage.value) & ~Q(to_stage="")
        if self.since:
            condition &= Q(occurred_at__gte=_midnight(self.since))
        if self.until:
            condition &= Q(occurred_at__lt=_midnight(self.until + timedelta(days=1)))
        return condition


@dataclass(frozen=True, slots=True)
class Scope:
    """A model, or one version of it, whose history is read; deleted ones have one too.

    `chain_length` and `chain_hash` are the head of the model's chain.
    """

    model_pk: int
    model: str
    model_is_deleted: bool
    chain: str
    chain_length: int
    chain_hash: str
    version_pk: int | None = None
    number: int | None = None
    version_is_deleted: bool = False

    @property
    def title(self) -> str:
        """``resnet50`` or ``resnet50 v4``."""
        return self.model if self.number is None else f"{self.model} v{self.number}"

    @property
    def is_deleted(self) -> bool:
        """Whether what the history is of was deleted."""
        return self.model_is_deleted or self.version_is_deleted


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. `model` and `number` are None where the event belongs to none."""

    pk: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    channel: Channel
    action: Action
    model: str | None
    model_is_deleted: bool
    number: int | None
    version_is_deleted: bool
    from_stage: Stage | None
    to_stage: Stage | None
    reason: str
    details: tuple[Detail, ...]
    details_left_out: int
    check: uuid.UUID | None
    request: uuid.UUID | None
    chain: uuid.UUID | None
    operation: uuid.UUID | None
    sequence: int
    hash: str
    previous_hash: str

    @property
    def short_hash(self) -> str:
        """Enough of the hash to tell events apart by eye."""
        return self.hash[:8]

    @property
    def has_record(self) -> bool:
        """Whether it has a promotion record: it is a move, a refusal or a waiver."""
        return self.action in RECORDED and self.chain is not None

    @property
    def is_refusal(self) -> bool:
        """Whether the event says that something was refused."""
        return self.action is Action.TRANSITION_REFUSED


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of events, newest first; `next_cursor` leads to older ones, None on the last."""

    events: tuple[EventRow, ...]
    next_cursor: str | None


def scope_of(name: str, number: int | None = None) -> Scope:
    """What a history is of; a deleted model is found when no other has taken its name.

    Raises:
        NotFound: there never was such a model or version.
    """
    model = (
        models.RegisteredModel.objects.filter(name=name)
        .order_by(F("deleted_at").desc(nulls_first=True), "-pk")
        .first()
    )
    if model is None:
        raise model_not_found(name)
    head = (
        model.pk,
        model.name,
        model.deleted_at is not None,
        str(model.uid),
        model.chain_length,
        model.chain_hash,
    )
    if number is None:
        return Scope(*head)
    if not 0 < number <= NUMBER_MAX:
        raise version_not_found(name, number)
    version = models.ModelVersion.objects.filter(model=model, number=number).first()
    if version is None:
        raise version_not_found(name, number)
    return Scope(*head, version.pk, number, version.deleted_at is not None)


def audit_page(
    chosen: AuditFilter, scope: Scope | None = None, after: Cursor | None = None
) -> AuditPage:
    """The events that the filter lets through, within `scope` where there is one.

    Two statements, and one more for each of the filters actor, model and version.

    Raises:
        InvalidInput: the filter names an account, a model or a version that never was.
    """
    events = _events().filter(chosen.condition(), _named(chosen))
    if scope is not None:
        events = events.filter(model=scope.model_pk)
        if scope.version_pk is not None:
            events = events.filter(version=scope.version_pk)
    if after is not None:
        events = events.filter(after.older("occurred_at"))
    rows = list(events.order_by("-occurred_at", "-pk")[: PAGE + 1])
    shown = rows[:PAGE]
    texts = _texts(row.pk for row in shown)
    last = shown[-1] if len(rows) > PAGE else None
    return AuditPage(
        tuple(_event_row(row, texts[row.pk]) for row in shown),
        str(Cursor(last.occurred_at, last.pk)) if last else None,
    )


def _events() -> QuerySet[models.AuditEvent]:
    return models.AuditEvent.objects.select_related("model", "version", "actor").only(
        "occurred_at",
        "recorded_at",
        "channel",
        "action",
        "from_stage",
        "to_stage",
        "operation",
        "sequence",
        "hash",
        "previous_hash",
        "canonical_text",
        "model__name",
        "model__uid",
        "model__deleted_at",
        "version__number",
        "version__deleted_at",
        "actor__username",
    )


def _named(chosen: AuditFilter) -> Q:
    """The condition of actor, model and version, whose names are looked up first.

    With ids in hand each condition seeks in an index of its own that is sorted by time.
    """
    condition = Q()
    if chosen.actor:
        account = models.User.objects.filter(username=chosen.actor).only("pk").first()
        if account is None and chosen.actor != NOBODY:
            raise InvalidInput(f"There is no account named “{chosen.actor[:64]}”.", field="actor")
        condition &= Q(actor=account.pk if account else None)
    if not chosen.model:
        if chosen.version is not None:
            raise InvalidInput("Name the model whose version it is.", field="version")
        return condition
    named = models.RegisteredModel.objects.filter(name=chosen.model).values_list("pk", flat=True)
    ids = list(named)
    if not ids:
        raise InvalidInput(f"There never was a model named “{chosen.model[:64]}”.", field="model")
    if chosen.version is None:
        return condition & Q(model__in=ids)
    versions = list(
        models.ModelVersion.objects.filter(model__in=ids, number=chosen.version).values_list(
            "pk", flat=True
        )
    )
    if not versions:
        raise InvalidInput(
            f"{chosen.model[:64]} never had a version {chosen.version}.", field="version"
        )
    return condition & Q(version__in=versions)


def _texts(event_ids: Iterable[int]) -> Mapping[int, dict[str, str]]:
    """The free texts of events by role, cut where they are longer than a page should show."""
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    for event_id, role, text in (
        models.AuditText.objects.filter(event__in=list(event_ids))
        .annotate(start=Left("text", TEXT_MAX + 1))
        .values_list("event_id", "role", "start")
    ):
        texts[event_id][role] = cut(text, TEXT_MAX)
    return texts


def _event_row(row: models.AuditEvent, texts: dict[str, str]) -> EventRow:
    data = row.data
    details = list(details_of(data, {r: t for r, t in texts.items() if r != "reason"}))
    return EventRow(
        row.pk,
        row.occurred_at,
        row.recorded_at,
        row.actor.username if row.actor else NOBODY,
        Channel(row.channel),
        Action(row.action),
        row.model.name if row.model else None,
        row.model is not None and row.model.deleted_at is not None,
        row.version.number if row.version else None,
        row.version is not None and row.version.deleted_at is not None,
        Stage(row.from_stage) if row.from_stage else None,
        Stage(row.to_stage) if row.to_stage else None,
        texts.get("reason", ""),
        tuple(details[:DETAILS_MAX]),
        max(0, len(details) - DETAILS_MAX),
        _uid(data.get("check")),
        _uid(data.get("request")),
        row.model.uid if row.model else None,
        row.operation,
        row.sequence,
        row.hash,
        row.previous_hash,
    )


def _uid(text: str | None) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _name(text: str) -> str:
    if len(text) > FILTER_TEXT_MAX or "\x00" in text:
        raise InvalidInput(f"A name has at most {FILTER_TEXT_MAX} characters.")
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) <= NUMBER_MAX):
        raise InvalidInput(f"“{text[:32]}” is not a version number; write it like 4.")
    return int(text)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text) if _DATE.match(text) else None
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise InvalidInput(f"“{text[:32]}” is not a day; write it like 2026-03-31.")
    return day


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise InvalidInput(f"“{text[:64]}” is not an action; choose one of the list.") from None


def _channel(text: str) -> Channel:
    try:
        return Channel(text)
    except ValueError:
        known = ", ".join(Channel)
        raise InvalidInput(f"“{text[:64]}” is not a way in; they are {known}.") from None
