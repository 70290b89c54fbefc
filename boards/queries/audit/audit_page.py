"""The page of the audit log: newest first, filtered, one page at a time."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from boards import models
from boards.access.actors import display_name
from boards.models.audit import event_data
from boards.queries.audit.audit_filter import AuditFilter, named_condition
from boards.queries.audit.event_details import Detail, cut, details_of
from boards.queries.audit.promotion_record import RECORDED
from boards.queries.facts.event_values import uid_of
from boards.queries.paging.keyset import Cursor
from obeya.errors import model_not_found, version_not_found
from obeya.records import Action, Channel
from obeya.stages import Stage
from obeya.values import NUMBER_MAX

PAGE = 50
TEXT_MAX = 2_000
DETAILS_MAX = 60

# A phrase that ends so is followed by the name of the model or version without a preposition.
_OBJECTS = ("the model", "the version", "in a rollback")
# These are about an account, whose name follows the phrase.
_FOR_ACCOUNT = (Action.USER_LINK_MADE, Action.SIGN_IN_FAILED, Action.FAILED_SIGN_INS_COUNTED)
_IN_STAGE = (Action.VERSION_REGISTERED, Action.WIP_LIMIT_SET, Action.WIP_LIMIT_REMOVED)

Versions = Mapping[tuple[uuid.UUID, int], models.ModelVersion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The model, or version of it, of a history. Deleted ones have a history too.

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
        """Whether the model or version of the history was deleted."""
        return self.model_is_deleted or self.version_is_deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event. `model` and `number` are None if the event belongs to no model or version.

    `about` is the account that it concerns, empty if there is none.
    """

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
    about: str
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
    def was_written_later(self) -> bool:
        """Whether it was recorded at another time than it happened, as imported history is."""
        return abs(self.recorded_at - self.occurred_at) >= timedelta(seconds=1)

    @property
    def short_hash(self) -> str:
        """The start of the hash, long enough to distinguish events by eye."""
        return self.hash[:8]

    @property
    def has_record(self) -> bool:
        """Whether it has a promotion record: it is a move, a refusal or a waiver."""
        return self.action in RECORDED and self.chain is not None

    @property
    def sentence(self) -> str:
        """The action as a phrase that is followed by the account, model or version it is about."""
        phrase = self.action.sentence
        is_about_object = self.model is not None and not phrase.endswith(_OBJECTS)
        is_for_account = self.about and self.action in _FOR_ACCOUNT
        return f"{phrase} for" if is_about_object or is_for_account else phrase

    @property
    def stage_word(self) -> str:
        """The word before the stage of an event that has no stage on the other side."""
        return "in" if self.action in _IN_STAGE else "to enter"

    @property
    def more_details(self) -> int:
        """The number of details besides the first."""
        return len(self.details) + self.details_left_out - 1

    @property
    def is_refusal(self) -> bool:
        """Whether the event is a refused move."""
        return self.action is Action.TRANSITION_REFUSED


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page of events, newest first; `next_cursor` leads to older ones, None on the last."""

    events: tuple[EventRow, ...]
    next_cursor: str | None


def scope_of(name: str, number: int | None = None) -> Scope:
    """Return the model or version of a history.

    A deleted model is found if no other model has its name.

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
    scope = Scope(
        model_pk=model.pk,
        model=model.name,
        model_is_deleted=model.deleted_at is not None,
        chain=str(model.uid),
        chain_length=model.chain_length,
        chain_hash=model.chain_hash,
    )
    if number is None:
        return scope
    if not 0 < number <= NUMBER_MAX:
        raise version_not_found(name, number)
    version = models.ModelVersion.objects.filter(model=model, number=number).first()
    if version is None:
        raise version_not_found(name, number)
    return replace(
        scope,
        version_pk=version.pk,
        number=number,
        version_is_deleted=version.deleted_at is not None,
    )


def audit_page(
    chosen: AuditFilter, scope: Scope | None = None, after: Cursor | None = None
) -> AuditPage:
    """Return a page of the events that match the filter, within `scope` if there is one.

    Two statements, one more if events concern accounts, one if they are downloads, and one for each
    of the filters actor, model and version, and for a stage on either side.

    Raises:
        InvalidInput: the filter has an account, a model or a version that never existed.
    """
    rows = [
        row
        for condition in conditions_of(chosen, scope)
        for row in _page(condition, after)[: PAGE + 1]
    ]
    rows = sorted(rows, key=lambda row: (row.occurred_at, row.pk), reverse=True)[: PAGE + 1]
    shown = rows[:PAGE]
    texts = _texts(row.pk for row in shown)
    stated = [event_data(row.canonical_text) for row in shown]
    people = _people(uid_of(data.get("user")) for data in stated if data)
    versions = _versions(stated)
    last = shown[-1] if len(rows) > PAGE else None
    return AuditPage(
        tuple(
            _event_row(row, data, texts[row.pk], people, versions)
            for row, data in zip(shown, stated, strict=True)
        ),
        str(Cursor(last.occurred_at, last.pk)) if last else None,
    )


def conditions_of(chosen: AuditFilter, scope: Scope | None) -> tuple[Q, ...]:
    """Return the filter's conditions within the scope; an event has to match one of them.

    Raises:
        InvalidInput: the filter has an account, a model or a version that never existed.
    """
    within = named_condition(chosen)
    if scope is not None:
        within &= Q(model=scope.model_pk)
        if scope.version_pk is not None:
            within &= Q(version=scope.version_pk)
    return tuple(condition & within for condition in chosen.conditions)


def _page(condition: Q, after: Cursor | None) -> QuerySet[models.AuditEvent]:
    events = _events().filter(condition)
    if after is not None:
        events = events.filter(after.older("occurred_at"))
    return events.order_by("-occurred_at", "-pk")


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


def _texts(event_ids: Iterable[int]) -> Mapping[int, dict[str, str]]:
    """Return the free texts of events by role, cut to the length that a page shows."""
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    for event_id, role, text in (
        models.AuditText.objects.filter(event__in=list(event_ids))
        .annotate(start=Left("text", TEXT_MAX + 1))
        .values_list("event_id", "role", "start")
    ):
        texts[event_id][role] = cut(text, TEXT_MAX)
    return texts


def _people(uids: Iterable[uuid.UUID | None]) -> Mapping[uuid.UUID | None, str]:
    """Return the usernames of accounts by the ids in events."""
    wanted = set(filter(None, uids))
    if not wanted:
        return {}
    return dict(models.User.objects.filter(uid__in=wanted).values_list("uid", "username"))


def _versions(stated: Iterable[Mapping[str, Any] | None]) -> Versions:
    """Return the versions that events of the site chain name by the id of the model."""
    wanted = {named for data in stated if (named := _named_version(data))}
    if not wanted:
        return {}
    rows = models.ModelVersion.objects.select_related("model").filter(
        model__uid__in={uid for uid, _ in wanted}, number__in={number for _, number in wanted}
    )
    return {(row.model.uid, row.number): row for row in rows}


def _named_version(data: Mapping[str, Any] | None) -> tuple[uuid.UUID, int] | None:
    uid, number = (uid_of(data.get("model")), data.get("version")) if data else (None, None)
    return (uid, number) if uid and isinstance(number, int) and 0 < number <= NUMBER_MAX else None


def _event_row(
    row: models.AuditEvent,
    data: Mapping[str, Any] | None,
    texts: dict[str, str],
    people: Mapping[uuid.UUID | None, str],
    versions: Versions,
) -> EventRow:
    """Return the row of an event; `data` is None if the event cannot be parsed."""
    model, version, named = row.model, row.version, _named_version(data)
    if data and model is None and named and named in versions:
        version = versions[named]
        model = version.model
        data = {k: v for k, v in data.items() if k not in ("model", "version")}
    about = people.get(uid_of(data.get("user")), "") if data else ""
    if data and about:
        data = {k: v for k, v in data.items() if k != "user"}
    details = details_of(data, {r: t for r, t in texts.items() if r != "reason"})
    return EventRow(
        pk=row.pk,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        actor=display_name(row.actor),
        channel=Channel(row.channel),
        action=Action(row.action),
        model=model.name if model else None,
        model_is_deleted=model is not None and model.deleted_at is not None,
        number=version.number if version else None,
        version_is_deleted=version is not None and version.deleted_at is not None,
        about=about,
        from_stage=Stage(row.from_stage) if row.from_stage else None,
        to_stage=Stage(row.to_stage) if row.to_stage else None,
        reason=texts.get("reason", ""),
        details=details[:DETAILS_MAX],
        details_left_out=max(0, len(details) - DETAILS_MAX),
        check=uid_of(data.get("check")) if data else None,
        request=uid_of(data.get("request")) if data else None,
        chain=row.model.uid if row.model else None,
        operation=row.operation,
        sequence=row.sequence,
        hash=row.hash,
        previous_hash=row.previous_hash,
    )
