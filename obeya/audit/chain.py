"""The canonical form and hash chain of the audit log, for verifying an export independently.

docs/audit.md specifies both byte by byte. An event is written as JSON in the canonical form of RFC
8785; its hash is SHA-256 over those bytes; the form contains the hash of the previous event in the
same chain. There is one chain per registered model and one for events outside of models, the site
chain.

The canonical form identifies models and actors by stable ids, never by name, and contains digests
of free texts instead of the texts, so that renaming and erasing text do not break the chain.
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
    """Return the SHA-256, in hex, of a JSON document in the canonical form of RFC 8785.

    Every number counts as a 64-bit float, whatever its type: 1 and 1.0 are equal, and so are 1e300
    and the integer that some databases return for it.
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
    """One event of a chain.

    `chain` is the id of the model, or of the site for the site chain; `sequence` counts from 1
    within it. `actor` is the stable id of the actor, ``system`` for the registry itself.
    `occurred_at` is when it happened, never earlier than that of the previous event; `recorded_at`
    is the clock time when it was written. `texts` has the free texts (a reason, a description) by
    role; only their digests enter the hash. `model` is the model's id, None on the site chain.
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
        """Return the event as RFC 8785 JSON: the text that is hashed, stored and exported.

        Raises:
            ValueError: `data` contains a value that JSON cannot represent (NaN, an integer past
                2^53), or is nested more than `NESTING_MAX` levels deep.
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
    """A text that is not the canonical text of an event. The message is a problem of a link."""


def read_canonical_text(text: str) -> dict[str, Any]:
    """Return the members of an event, read from its canonical text.

    This is the only reader of canonical texts. All members of docs/audit.md are present and have
    the types specified there; `data` is an object, `texts` an object of strings. The content of
    `data` differs by action and is not checked.

    Raises:
        UnreadableText: the text is not JSON, is nested more than `NESTING_MAX` levels deep,
            contains half a surrogate pair or a number that no 64-bit float can represent, or is not
            an object with these members.
    """
    # Checked before any recursion over the text, so that the depth of the caller's stack makes no
    # difference.
    if _is_nested_too_deeply(text):
        raise UnreadableText(_NOT_JSON)
    try:
        text.encode()
        record = _DECODER.decode(text)
        if "\\u" in text:
            # An escaped half of a surrogate pair is valid JSON that no page and no file can
            # contain.
            json.dumps(record, ensure_ascii=False).encode()
    except ValueError:
        raise UnreadableText(_NOT_JSON) from None
    if not isinstance(record, dict) or not _has_members_of_an_event(record):
        raise UnreadableText(_NO_RECORD)
    return record


_NOT_JSON = "its text is not JSON."
_NO_RECORD = "its text is not an audit event."
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
    # The exact type, because True is an int in Python.
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
    """Return whether the text is nested more than `NESTING_MAX` levels deep, in linear time."""
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
    """Return the SHA-256 of the canonical text in UTF-8, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical_text.encode()).hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a free text in UTF-8, as 64 lower-case hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def timestamp(moment: datetime) -> str:
    """Return a time in UTC with six decimals: ``2026-03-03T14:05:09.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Link:
    """One stored link of a chain: its sequence number, its canonical text and its stored hash."""

    sequence: int
    canonical_text: str
    hash: str


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first link of a chain that is not valid. `sequence` is the expected sequence number.

    `name` is the name of the chain's model, empty if it is not known.
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
    """Verification of one chain, link by link in the order of its sequence.

    `length` and `hash` are those of the last valid event; set them to continue an earlier
    verification. `broken` is the problem after that event, None if there is none. Links after a
    broken one are not checked.
    """

    chain: str
    length: int = 0
    hash: str = GENESIS
    broken: BrokenLink | None = None

    def add(self, link: Link, problem_beside: str | None = None) -> None:
        """Verify the next link.

        `problem_beside` is a problem of the data stored with the link. It counts if the link itself
        is valid.
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
            problem = f"the chain ends at event {self.length}, but its head has length {length}."
        else:
            sequence = length
            problem = f"the head has the hash {last_hash}, but the event has {self.hash}."
        self.broken = BrokenLink(self.chain, sequence, problem)


def first_broken_link(
    chain: str,
    links: Iterable[Link],
    *,
    head: tuple[int, str] | None = None,
) -> BrokenLink | None:
    """Recompute a chain, given in the order of its sequence; None if every link is valid.

    `head` is the known length and last hash of the chain, from the registry or from a place where a
    head was saved; without it a truncated chain is not detected.
    """
    verification = ChainVerification(chain)
    for link in links:
        verification.add(link)
    if head is not None:
        verification.end(head)
    return verification.broken


def link_problem(chain: str, link: Link, expected: int, previous: str) -> str | None:
    """Return the problem of one link, None if it is valid.

    `expected` is the sequence number that belongs here, `previous` the hash of the previous event.
    """
    if link.sequence != expected:
        return f"it is missing; event {link.sequence} is in its place."
    try:
        if event_hash(link.canonical_text) != link.hash:
            return "its text does not match its stored hash."
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
        return "its previous hash is not the hash of the event before it."
    return None


def _shown(chain: str) -> str:
    """Return the id of a chain for use in a sentence.

    A text that cannot be an id is escaped and cut: PostgreSQL, for example, cannot store U+0000.
    """
    is_plain = chain.isprintable() and len(chain) <= _CHAIN_SHOWN
    return chain if is_plain else ascii(chain[:_CHAIN_SHOWN])


_CHAIN_SHOWN = 64
