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
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import rfc8785

from obeya.records import Action, Channel
from obeya.stages import Stage

FORMAT = 1
GENESIS = "0" * 64
SYSTEM_ACTOR = "system"
NESTING_MAX = 64
"""The deepest nesting of arrays and objects in a canonical text.

Events need fewer than ten levels. The limit keeps every function that recurses over an event, such
as a JSON reader or writer, far from the end of the stack.
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
            ValueError: `data` contains something that JSON cannot (NaN, a whole number past 2^53),
                or is nested more than `NESTING_MAX` levels deep.
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
        text = rfc8785.dumps(record).decode()
        if _is_nested_too_deeply(text):
            raise ValueError(f"An event can be nested at most {NESTING_MAX} levels deep.")
        return text


class UnreadableText(ValueError):
    """A text that is not the canonical text of an event. The message says why, as a link does."""


def read_canonical_text(text: str) -> dict[str, Any]:
    """Return the members of an event, read from its canonical text.

    This is the only reader of canonical texts. All members of docs/audit.md are there and have
    the types that it states; `data` is an object, `texts` an object of strings. What `data`
    contains differs by action and is not checked.

    Raises:
        UnreadableText: the text is not JSON, is nested more than `NESTING_MAX` levels deep,
            contains half a surrogate pair or a number that no 64-bit float can represent, or is
            not an object with these members.
    """
    # Checked before anything recurses over the text, so that the depth of the caller's stack
    # makes no difference.
    if _is_nested_too_deeply(text):
        raise UnreadableText(_NOT_JSON)
    try:
        text.encode()
        record = _DECODER.decode(text)
        if "\\u" in text:
            # An escaped half of a surrogate pair is valid JSON that no page and no file can hold.
            json.dumps(record, ensure_ascii=False).encode()
    except ValueError:
        raise UnreadableText(_NOT_JSON) from None
    if not isinstance(record, dict) or not _has_members_of_an_event(record):
        raise UnreadableText(_NO_RECORD)
    return record


_NOT_JSON = "its text is not JSON."
_NO_RECORD = "its text is no record."
_TEXT_OR_NULL = (str, type(None))
_MEMBERS: Mapping[str, tuple[type, ...]] = {
    "action": (str,),
    "actor": (str,),
    "chain": (str,),
    "channel": (str,),
    "data": (dict,),
    "format": (int,),
    "from_stage": _TEXT_OR_NULL,
    "model": _TEXT_OR_NULL,
    "occurred_at": (str,),
    "operation": _TEXT_OR_NULL,
    "previous_hash": (str,),
    "recorded_at": (str,),
    "sequence": (int,),
    "texts": (dict,),
    "to_stage": _TEXT_OR_NULL,
    "version": (int, type(None)),
}


def _has_members_of_an_event(record: Mapping[str, Any]) -> bool:
    # The exact type, because True is an int to Python.
    return all(
        member in record and type(record[member]) in types for member, types in _MEMBERS.items()
    ) and all(isinstance(digest, str) for digest in record["texts"].values())


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("The number is too large.")
    return number


def _finite_whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON.")


_DECODER = json.JSONDecoder(
    parse_float=_finite, parse_int=_finite_whole, parse_constant=_no_constant
)
_BRACKET_OR_QUOTE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def _is_nested_too_deeply(text: str) -> bool:
    """Whether arrays and objects are nested more than `NESTING_MAX` levels deep, in linear time."""
    if text.count("[") + text.count("{") <= NESTING_MAX:
        return False
    depth, in_string = 0, False
    for match in _BRACKET_OR_QUOTE.finditer(text):
        found = match[0]
        if found == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif found in ("[", "{"):
            depth += 1
            if depth > NESTING_MAX:
                return True
        elif found in ("]", "}"):
            depth -= 1
    return False


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


@dataclass(slots=True)
class ChainVerification:
    """One chain, verified link by link in the order of its sequence.

    `length` and `hash` are the last event that holds; set them to continue an earlier
    verification. `broken` is what is wrong after that event, None where nothing is. Links that
    follow a broken one are not looked at.
    """

    chain: str
    length: int = 0
    hash: str = GENESIS
    broken: BrokenLink | None = None

    def add(self, link: Link, problem_beside: str | None = None) -> None:
        """Verify the next link.

        `problem_beside` is what is wrong with what is stored beside the link. It counts when the
        link itself holds.
        """
        if self.broken is not None:
            return
        problem = link_problem(self.chain, link, self.length + 1, self.hash) or problem_beside
        if problem:
            self.broken = BrokenLink(self.chain, self.length + 1, problem)
        else:
            self.length, self.hash = link.sequence, link.hash

    def end(self, head: tuple[int, str]) -> None:
        """Compare the end of the chain with its head, which is its length and last hash."""
        length, last_hash = head
        if self.broken is not None or head == (self.length, self.hash):
            return
        if length != self.length:
            sequence = min(length, self.length) + 1
            problem = f"the chain ends at {self.length}, its head says {length}."
        else:
            sequence = length
            problem = f"the head says {last_hash}, the event {self.hash}."
        self.broken = BrokenLink(self.chain, sequence, problem)


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
    verification = ChainVerification(chain)
    for link in links:
        verification.add(link)
    if head is not None:
        verification.end(head)
    return verification.broken


def link_problem(chain: str, link: Link, expected: int, previous: str) -> str | None:
    """What is wrong with one link, None when it holds.

    `expected` is the sequence that belongs here, `previous` the hash of the event before it.
    """
    if link.sequence != expected:
        return f"missing; event {link.sequence} stands in its place."
    try:
        if event_hash(link.canonical_text) != link.hash:
            return "its text does not have the hash that was stored with it."
    except UnicodeEncodeError:
        return _NOT_JSON
    try:
        record = read_canonical_text(link.canonical_text)
    except UnreadableText as error:
        return str(error)
    if record["chain"] != chain:
        return f"it belongs to chain {_shown(record['chain'])}."
    if record["sequence"] != expected:
        return f"it was written as event {record['sequence']}."
    if record["previous_hash"] != previous:
        return "it does not follow the event before it."
    return None


def _shown(chain: str) -> str:
    """The id of a chain in a sentence.

    Escaped and cut where it is not one: PostgreSQL, for example, cannot store U+0000.
    """
    is_plain = chain.isprintable() and len(chain) <= _CHAIN_SHOWN
    return chain if is_plain else ascii(chain[:_CHAIN_SHOWN])


_CHAIN_SHOWN = 64
