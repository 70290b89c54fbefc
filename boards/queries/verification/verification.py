"""Verify the audit log in the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from boards import models
from boards.queries.snapshot import snapshot
from boards.queries.verification.accounts import compare_site, read_names
from boards.queries.verification.comparison import Comparison, Tables
from boards.queries.verification.event_columns import differing_column
from obeya.audit import chain as audit
from obeya.audit.chain import (
    BrokenLink,
    ChainVerification,
    Link,
    UnreadableText,
    read_canonical_text,
)
from obeya.audit.heads import ChainHead, KeptHeads
from obeya.audit.replay.replay import Replay

# The rows of so many models, or of models with so many events, are read together.
MODELS_AT_ONCE = 100
EVENTS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """The number of recomputed chains and events, and how far each chain is intact.

    `kept` are the heads stored elsewhere that are no longer in the chains; `rows` are sentences
    about rows outside the log that contradict it, the first thousand of `differences`. `partial`
    rows have a column that their events do not state; `erased` texts have only a digest in the log.
    """

    chains: int
    events: int
    ends: tuple[ChainVerification, ...]
    kept: tuple[BrokenLink, ...] = ()
    rows: tuple[str, ...] = ()
    differences: int = 0
    partial: int = 0
    erased: int = 0

    @property
    def broken(self) -> tuple[BrokenLink, ...]:
        """The first broken link of each broken chain."""
        return tuple(end.broken for end in self.ends if end.broken)


def verify_chains(
    heads: tuple[ChainHead, ...] = (), *, with_rows: bool = True
) -> VerificationReport:
    """Recompute every chain; compare each text with its row's columns and each head with its end.

    Replay the events too, and compare every table that the log describes with the result; the
    benchmark leaves this out, without `with_rows`. `heads` are heads stored elsewhere, which must
    still be in the chains; so must what was verified before. Reads the whole log once, in the order
    of the chains, and the tables for many models at a time; memory use grows with the largest
    model, not with the log. Everything is read from one state of the database, so that concurrent
    writes do not look like a break.
    """
    with snapshot():
        return _Verification(heads, with_rows=with_rows).run()


class _Verification:
    """One verification of every chain."""

    def __init__(self, heads: tuple[ChainHead, ...], *, with_rows: bool) -> None:
        self._kept = KeptHeads(heads)
        self._before = KeptHeads(_verified_before(), "an earlier verification")
        self._ends: list[ChainVerification] = []
        self._events = 0
        self._comparison = Comparison(names=read_names()) if with_rows else None
        self._states: dict[int | None, Tables] = {}
        self._waiting = 0

    def run(self) -> VerificationReport:
        """Verify, and return the report."""
        known = {
            row.pk: row
            for row in models.RegisteredModel.objects.only(
                "name", "uid", "chain_length", "chain_hash", "chain_occurred_at"
            )
        }
        site = models.SiteChain.objects.first()
        seen: set[int | None] = set()
        for (model_id, chain, head), rows in groupby(_events(), key=_place):
            seen.add(model_id)
            row = site if model_id is None else known.get(model_id)
            self._verify(model_id, row, chain, head, rows)
        if None not in seen:
            if site is not None and site.chain_length:
                self._ends.append(_missing(str(site.uid), site.chain_length))
            self._compare(None, Replay(), 0)
        for model_id, row in known.items():
            if model_id not in seen:
                if (row.chain_length, row.chain_hash) != (0, audit.GENESIS):
                    self._ends.append(_missing(str(row.uid), row.chain_length))
                self._compare(model_id, Replay(), 0)
        self._compare_waiting()
        found = self._comparison
        return VerificationReport(
            chains=len(seen),
            events=self._events,
            ends=_with_names(_held_against(self._ends, self._before)),
            kept=self._kept.problems(),
            rows=tuple(found.sentences) if found else (),
            differences=found.differences if found else 0,
            partial=found.partial if found else 0,
            erased=found.erased if found else 0,
        )

    def _verify(
        self,
        model_id: int | None,
        holder: models.RegisteredModel | models.SiteChain | None,
        chain: str,
        head: tuple[int, str],
        rows: Iterator[models.AuditEvent],
    ) -> None:
        verification, replay, count = ChainVerification(chain), Replay(), 0
        is_readable = True
        for row in rows:
            count += 1
            for known_heads in (self._kept, self._before):
                known_heads.see(chain, row.sequence, row.hash)
            members = _members(row)
            _add(verification, row, members)
            if self._comparison is None:
                continue
            if members is None:
                is_readable = False
            else:
                replay.add(members, [text.role for text in row.texts.all()])
        self._events += count
        verification.end(head)
        if verification.broken:
            # The next verification begins with the first event again: more of the chain may change
            # before the break is repaired.
            verification = ChainVerification(chain, broken=verification.broken)
        self._ends.append(verification)
        if self._comparison is not None and is_readable:
            name = holder.name if isinstance(holder, models.RegisteredModel) else "registry"
            for problem in replay.problems:
                self._comparison.report(name, problem)
            if holder is not None and holder.chain_occurred_at != row.occurred_at:
                self._comparison.report(
                    name, "chain_occurred_at is not the time of the last event of its chain."
                )
            self._compare(model_id, replay, count)

    def _compare(self, model_id: int | None, replay: Replay, events: int) -> None:
        """Compare the rows of a chain: those of the site now, those of models together."""
        if self._comparison is None:
            return
        if model_id is None:
            compare_site(self._comparison, replay.tables(), now=datetime.now(UTC))
            return
        self._states[model_id] = replay.tables()
        self._waiting += events
        if len(self._states) >= MODELS_AT_ONCE or self._waiting >= EVENTS_AT_ONCE:
            self._compare_waiting()

    def _compare_waiting(self) -> None:
        if self._comparison is not None and self._states:
            self._comparison.compare_models(self._states)
        self._states, self._waiting = {}, 0


def _members(row: models.AuditEvent) -> dict[str, Any] | None:
    """Return the members of an event, None if its text cannot be read."""
    try:
        return read_canonical_text(row.canonical_text)
    except UnreadableText:
        return None


def _verified_before() -> tuple[ChainHead, ...]:
    rows = models.VerifiedChain.objects.values_list("chain", "length", "hash")
    return tuple(ChainHead(str(chain), length, digest) for chain, length, digest in rows)


def _held_against(
    ends: list[ChainVerification], before: KeptHeads
) -> tuple[ChainVerification, ...]:
    """Return the ends; chains that lost what was verified before are among the broken ones.

    They keep the point that they were verified up to, so that the next verification finds the break
    again.
    """
    lost = {link.chain: link for link in before.problems()}
    points = {head.chain: head for head in before.heads}
    found = {end.chain: end for end in ends}
    for chain, link in lost.items():
        end = found.get(chain)
        if end is None or end.broken is None or end.broken.sequence > link.sequence:
            point = points[chain]
            found[chain] = ChainVerification(chain, point.length, point.hash, link)
    return tuple(found.values())


def _with_names(ends: tuple[ChainVerification, ...]) -> tuple[ChainVerification, ...]:
    """Return the ends, the broken ones with the names of their models."""
    broken = [uid for end in ends if end.broken for uid in _uid(end.chain)]
    rows = models.RegisteredModel.objects.filter(uid__in=broken) if broken else ()
    names = {str(row.uid): row.name for row in rows}
    return tuple(
        replace(end, broken=replace(end.broken, name=names.get(end.chain, "")))
        if end.broken
        else end
        for end in ends
    )


def _uid(chain: str) -> list[uuid.UUID]:
    """Return the id of a chain; none if the row that has the id and the head does not exist."""
    try:
        return [uuid.UUID(chain)]
    except ValueError:
        return []


def _missing(chain: str, length: int) -> ChainVerification:
    broken = BrokenLink(chain, 1, f"its events are missing: the head says {length}.")
    return ChainVerification(chain, broken=broken)


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
    """Return the chain of an event, and where its head says that the chain ends."""
    if row.model is not None:
        return row.model_id, str(row.model.uid), (row.model.chain_length, row.model.chain_hash)
    if row.model_id is not None:
        return row.model_id, f"of the missing model {row.model_id}", (0, audit.GENESIS)
    if row.site_uid is None:
        return None, "site", (0, audit.GENESIS)
    return None, str(row.site_uid), (row.site_chain_length, row.site_chain_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """A chain with unverified events or a problem; `model` None is the site chain."""

    model: int | None
    chain: str
    head: tuple[int, str]
    verified: tuple[int, str]


def verify_new(*, events: int, chains: int) -> VerificationReport:
    """Verify what no verification has covered yet, at most so many events of so many chains.

    Each chain is continued where its last verification ended; earlier events are not verified
    again.
    """
    ends: list[ChainVerification] = []
    left = events
    for behind in _behind(chains):
        if left <= 0:
            break
        end, seen = _verify_on(behind, left)
        ends.append(end)
        left -= seen
    return VerificationReport(chains=len(ends), events=events - left, ends=_with_names(tuple(ends)))


def _behind(limit: int) -> Iterator[_Behind]:
    own = models.VerifiedChain.objects.filter(chain=OuterRef("uid"))
    for chains in (models.SiteChain.objects.all(), models.RegisteredModel.objects.all()):
        rows = (
            chains.annotate(
                verified_length=Subquery(own.values("length")[:1]),
                verified_hash=Subquery(own.values("hash")[:1]),
                found=Subquery(own.values("problem")[:1]),
            )
            .filter(
                Q(verified_length=None, chain_length__gt=0)
                | ~Q(verified_length=F("chain_length"))
                | ~Q(verified_hash=F("chain_hash"))
                | ~Q(found="")
            )
            .exclude(verified_length=None, chain_length=0)
            .order_by("pk")
            .values_list(
                "pk", "uid", "chain_length", "chain_hash", "verified_length", "verified_hash"
            )
        )
        of_site = chains.model is models.SiteChain
        for pk, uid, length, digest, verified, verified_hash in rows[:limit]:
            yield _Behind(
                model=None if of_site else pk,
                chain=str(uid),
                head=(length, digest),
                verified=(verified or 0, verified_hash or audit.GENESIS),
            )


def _verify_on(behind: _Behind, limit: int) -> tuple[ChainVerification, int]:
    """Verify one chain from where its verification ended; return the result and the event count."""
    (length, digest), seen = behind.verified, 0
    verification = ChainVerification(behind.chain, length, digest)
    if behind.head[0] < length:
        problem = (
            f"the chain ends at event {behind.head[0]}, but it was verified up to event {length}."
        )
        verification.broken = BrokenLink(behind.chain, behind.head[0] + 1, problem)
        return verification, seen
    for row in _from(behind)[: limit + 1]:
        if row.sequence == length:
            if row.hash == digest:
                continue
            problem = "it differs from the event that was verified before."
            verification.broken = BrokenLink(behind.chain, length, problem)
            return verification, seen
        if seen == limit:
            return verification, seen
        seen += 1
        _add(verification, row, _members(row))
        if verification.broken:
            return verification, seen
    verification.end(behind.head)
    return verification, seen


def _from(behind: _Behind) -> QuerySet[models.AuditEvent]:
    """Return the events of a chain from the last verified one, checked again, to its head."""
    return (
        models.AuditEvent.objects.filter(
            model=behind.model,
            sequence__gte=max(behind.verified[0], 1),
            sequence__lte=behind.head[0],
        )
        .select_related("model", "version", "actor")
        .prefetch_related("texts")
        .order_by("sequence")
    )


def _add(
    verification: ChainVerification, row: models.AuditEvent, members: Mapping[str, Any] | None
) -> None:
    """Verify the next event of a chain: the link, and the columns beside its text."""
    if verification.broken:
        return
    column = "canonical_text" if members is None else differing_column(row, members)
    verification.add(
        Link(row.sequence, row.canonical_text, row.hash),
        f"its column {column} differs from the hashed text." if column else None,
    )
