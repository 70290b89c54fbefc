"""The filter of audit events: read from a form and converted to conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from django.db.models import Q
from django.utils import timezone

from boards import models
from boards.queries.paging.whole_number import whole_number
from obeya import names
from obeya.audit.chain import SYSTEM_ACTOR
from obeya.errors import InvalidInput
from obeya.records import Action, Channel
from obeya.stages import Stage

FILTER_TEXT_MAX = 256

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
# Outside these years a time cannot be converted to another time zone and back.
YEARS = range(1970, 9990)
_T = TypeVar("_T")


class Side(StrEnum):
    """The side of a move that a stage is on."""

    INTO = "into"
    OUT_OF = "out_of"

    @property
    def label(self) -> str:
        """``Into``, ``Out of``."""
        return self.value.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """A filter of events. Empty fields match everything.

    `actor` is a username, or ``system`` for the registry itself; `stage` a stage that the event
    leads into or out of, by `side` (None: either); `since` and `until` are days in the reader's
    time zone, both included.
    """

    actor: str = ""
    action: Action | None = None
    model: str = ""
    version: int | None = None
    stage: Stage | None = None
    side: Side | None = None
    since: date | None = None
    until: date | None = None
    channel: Channel | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> tuple[AuditFilter, dict[str, str]]:
        """Parse the fields, given by name.

        Returns the filter of the valid fields, and a sentence with the reason for each invalid one.
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
            side=read("side", _side),
            since=read("since", parse_day),
            until=read("until", parse_day),
            channel=read("channel", _channel),
        )
        if chosen.side and not chosen.stage:
            problems.setdefault("stage", "Choose a stage for the direction.")
        if chosen.since and chosen.until and chosen.since > chosen.until:
            problems["until"] = "The period ends before it starts."
        return chosen, problems

    def __bool__(self) -> bool:
        return self != AuditFilter()

    @property
    def conditions(self) -> tuple[Q, ...]:
        """The conditions on events of all fields except actor, model and version.

        An event matches one of them at most. Each uses one index in the order of time; joined by OR
        they would use none.
        """
        condition = Q()
        if self.action:
            condition &= Q(action=self.action.value)
        if self.channel:
            condition &= Q(channel=self.channel.value)
        if self.since:
            condition &= Q(occurred_at__gte=midnight(self.since))
        if self.until:
            condition &= Q(occurred_at__lt=midnight(self.until + timedelta(days=1)))
        if self.stage is None:
            return (condition,)
        # The negations are redundant; without them SQLite does not use a partial index.
        into = Q(to_stage=self.stage.value) & ~Q(to_stage="")
        out_of = Q(from_stage=self.stage.value) & ~Q(from_stage="")
        match self.side:
            case Side.INTO:
                return (condition & into,)
            case Side.OUT_OF:
                return (condition & out_of,)
        return condition & into, condition & out_of & ~Q(to_stage=self.stage.value)


def named_condition(chosen: AuditFilter) -> Q:
    """Return the condition of actor, model and version, whose names are looked up first.

    With ids each condition uses a separate index that is sorted by time.

    Raises:
        InvalidInput: there never was such an account, model or version.
    """
    condition = Q()
    if chosen.actor:
        account = models.User.objects.filter(username=chosen.actor).only("pk").first()
        if account is None and chosen.actor != SYSTEM_ACTOR:
            raise InvalidInput(f"There is no account named “{chosen.actor[:64]}”.", field="actor")
        condition &= Q(actor=account.pk if account else None)
    if not chosen.model:
        if chosen.version is not None:
            raise InvalidInput("Enter the model of the version.", field="version")
        return condition
    named = models.RegisteredModel.objects.filter(name=chosen.model).values_list("pk", flat=True)
    ids = list(named)
    if not ids:
        raise InvalidInput(f"No model was ever named “{chosen.model[:64]}”.", field="model")
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


def midnight(day: date) -> datetime:
    """Return when the day begins in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _name(text: str) -> str:
    if len(text) > FILTER_TEXT_MAX or "\x00" in text:
        raise InvalidInput(f"A name has at most {FILTER_TEXT_MAX} characters.")
    return names.stored_form(text)


def _number(text: str) -> int:
    number = whole_number(text, at_least=1)
    if number is None:
        raise InvalidInput(f"“{text[:32]}” is not a version number. Write it like 4.")
    return number


def parse_day(text: str) -> date:
    """Parse ``2026-03-31``.

    Raises:
        InvalidInput: it is not a date.
    """
    try:
        day = date.fromisoformat(text) if _DATE.match(text) else None
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise InvalidInput(f"“{text[:32]}” is not a date. Write it like 2026-03-31.")
    return day


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise InvalidInput(f"Unknown action “{text[:64]}”. Choose one from the list.") from None


def _channel(text: str) -> Channel:
    try:
        return Channel(text)
    except ValueError:
        known = ", ".join(Channel)
        raise InvalidInput(f"Unknown channel “{text[:64]}”. Choose one of {known}.") from None


def _side(text: str) -> Side:
    try:
        return Side(text)
    except ValueError:
        known = ", ".join(Side)
        raise InvalidInput(f"Unknown direction “{text[:64]}”. Choose one of {known}.") from None
