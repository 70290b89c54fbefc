"""Compare the rows that pages read with the audit log.

The log proves itself by its hashes. Other rows (stored checks, waivers, stages of versions) are
compared with it here: in batches, in the order of the events, so that memory use does not grow with
the log.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db.models import Count, F, OuterRef, Q, Subquery

from boards import models
from boards.models.audit import event_data, event_members
from boards.queries.facts.check_digest import check_digest
from boards.queries.facts.event_values import moment_of, uid_of
from obeya.audit.chain import SYSTEM_ACTOR, text_digest
from obeya.records import MOVES, Action
from obeya.stages import Stage

BATCH = 500
_ABOUT_WAIVERS = (Action.WAIVER_GRANTED, Action.WAIVER_REVOKED)


def differing_rows() -> Iterator[str]:
    """Yield a sentence for each row that contradicts the log, with its model and version."""
    yield from _differing_checks()
    yield from _differing_waivers()
    yield from _misplaced_versions()
    yield from _miscounted_models()


def _differing_checks() -> Iterator[str]:
    """Yield a sentence for each stored check that was changed or removed, by digests in events."""
    events = models.AuditEvent.objects.filter(canonical_text__contains='"check_digest"')
    rows = events.order_by("pk").values_list("canonical_text", "model__name", "version__number")
    for batch in _batches(rows):
        # A text that cannot be parsed is skipped here: its chain is reported as broken.
        stated = [(event_data(text) or {}, f"{name} v{number}") for text, name, number in batch]
        uids = {uid for data, _ in stated if (uid := uid_of(data.get("check")))}
        found: dict[uuid.UUID | None, models.PolicyCheck] = {
            row.uid: row for row in models.PolicyCheck.objects.filter(uid__in=uids)
        }
        for data, place in stated:
            stated_uid = data.get("check")
            if stated_uid is None:
                continue
            row = found.get(uid_of(stated_uid))
            if row is None:
                yield f"{place}: the stored check {_shown(stated_uid)} is missing."
            elif check_digest(row) != data.get("check_digest"):
                yield f"{place}: the stored check {row.uid} was changed."


def _differing_waivers() -> Iterator[str]:
    """Yield a sentence for each waiver that contradicts the events that granted or revoked it."""
    events = models.AuditEvent.objects.filter(action__in=[a.value for a in _ABOUT_WAIVERS])
    rows = events.order_by("pk").values_list(
        "canonical_text", "action", "occurred_at", "actor__uid", "model__name", "version__number"
    )
    # Counted first: the event of a later write is among those that are read after.
    rows_there = models.Waiver.objects.aggregate(
        granted=Count("pk"), revoked=Count("pk", filter=Q(revoked_at__isnull=False))
    )
    told = dict.fromkeys(_ABOUT_WAIVERS, 0)
    for batch in _batches(rows):
        stated = [(event_members(text), *rest) for text, *rest in batch]
        uids = {uid for said, *_ in stated if said and (uid := uid_of(said["data"].get("waiver")))}
        rows_of_batch = models.Waiver.objects.filter(uid__in=uids).select_related("granted_by")
        found: dict[uuid.UUID | None, models.Waiver] = {row.uid: row for row in rows_of_batch}
        for said, action, occurred_at, actor, name, number in stated:
            told[Action(action)] += 1
            if said is None:
                continue
            uid = said["data"].get("waiver")
            row = found.get(uid_of(uid))
            if row is None:
                yield f"{name} v{number}: the waiver {_shown(uid)} is missing."
            elif action == Action.WAIVER_REVOKED and row.revoked_at != occurred_at:
                yield f"{name} v{number}: the waiver {uid} was revoked, but its row differs."
            elif action == Action.WAIVER_GRANTED and (
                column := _differing_column(row, said, actor)
            ):
                yield f"{name} v{number}: the waiver {uid} was changed ({column})."
    for action, count in zip(_ABOUT_WAIVERS, rows_there.values(), strict=True):
        if count > told[action]:
            yield f"{count - told[action]} waivers have no event “{action.sentence}” in the log."


def _differing_column(row: models.Waiver, said: Mapping[str, Any], actor: object) -> str | None:
    data, digests = said["data"], said["texts"]
    granted_by = str(row.granted_by.uid) if row.granted_by else SYSTEM_ACTOR
    compared = {
        "requirements": row.requirements == data.get("requirements"),
        "expires_at": row.expires_at == moment_of(data.get("expires_at")),
        "stage": row.stage == said["to_stage"],
        "granted_by": granted_by == (str(actor) if actor else SYSTEM_ACTOR),
        "reason": "reason" not in digests or text_digest(row.reason) == digests["reason"],
    }
    return next((column for column, agrees in compared.items() if not agrees), None)


def _misplaced_versions() -> Iterator[str]:
    """Yield a sentence for each version whose stage is not the target of its last move.

    One statement.
    """
    last = models.AuditEvent.objects.filter(
        version=OuterRef("pk"), action__in=[action.value for action in MOVES]
    ).order_by("-sequence")
    rows = (
        models.ModelVersion.objects.annotate(told=Subquery(last.values("to_stage")[:1]))
        .exclude(stage=F("told"))
        .order_by("pk")
        .values_list("model__name", "number", "stage", "told")
    )
    for name, number, stage, told in rows.iterator():
        where = Stage(told).label if told else "nowhere"
        yield (
            f"{name} v{number}: its stage is {Stage(stage).label}, but its last move was to "
            f"{where}."
        )


def _miscounted_models() -> Iterator[str]:
    """Yield a sentence for each count or champion that does not match the model's versions.

    One statement.
    """
    there = Q(versions__deleted_at=None)
    counted = {
        f"{stage.value}_there": Count("versions", filter=there & Q(versions__stage=stage.value))
        for stage in Stage
    }
    rows = models.RegisteredModel.objects.filter(deleted_at=None).annotate(**counted)
    for row in rows.select_related("champion").order_by("pk").iterator():
        for stage in Stage:
            stated, count = (getattr(row, f"{stage.value}_{kind}") for kind in ("count", "there"))
            if stated != count:
                yield (
                    f"{row.name}: its counter for {stage.label} is {stated}, but it has {count} "
                    "versions there."
                )
        champion = row.champion
        if champion is not None and (
            champion.stage != Stage.PRODUCTION.value or champion.deleted_at is not None
        ):
            yield f"{row.name}: its champion v{champion.number} is not in Production."
        elif champion is None and row.production_there:  # type: ignore[attr-defined]  # annotated
            yield f"{row.name}: it has versions in Production but no champion."


def _shown(stated: object) -> str:
    """Return an id for a sentence, escaped and cut if it is not a valid id."""
    return str(stated) if uid_of(stated) or stated is None else ascii(stated)[:64]


def _batches(rows: Any) -> Iterator[Sequence[Any]]:
    stream = rows.iterator(chunk_size=BATCH)
    while batch := list(islice(stream, BATCH)):
        yield batch
