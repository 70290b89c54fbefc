"""The export of the audit log as JSON Lines, and its verification from the file only.

docs/audit.md describes the format. Each line is one event with everything that its verification
needs: the canonical text that was hashed, its hash, and the free texts whose digests the canonical
text contains. The content of ``not_hashed`` is for readers and proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from obeya.audit.chain import (
    GENESIS,
    BrokenLink,
    Link,
    link_problem,
    read_canonical_text,
    text_digest,
)
from obeya.audit.heads import SEQUENCE_MAX, ChainHead, KeptHeads

# Far above the longest event that the registry writes, and small enough for memory.
LINE_MAX = 16 * 1024 * 1024
CHAIN_MAX = 64


class UnreadableExport(ValueError):
    """The file is not an export: a sentence with the line number, if there is one."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence if line is None else f"Line {line}: {sentence}")
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedEvent:
    """One line of an export. `texts` has the free texts that were not erased, by role.

    `actor` and `model` are names at the time of the export; they are not hashed.
    """

    chain: str
    sequence: int
    canonical_text: str
    hash: str
    previous_hash: str
    texts: Mapping[str, str]
    actor: str = ""
    model: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The event as a JSON object, as in a line of the export."""
        return {
            "chain": self.chain,
            "sequence": self.sequence,
            "canonical_text": self.canonical_text,
            "hash": self.hash,
            "previous_hash": self.previous_hash,
            "texts": dict(self.texts),
            "not_hashed": {"actor": self.actor, "model": self.model},
        }

    @property
    def line(self) -> str:
        """The event as a line of the export, without the line break."""
        return json.dumps(self.document, ensure_ascii=False)


@dataclass(slots=True)
class ChainPart:
    """The part of one chain in a file: first and last event, and how many are missing.

    `name` is the model's name, None for the site chain; it is not hashed.
    """

    chain: str
    name: str | None
    first: int
    last: int
    last_hash: str
    missing: int = 0
    broken: BrokenLink | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the part begins with the first event and no event is missing after it."""
        return self.first == 1 and not self.missing


@dataclass(slots=True)
class ExportReport:
    """The result of the verification of a file. `broken` has the first broken link per chain.

    `kept` has the problems of heads that were stored elsewhere and do not match the file.
    """

    parts: dict[str, ChainPart] = field(default_factory=dict)
    events: int = 0
    erased_texts: int = 0
    kept: tuple[BrokenLink, ...] = ()

    @property
    def broken(self) -> tuple[BrokenLink, ...]:
        """The first broken link of each chain that has one."""
        return tuple(part.broken for part in self.parts.values() if part.broken)

    @property
    def holds(self) -> bool:
        """Whether every link is valid and every stored head matches."""
        return not self.broken and not self.kept


def verify_export(
    file: BinaryIO, *, heads: tuple[ChainHead, ...] = (), gaps: bool = False
) -> ExportReport:
    """Verify every chain in an export, each from its first event in the file.

    The events of a chain must be in the order of their sequence; chains may be mixed. `heads` are
    heads stored elsewhere. With `gaps` the file is a filtered export: missing events are counted
    and do not break the chain. Memory use does not grow with the number of events.

    Raises:
        UnreadableExport: the file is not an export.
    """
    report, kept = ExportReport(), KeptHeads(heads)
    for number, event in _events(file):
        report.events += 1
        part = report.parts.get(event.chain)
        if part is None:
            part = report.parts[event.chain] = _begin(event)
            kept.see(event.chain, event.sequence - 1, event.previous_hash)
        elif event.sequence <= part.last and part.broken is None:
            raise UnreadableExport(
                f"event {event.sequence} of chain {event.chain} comes after event {part.last}. "
                "Each event must appear once, in the order of its chain.",
                number,
            )
        if part.broken is None:
            part.broken = _broken(part, event, gaps=gaps)
            report.erased_texts += _erased(event) if part.broken is None else 0
        part.last, part.last_hash = event.sequence, event.hash
        kept.see(event.chain, event.sequence, event.hash)
    if not report.events:
        raise UnreadableExport("It contains no events.")
    report.kept = kept.problems()
    return report


def _begin(event: ExportedEvent) -> ChainPart:
    """Return the part of a chain before its first event, whose stated predecessor is trusted."""
    previous = GENESIS if event.sequence == 1 else event.previous_hash
    return ChainPart(event.chain, event.model, event.sequence, event.sequence - 1, previous)


def _broken(part: ChainPart, event: ExportedEvent, *, gaps: bool) -> BrokenLink | None:
    expected, previous = part.last + 1, part.last_hash
    if gaps and event.sequence > expected:
        part.missing += event.sequence - expected
        expected, previous = event.sequence, event.previous_hash
    link = Link(event.sequence, event.canonical_text, event.hash)
    problem = link_problem(part.chain, link, expected, previous)
    if problem is None and event.previous_hash != previous:
        problem = "its “previous_hash” differs from the one in its text."
    if problem is None:
        problem = _text_problem(event)
    return BrokenLink(part.chain, expected, problem) if problem else None


def _text_problem(event: ExportedEvent) -> str | None:
    """Return the problem of the free texts of an event with a valid link, None if there is none."""
    digests = read_canonical_text(event.canonical_text)["texts"]
    for role, text in event.texts.items():
        try:
            digest = text_digest(text)
        except UnicodeEncodeError:
            digest = ""
        if digests.get(role) != digest:
            return f"its text “{role}” does not match its hash."
    return None


def _erased(event: ExportedEvent) -> int:
    """Return how many free texts are missing from an event with a valid link."""
    return len(read_canonical_text(event.canonical_text)["texts"].keys() - event.texts.keys())


def _events(file: BinaryIO) -> Iterator[tuple[int, ExportedEvent]]:
    number = 0
    while line := file.readline(LINE_MAX + 1):
        number += 1
        if len(line) > LINE_MAX:
            raise UnreadableExport(f"it is longer than {LINE_MAX >> 20} MiB.", number)
        yield number, _read(line, number)


def _read(line: bytes, number: int) -> ExportedEvent:
    try:
        document = json.loads(line.decode())
    except UnicodeDecodeError:
        raise UnreadableExport("it is not UTF-8.", number) from None
    except (ValueError, RecursionError):
        # Not JSON, a number that the parser refuses, or nesting too deep for the parser.
        raise UnreadableExport("it is not JSON.", number) from None
    if not isinstance(document, dict):
        raise UnreadableExport("it is not a JSON object.", number)
    names = _of(document, "not_hashed", dict, number, default={})
    texts = _of(document, "texts", dict, number)
    if not all(isinstance(text, str) for text in texts.values()):
        raise UnreadableExport("“texts” must contain only texts.", number)
    sequence = _of(document, "sequence", int, number)
    if not 1 <= sequence <= SEQUENCE_MAX:
        raise UnreadableExport("“sequence” must be 1 or more.", number)
    chain, model = _of(document, "chain", str, number), names.get("model")
    if not chain.isprintable() or not 0 < len(chain) <= CHAIN_MAX:
        raise UnreadableExport("“chain” must be the id of a chain.", number)
    return ExportedEvent(
        chain=chain,
        sequence=sequence,
        canonical_text=_of(document, "canonical_text", str, number),
        hash=_of(document, "hash", str, number),
        previous_hash=_of(document, "previous_hash", str, number),
        texts=texts,
        actor=str(names.get("actor", "")),
        model=model if isinstance(model, str) else None,
    )


_KINDS = {str: "a text", int: "a whole number", dict: "an object"}


def _of(
    document: dict[str, Any], key: str, kind: type[Any], number: int, default: Any = None
) -> Any:
    value = document.get(key, default)
    if value is None:
        raise UnreadableExport(f"“{key}” is missing.", number)
    # In Python True is an int; in JSON it is not a number.
    if type(value) is not kind:
        raise UnreadableExport(f"“{key}” must be {_KINDS[kind]}.", number)
    return value
