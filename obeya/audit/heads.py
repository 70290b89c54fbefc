"""Heads of chains, stored elsewhere and compared later.

A head is the id of a chain, its length and the hash of its last event. As text it is one line: id,
length and hash, then the name of the chain's model, for readers. As JSON it is a list of objects.
`read_heads` reads both, and several saved outputs in one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from obeya.audit.chain import GENESIS, BrokenLink
from obeya.errors import InvalidInput

SITE = "(the site)"
SEQUENCE_MAX = 2**63 - 1

_HASH = re.compile(r"[0-9a-f]{64}\Z")
_LENGTH = re.compile(r"[0-9]{1,19}\Z")


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The length of a chain and the hash of its last event. `name` None is the site chain."""

    chain: str
    length: int
    hash: str
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.chain} {self.length} {self.hash} {SITE if self.name is None else self.name}"

    @property
    def document(self) -> dict[str, Any]:
        """The head as a JSON object."""
        return {"chain": self.chain, "length": self.length, "hash": self.hash, "name": self.name}


def heads_as_json(heads: Iterable[ChainHead]) -> str:
    """Return heads as a JSON list, one head per line."""
    lines = (json.dumps(head.document, ensure_ascii=False) for head in heads)
    return "[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]"


def read_heads(text: str) -> tuple[ChainHead, ...]:
    """Read heads from text or JSON.

    Raises:
        InvalidInput: the text is neither; the sentence has the line number.
    """
    if text.lstrip().startswith("["):
        return _read_json(text)
    heads = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        chain, length, digest, name = (*line.split(maxsplit=3), "", "", "", "")[:4]
        if not (_LENGTH.match(length) and _HASH.match(digest)):
            raise InvalidInput(
                f"Line {number} of the heads is not valid. Write the id of a chain, its length "
                "and 64 hexadecimal digits."
            )
        heads.append(_head(f"Line {number} of the heads", chain, int(length), digest, name))
    return _some(heads)


def _read_json(text: str) -> tuple[ChainHead, ...]:
    try:
        documents = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The heads begin with “[” but are not valid JSON.") from error
    heads = []
    for number, document in enumerate(documents, 1):
        where = f"Head {number}"
        match document:
            case {"chain": str(chain), "length": int(length), "hash": str(digest)} if type(
                length
            ) is int and _HASH.match(digest):
                name = document.get("name")
                heads.append(_head(where, chain, length, digest, name and str(name)))
            case _:
                raise InvalidInput(
                    f"{where} is not valid. It must have chain, length and a hash of 64 "
                    "hexadecimal digits."
                )
    return _some(heads)


def _head(where: str, chain: str, length: int, digest: str, name: str | None) -> ChainHead:
    if not 0 <= length <= SEQUENCE_MAX:
        raise InvalidInput(f"{where} is not valid: the length {length} is out of range.")
    if length == 0 and digest != GENESIS:
        raise InvalidInput(f"{where} is not valid: the hash of an empty chain must be 64 zeros.")
    return ChainHead(chain, length, digest, None if name == SITE else name)


def _some(heads: list[ChainHead]) -> tuple[ChainHead, ...]:
    if not heads:
        raise InvalidInput("It contains no heads.")
    return tuple(heads)


@dataclass(slots=True)
class KeptHeads:
    """Saved heads, compared with the events of the chains as they pass.

    Call `see` with every event of every chain in order, then call `problems`. `source` is the
    subject of the sentence about a head that does not match.
    """

    heads: tuple[ChainHead, ...]
    source: str = "a stored head"
    _open: dict[str, dict[int, set[str]]] = field(init=False)
    _ends: dict[str, int] = field(init=False, default_factory=dict)
    _problems: list[BrokenLink] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._open = {}
        for head in self.heads:
            if head.length:
                self._open.setdefault(head.chain, {}).setdefault(head.length, set()).add(head.hash)

    def see(self, chain: str, sequence: int, digest: str) -> None:
        """Process an event, or the event before the first one, of which only the hash is known."""
        kept = self._open.get(chain)
        if kept is None:
            return
        self._ends[chain] = sequence
        for other in sorted(kept.pop(sequence, set()) - {digest}):
            self._problems.append(
                BrokenLink(
                    chain,
                    sequence,
                    f"{self.source} has the hash {other}, but the event has {digest}.",
                )
            )

    def problems(self) -> tuple[BrokenLink, ...]:
        """Return every stored head that is not in its chain, or whose chain was not seen."""
        found = list(self._problems)
        for chain, kept in self._open.items():
            for sequence in sorted(kept):
                end = self._ends.get(chain)
                if end is None:
                    problem = f"{self.source} has this event, but the chain has no events."
                elif end < sequence:
                    problem = f"{self.source} has this event, but the chain ends at event {end}."
                else:
                    problem = f"{self.source} has this event, but the event is missing."
                found.append(BrokenLink(chain, sequence, problem))
        return tuple(sorted(found, key=lambda link: (link.chain, link.sequence)))
