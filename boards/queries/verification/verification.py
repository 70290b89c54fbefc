"""Verifying the audit log in the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

from django.db.models import Subquery

from boards import models
from boards.queries.verification.rows_verification import differing_rows
from obeya.audit import chain as audit
from obeya.audit.chain import (
    BrokenLink,
    Link,
    UnreadableText,
    first_broken_link,
    read_canonical_text,
)
from obeya.audit.heads import ChainHead, KeptHeads

ROWS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEnd:
    """How far a chain holds: its id, the last event that does and the hash of it.

    `broken` is what is wrong with the link after it, None where nothing is.
    """

    chain: str
    length: int
    hash: str
    broken: BrokenLink | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """How many chains and events were recomputed, and how far each chain holds.

    `kept` are the heads kept elsewhere that are no longer in the chains; `rows` sentences about
    rows beside the log that say otherwise than it, the first thousand of them.
    """

    chains: int
    events: int
    ends: tuple[VerifiedEnd, ...]
    kept: tuple[BrokenLink, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[BrokenLink, ...]:
        """The first broken link of each bad chain."""
        return tuple(end.broken for end in self.ends if end.broken)


def verify_chains(heads: tuple[ChainHead, ...] = ()) -> VerificationReport:
    """Recompute every chain, compare each text with its row's columns and each head with its end.

    `heads` are heads kept elsewhere, which have to be in the chains still; so has what was
    verified before. Reads the whole log
    once, in the order of the chains; memory does not grow with its length. A chain's head is read
    in the same statement as its events, so that what is written meanwhile is not taken for a
    break.
    """
    known = {
        row.pk: (str(row.uid), (row.chain_length, row.chain_hash))
        for row in models.RegisteredModel.objects.only("uid", "chain_length", "chain_hash")
    }
    site = models.SiteChain.objects.first()
    ends: list[VerifiedEnd] = []
    events = 0
    seen: set[int | None] = set()
    kept, before = KeptHeads(heads), KeptHeads(_verified_before(), "it was verified before")

    for (model_id, chain, head), rows in groupby(_events(), key=_place):
        seen.add(model_id)
        counted = _Counted(chain, rows, (kept, before))
        problem = first_broken_link(chain, counted, head=head)
        for _ in counted:
            pass
        events += counted.count
        problem = min(
            (link for link in (problem, counted.mismatch) if link is not None),
            key=lambda link: link.sequence,
            default=None,
        )
        if problem is None:
            length, last_hash = counted.end
            ends.append(VerifiedEnd(chain=chain, length=length, hash=last_hash))
        else:
            # From the start again, as the hash of the last good link is no longer at hand.
            ends.append(VerifiedEnd(chain=chain, length=0, hash=audit.GENESIS, broken=problem))
    for model_id, (chain, head) in known.items():
        if model_id not in seen and head != (0, audit.GENESIS):
            ends.append(_missing(chain, head[0]))
    if site is not None and None not in seen and site.chain_length:
        ends.append(_missing(str(site.uid), site.chain_length))
    return VerificationReport(
        chains=len(seen),
        events=events,
        ends=with_names(_held_against(ends, before)),
        kept=kept.problems(),
        rows=tuple(islice(differing_rows(), ROWS_MAX)),
    )


def _verified_before() -> tuple[ChainHead, ...]:
    rows = models.VerifiedChain.objects.values_list("chain", "length", "hash")
    return tuple(ChainHead(str(chain), length, digest) for chain, length, digest in rows)


def _held_against(ends: list[VerifiedEnd], before: KeptHeads) -> tuple[VerifiedEnd, ...]:
    """The ends, those that no longer hold what was verified before among the broken.

    They stay where they had been verified to, so that the next verification finds it again.
    """
    lost = {link.chain: link for link in before.problems()}
    points = {head.chain: head for head in before.heads}
    found = {end.chain: end for end in ends}
    for chain, link in lost.items():
        end = found.get(chain)
        if end is None or end.broken is None or end.broken.sequence > link.sequence:
            point = points[chain]
            found[chain] = VerifiedEnd(
                chain=chain, length=point.length, hash=point.hash, broken=link
            )
    return tuple(found.values())


def with_names(ends: tuple[VerifiedEnd, ...]) -> tuple[VerifiedEnd, ...]:
    """The ends, the broken ones with the names of their models."""
    broken = [end.chain for end in ends if end.broken]
    rows = models.RegisteredModel.objects.filter(uid__in=broken) if broken else ()
    names = {str(row.uid): row.name for row in rows}
    return tuple(
        replace(end, broken=replace(end.broken, name=names.get(end.chain, "")))
        if end.broken
        else end
        for end in ends
    )


def _missing(chain: str, length: int) -> VerifiedEnd:
    broken = BrokenLink(chain, 1, f"missing; its head says {length} events.")
    return VerifiedEnd(chain=chain, length=0, hash=audit.GENESIS, broken=broken)


class _Counted:
    """The links of one chain, counted, with each row's columns compared as they pass."""

    def __init__(
        self, chain: str, rows: Iterator[models.AuditEvent], kept: tuple[KeptHeads, ...]
    ) -> None:
        self._chain = chain
        self._rows = rows
        self._kept = kept
        self.count = 0
        self.end = (0, audit.GENESIS)
        self.mismatch: BrokenLink | None = None

    def __iter__(self) -> Iterator[Link]:
        for row in self._rows:
            self.count += 1
            self.end = (row.sequence, row.hash)
            for heads in self._kept:
                heads.see(self._chain, row.sequence, row.hash)
            column = differing_column(row)
            if column and self.mismatch is None:
                self.mismatch = BrokenLink(
                    self._chain,
                    row.sequence,
                    f"its column {column} does not say what was hashed.",
                )
            yield Link(row.sequence, row.canonical_text, row.hash)


def _events() -> Iterator[models.AuditEvent]:
    return (
        models.AuditEvent.objects.select_related("model", "version", "actor")
        .prefetch_related("texts")
        .annotate(
            **{
                f"site_{column}": Subquery(models.SiteChain.objects.values(column)[:1])
                for column in ("uid", "chain_length", "chain_hash")
            }
        )
        .order_by("model_id", "sequence")
        .iterator(chunk_size=2_000)
    )


def _place(row: Any) -> tuple[int | None, str, tuple[int, str]]:
    """The chain that an event stands in, and where that chain's head says it ends."""
    if row.model is not None:
        return row.model_id, str(row.model.uid), (row.model.chain_length, row.model.chain_hash)
    if row.site_uid is None:
        return None, "site", (0, audit.GENESIS)
    return None, str(row.site_uid), (row.site_chain_length, row.site_chain_hash)


def differing_column(row: models.AuditEvent) -> str | None:
    """The first column that differs from the text that was hashed, None when all agree.

    A free text that was erased is no difference; one that was changed is.
    """
    try:
        record = read_canonical_text(row.canonical_text)
    except UnreadableText:
        return "canonical_text"
    digests = record["texts"]
    columns = {
        "occurred_at": audit.timestamp(row.occurred_at),
        "recorded_at": audit.timestamp(row.recorded_at),
        "actor": str(row.actor.uid) if row.actor else audit.SYSTEM_ACTOR,
        "channel": row.channel,
        "action": row.action,
        "model": str(row.model.uid) if row.model else None,
        "version": row.version.number if row.version else None,
        "from_stage": row.from_stage or None,
        "to_stage": row.to_stage or None,
        "operation": str(row.operation) if row.operation else None,
        "previous_hash": row.previous_hash,
    }
    for column, value in columns.items():
        if record[column] != value:
            return column
    # The same number of another model's version would read alike.
    if row.version is not None and row.version.model_id != row.model_id:
        return "version"
    for text in row.texts.all():
        if digests.get(text.role) != audit.text_digest(text.text):
            return f"text ({text.role})"
    return None
