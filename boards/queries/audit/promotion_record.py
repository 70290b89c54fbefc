"""The promotion record: one event of a chain with everything that it was decided on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from boards import models
from boards.access.actors import display_name
from boards.models.audit import event_data, event_members
from boards.queries.checks.frozen_check import CheckResult, stored_result
from boards.queries.facts.check_digest import check_digest, digested_document
from boards.queries.facts.event_values import moment_of, uid_of
from boards.queries.facts.import_marks import is_unchecked_after
from obeya.audit.chain import GENESIS, SYSTEM_ACTOR, event_hash, text_digest
from obeya.documents.policy_results import refusals_from_documents
from obeya.errors import NotFound, Refusal, RefusalKind
from obeya.records import MOVES, Action, Channel
from obeya.stages import Stage

RECORDED = (
    Action.STAGE_TRANSITIONED,
    Action.VERSION_ROLLED_BACK,
    Action.TRANSITION_REFUSED,
    Action.WAIVER_GRANTED,
    Action.WAIVER_REVOKED,
)
"""The actions that have a record."""

SEQUENCE_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMove:
    """Another version that the same operation moved."""

    number: int
    from_stage: Stage
    to_stage: Stage
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUsed:
    """The request that a move completed."""

    uid: uuid.UUID
    requested_by: str
    opened_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOnRecord:
    """The check that was stored with the event.

    `stated_digest` is the digest in the event, `present_digest` the check's current one, which is
    that of `document`. `is_sound`: they are equal.
    """

    uid: uuid.UUID
    result: CheckResult
    evidence_digest: str
    stated_digest: str
    present_digest: str
    document: Mapping[str, Any]

    @property
    def is_sound(self) -> bool:
        """Whether the check is unchanged since the event was written."""
        return self.stated_digest == self.present_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverRecord:
    """The waiver that an event granted or revoked. `revoked_at` is the current state."""

    uid: str
    requirements: tuple[str, ...]
    expires_at: datetime
    granted_by: str
    granted_at: datetime
    granted_reason: str
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRecord:
    """One event and everything that it was decided on.

    `reason_of_operation` is that of another event of the same operation, if this one has none.
    `approved_by` is whose approval made the registry move it, empty if a person moved it.
    `is_unchecked`: an import placed the version in the stage, and no policy was checked.
    `check_is_missing`: the event refers to a check that no longer exists. `refusals` are those of a
    refused move. `details_are_readable`: the event's text can be parsed and its `data` has the
    types that the registry writes; otherwise nothing of `data` is shown. The last three fields say
    whether the event is in its chain as it was written.
    """

    chain: uuid.UUID
    sequence: int
    action: Action
    model: str
    number: int
    is_deleted: bool
    from_stage: Stage | None
    to_stage: Stage | None
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    actor_id: str
    channel: Channel
    approved_by: str
    reason: str
    reason_of_operation: str
    operation: uuid.UUID | None
    others: tuple[OtherMove, ...]
    check: CheckOnRecord | None
    check_is_missing: bool
    is_unchecked: bool
    waiver: WaiverRecord | None
    request: RequestUsed | None
    refusals: tuple[Refusal, ...]
    canonical_text: str
    hash: str
    previous_hash: str
    details_are_readable: bool
    text_has_its_hash: bool
    follows_its_predecessor: bool
    texts_have_their_digests: bool

    @property
    def kind(self) -> str:
        """The kind of record, in one or two words."""
        match self.action:
            case Action.TRANSITION_REFUSED:
                return "Refusal"
            case Action.VERSION_ROLLED_BACK:
                return "Rollback"
            case Action.WAIVER_GRANTED:
                return "Waiver"
            case Action.WAIVER_REVOKED:
                return "Revoked waiver"
        if self.channel is Channel.IMPORT:
            return "Import"
        if self.check is not None or self.check_is_missing:
            return "Promotion"
        return "Move"

    @property
    def was_written_later(self) -> bool:
        """Whether it was recorded at another time than it happened, as imported history is."""
        return abs(self.recorded_at - self.occurred_at) >= timedelta(seconds=1)

    @property
    def link_is_sound(self) -> bool:
        """Whether the event is in its chain as it was written; other events are not checked."""
        return all(
            (
                self.details_are_readable,
                self.text_has_its_hash,
                self.follows_its_predecessor,
                self.texts_have_their_digests,
            )
        )

    @property
    def check_is_sound(self) -> bool:
        """Whether the frozen check matches the event; true if the event refers to no check."""
        return not self.check_is_missing and (self.check is None or self.check.is_sound)


def promotion_record(chain: uuid.UUID, sequence: int) -> PromotionRecord:
    """Return the record of one event; at most eight statements.

    Raises:
        NotFound: there is no such event, or it is not a move, a refusal or a waiver.
    """
    if not 0 < sequence <= SEQUENCE_MAX:
        raise NotFound("There is no such event.", what="event")
    events = (
        models.AuditEvent.objects.filter(model__uid=chain, sequence__in=[sequence - 1, sequence])
        .select_related("model", "version", "actor")
        .order_by("-sequence")
    )
    found = list(events)
    row = found[0] if found and found[0].sequence == sequence else None
    if row is None or row.model is None:
        raise NotFound("There is no such event.", what="event")
    if row.version is None or row.action not in RECORDED:
        raise NotFound(
            "This event is not a promotion, refusal, rollback or waiver. See it in the history "
            "of the model.",
            what="event",
        )
    previous = found[1].hash if len(found) > 1 else GENESIS
    said = event_members(row.canonical_text)
    digests: Mapping[str, str] = said["texts"] if said else {}
    stated = _checked_data(said["data"] if said else None)
    data: Mapping[str, Any] = stated or {}
    texts = dict(models.AuditText.objects.filter(event=row).values_list("role", "text"))
    check = _check(row, data)
    approved_by = data.get("approved_by", "")
    request = data.get("request") or (check and check.result.evidence.request)
    return PromotionRecord(
        chain=chain,
        sequence=sequence,
        action=Action(row.action),
        model=row.model.name,
        number=row.version.number,
        is_deleted=row.version.deleted_at is not None or row.model.deleted_at is not None,
        from_stage=Stage(row.from_stage) if row.from_stage else None,
        to_stage=Stage(row.to_stage) if row.to_stage else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        actor=display_name(row.actor),
        actor_id=str(row.actor.uid) if row.actor else SYSTEM_ACTOR,
        channel=Channel(row.channel),
        approved_by=_username(approved_by) if approved_by else "",
        reason=texts.get("reason", ""),
        reason_of_operation="" if texts.get("reason") else _reason_of_operation(row),
        operation=row.operation,
        others=_others(row),
        check=check,
        check_is_missing=bool(data.get("check")) and check is None,
        is_unchecked=is_unchecked_after(row.to_stage, row.channel, row.canonical_text),
        waiver=_waiver(row, data) if "waiver" in data else None,
        request=_request(request) if request else None,
        refusals=refusals_from_documents(data.get("refusals", ())),
        canonical_text=row.canonical_text,
        hash=row.hash,
        previous_hash=row.previous_hash,
        details_are_readable=stated is not None,
        text_has_its_hash=event_hash(row.canonical_text) == row.hash,
        follows_its_predecessor=(
            said is not None and said["previous_hash"] == previous == row.previous_hash
        ),
        texts_have_their_digests=all(
            digests.get(role) == text_digest(text) for role, text in texts.items()
        ),
    )


def _checked_data(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the data of an event, None if a member that a record shows has the wrong type.

    The registry never writes such data; someone with write access to the database can.
    """
    if data is None:
        return None
    has_uids = all(uid_of(data[name]) for name in ("check", "request", "waiver") if name in data)
    has_texts = all(isinstance(data.get(name, ""), str) for name in ("approved_by", "check_digest"))
    refusals = data.get("refusals", [])
    has_refusals = isinstance(refusals, list) and all(map(_is_refusal, refusals))
    # The event that revoked a waiver has the id only.
    has_waiver = isinstance(data.get("requirements", []), list) and (
        "expires_at" not in data or moment_of(data["expires_at"]) is not None
    )
    return data if has_uids and has_texts and has_refusals and has_waiver else None


def _is_refusal(document: object) -> bool:
    return (
        isinstance(document, Mapping)
        and document.get("kind") in _REFUSAL_KINDS
        and isinstance(document.get("code"), str)
        and isinstance(document.get("sentence"), str)
    )


_REFUSAL_KINDS = tuple(kind.value for kind in RefusalKind)


def _check(row: models.AuditEvent, data: Mapping[str, Any]) -> CheckOnRecord | None:
    if "check" not in data:
        return None
    check = (
        models.PolicyCheck.objects.filter(uid=data["check"], version=row.version_id)
        .select_related("policy_revision__model", "policy_revision__created_by")
        .first()
    )
    if check is None:
        return None
    return CheckOnRecord(
        uid=check.uid,
        result=stored_result(check),
        evidence_digest=check.evidence_digest,
        stated_digest=data.get("check_digest", ""),
        present_digest=check_digest(check),
        document=digested_document(check),
    )


def _reason_of_operation(row: models.AuditEvent) -> str:
    """Return the reason of the whole operation; only one version's event may have it."""
    if row.operation is None:
        return ""
    texts = models.AuditText.objects.filter(
        event__operation=row.operation, event__model=row.model_id, role="reason"
    )
    return texts.order_by("event_id").values_list("text", flat=True).first() or ""


def _others(row: models.AuditEvent) -> tuple[OtherMove, ...]:
    """Return the other moves of the operation, in the order of the chain."""
    if row.operation is None:
        return ()
    events = models.AuditEvent.objects.filter(
        operation=row.operation, model=row.model_id, action__in=MOVES
    ).exclude(pk=row.pk)
    return tuple(
        OtherMove(
            number=number, from_stage=Stage(from_stage), to_stage=Stage(to_stage), sequence=sequence
        )
        for number, from_stage, to_stage, sequence in events.order_by("sequence").values_list(
            "version__number", "from_stage", "to_stage", "sequence"
        )
    )


def _waiver(event: models.AuditEvent, data: Mapping[str, Any]) -> WaiverRecord | None:
    """Return the waiver from the event that granted it.

    From its row only whether it was revoked.
    """
    granted = event
    if event.action != Action.WAIVER_GRANTED.value:
        found = models.AuditEvent.objects.filter(
            model=event.model_id,
            version=event.version_id,
            action=Action.WAIVER_GRANTED.value,
            canonical_text__contains=data["waiver"],
        )
        first = found.select_related("actor").first()
        if first is None:
            return None
        granted, data = first, _checked_data(event_data(first.canonical_text)) or {}
    requirements, expires_at = data.get("requirements"), moment_of(data.get("expires_at"))
    if "waiver" not in data or not isinstance(requirements, list) or expires_at is None:
        return None
    row = models.Waiver.objects.filter(uid=data["waiver"]).select_related("revoked_by").first()
    if row is None:
        return None
    reason = models.AuditText.objects.filter(event=granted, role="reason").first()
    return WaiverRecord(
        uid=data["waiver"],
        requirements=tuple(map(str, requirements)),
        expires_at=expires_at,
        granted_by=display_name(granted.actor),
        granted_at=granted.occurred_at,
        granted_reason=reason.text if reason else "",
        revoked_at=row.revoked_at,
        revoked_by=(display_name(row.revoked_by)) if row.revoked_at else None,
    )


def _request(uid: str | uuid.UUID) -> RequestUsed | None:
    row = models.TransitionRequest.objects.filter(uid=uid).select_related("requested_by").first()
    if row is None:
        return None
    by = display_name(row.requested_by)
    return RequestUsed(uid=row.uid, requested_by=by, opened_at=row.opened_at, reason=row.reason)


def _username(uid: str) -> str:
    if uid_of(uid) is None:
        return uid
    found = models.User.objects.filter(uid=uid).values_list("username", flat=True).first()
    return found or uid
