"""The audit log's canonical form and hash chain, so that anyone can verify an export.

docs/audit.md specifies both byte by byte. An event is written as JSON in the canonical form of
RFC 8785; its hash is SHA-256 over those bytes; the form holds the hash of the event before it in
the same chain. There is one chain per registered model and one for the site.

The canonical form names models and actors by stable ids, never by name, and holds the digest of
free text instead of the text, so that renaming and erasing text break nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import rfc8785

from obeya.records import Action, Channel
from obeya.stages import Stage

FORMAT = 1
GENESIS = "0" * 64
SYSTEM_ACTOR = "system"


def document_digest(document: Any) -> str:
    """SHA-256, in hex, over a JSON document in the canonical form of RFC 8785.

    Every number counts as a 64-bit float, whatever wrote it: 1 and 1.0 are the same, and so are
    1e300 and the whole number that some databases give back for it.
    """
    return hashlib.sha256(rfc8785.dumps(_as_floats(document))).hexdigest()


def _as_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_floats(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One entry of a chain.

    `chain` is the id of the model or of the site; `sequence` counts from 1 within it. `actor` is
    the stable id of who did it, ``system`` for the registry itself. `occurred_at` is when it
    happened and never earlier than its predecessor's, `recorded_at` what the clock showed when
    it was written. `texts` holds free text (a reason, a description) by its role; only digests
    of it enter the hash. `model` is the model's id, None on the site chain.
    """

    chain: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    channel: Channel
    action: Action
    previous_hash: str
    model: str | None = None
    version: int | None = None
    from_stage: Stage | None = None
    to_stage: Stage | None = None
    operation: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def canonical_text(self) -> str:
        """The event as RFC 8785 JSON: what is hashed, stored and exported.

        Raises:
            ValueError: `data` holds something that JSON cannot (NaN, a whole number past 2^53).
        """
        record: dict[str, Any] = {
            "format": FORMAT,
            "chain": self.chain,
            "sequence": self.sequence,
            "occurred_at": timestamp(self.occurred_at),
            "recorded_at": timestamp(self.recorded_at),
            "actor": self.actor,
            "channel": self.channel.value,
            "action": self.action.value,
            "model": self.model,
            "version": self.version,
            "from_stage": self.from_stage.value if self.from_stage else None,
            "to_stage": self.to_stage.value if self.to_stage else None,
            "operation": self.operation,
            "data": dict(self.data),
            "texts": {role: text_digest(text) for role, text in self.texts.items()},
            "previous_hash": self.previous_hash,
        }
        return rfc8785.dumps(record).decode()


def event_hash(canonical_text: str) -> str:
    """SHA-256 of the canonical text in UTF-8, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_text.encode()).hexdigest()


def text_digest(text: str) -> str:
    """SHA-256 of a free text in UTF-8, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def timestamp(moment: datetime) -> str:
    """A moment in UTC with six decimals: ``2026-03-03T14:05:09.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Link:
    """One stored link of a chain: its place, its canonical text and its hash as stored."""

    sequence: int
    canonical_text: str
    hash: str


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first place where a chain does not hold. `sequence` is where it was expected.

    `name` is that of the chain's model, empty where it is not known.
    """

    chain: str
    sequence: int
    problem: str
    name: str = ""

    def __str__(self) -> str:
        whose = f" ({self.name})" if self.name else ""
        return f"Chain {self.chain}{whose}, event {self.sequence}: {self.problem}"


def first_broken_link(
    chain: str,
    links: Iterable[Link],
    *,
    head: tuple[int, str] | None = None,
) -> BrokenLink | None:
    """Recompute a chain, given in the order of its sequence; None when every link holds.

    `head` is the length and last hash that the chain is known to have, from the registry or from
    where a head was kept; without it a cut tail cannot be seen.
    """
    previous, expected = GENESIS, 1
    for link in links:
        problem = link_problem(chain, link, expected, previous)
        if problem:
            return BrokenLink(chain, expected, problem)
        previous, expected = link.hash, expected + 1
    if head is not None and head != (expected - 1, previous):
        length, last_hash = head
        if length != expected - 1:
            return BrokenLink(
                chain,
                min(length + 1, expected),
                f"the chain ends at {expected - 1}, its head says {length}.",
            )
        return BrokenLink(chain, length, f"the head says {last_hash}, the event {previous}.")
    return None


def link_problem(chain: str, link: Link, expected: int, previous: str) -> str | None:
    """What is wrong with one link, None when it holds.

    `expected` is the sequence that belongs here, `previous` the hash of the event before it.
    """
    if link.sequence != expected:
        return f"missing; event {link.sequence} stands in its place."
    try:
        if event_hash(link.canonical_text) != link.hash:
            return "its text does not have the hash that was stored with it."
        record = json.loads(link.canonical_text)
    except (ValueError, RecursionError):
        # No Unicode, no JSON, or nested so deeply that no reader follows.
        return "its text is not JSON."
    if not isinstance(record, dict):
        return "its text is no record."
    if record.get("chain") != chain:
        return f"it belongs to chain {record.get('chain')}."
    if record.get("sequence") != expected:
        return f"it was written as event {record.get('sequence')}."
    if record.get("previous_hash") != previous:
        return "it does not follow the event before it."
    return None
