"""The payloads of deliveries, for programs and for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from obeya.audit.chain import AuditEvent, timestamp
from obeya.audit.heads import ChainHead
from obeya.records import Action
from obeya.stages import Stage
from obeya.webhooks.endpoints import HEADS, TEST

Document = Mapping[str, Any]
TEXT_MAX = 500


def event_message(
    event: AuditEvent, hash_: str, *, actor: str, model: str | None
) -> dict[str, Any]:
    """Return the payload of an event; `actor` and `model` are current names.

    `data.id` identifies the event permanently: its chain and its sequence number. `data.data` is
    the event's own data, with old and new values; docs/audit.md describes it for each action.
    """
    return {
        "type": event.action.value,
        "timestamp": timestamp(event.occurred_at),
        "data": {
            "id": f"{event.chain}:{event.sequence}",
            "hash": hash_,
            "actor": {"id": event.actor, "name": actor},
            "channel": event.channel.value,
            "model": {"id": event.model, "name": model} if event.model else None,
            "version": event.version,
            "from_stage": event.from_stage.value if event.from_stage else None,
            "to_stage": event.to_stage.value if event.to_stage else None,
            "operation_id": event.operation,
            "texts": dict(event.texts),
            "data": dict(event.data),
        },
    }


def heads_message(
    heads: list[ChainHead], *, day: str, part: int, parts: int, at: datetime
) -> dict[str, Any]:
    """Return one part of the daily payload with the heads of all chains."""
    return {
        "type": HEADS,
        "timestamp": timestamp(at),
        "data": {
            "day": day,
            "part": part,
            "parts": parts,
            "heads": [head.document for head in heads],
        },
    }


def trial_message(endpoint: str, *, by: str, at: datetime) -> dict[str, Any]:
    """Return the payload of a test, which has no other content."""
    return {
        "type": TEST,
        "timestamp": timestamp(at),
        "data": {"endpoint": endpoint, "sent_by": by},
    }


def body_of(message: Document) -> str:
    """Return the payload as it is sent and signed: JSON without blanks."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def sentence_of(message: Document) -> str:
    """Return the payload as a sentence for people: ``resnet50 v4: ada moved the version …``."""
    kind, data = str(message["type"]), message["data"]
    if kind == TEST:
        return f"A test of the endpoint “{data['endpoint']}”, sent by {data['sent_by']}."
    if kind == HEADS:
        return f"The heads of {len(data['heads']):,} chains of the audit log on {data['day']}."
    subject = data["model"]["name"] if data["model"] else ""
    if data["version"] is not None:
        subject = f"{subject} v{data['version']}"
    told = f"{data['actor']['name']} {Action(kind).sentence}"
    said = f"{subject}: {told}" if subject else told[:1].upper() + told[1:]
    from_stage, to_stage = (
        Stage(data[side]).label if data[side] else "" for side in ("from_stage", "to_stage")
    )
    if from_stage and to_stage:
        said += f" from {from_stage} to {to_stage}"
    elif to_stage:
        said += f" in {to_stage}"
    reason = str(data["texts"].get("reason", ""))
    if reason:
        cut = reason if len(reason) <= TEXT_MAX else f"{reason[:TEXT_MAX]}…"
        return f"{said}: “{cut}”"
    return f"{said}."
