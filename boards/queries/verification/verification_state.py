"""How far the audit log is verified, and the part that is not yet."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from boards import models
from boards.queries.facts.history import NOBODY
from boards.queries.verification.verification import (
    VerificationReport,
    VerifiedEnd,
    differing_column,
    with_names,
)
from obeya.audit.chain import GENESIS, BrokenLink, Link, link_problem
from obeya.audit.heads import ChainHead
from obeya.records import Channel

PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LastVerification:
    """The verification made last. `is_full`: of every chain from its first event on."""

    made_at: datetime
    made_by: str
    channel: Channel
    is_full: bool
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationState:
    """How much of the log, or of one chain, was verified.

    `last` is None when nothing ever was. `problems` are sentences, the first of `problem_count`.
    """

    last: LastVerification | None
    events: int
    verified: int
    problems: tuple[str, ...]
    problem_count: int

    @property
    def left(self) -> int:
        """How many events were not verified yet."""
        return max(0, self.events - self.verified)


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far one chain was verified; `verified_at` None when it never was."""

    verified: int
    problem: str
    verified_at: datetime | None


def verification_state() -> VerificationState:
    """The state of all chains; five statements."""
    run = models.VerificationRun.objects.select_related("made_by").order_by("-pk").first()
    lengths = [
        chains.aggregate(events=Sum("chain_length"))["events"] or 0
        for chains in (models.RegisteredModel.objects.all(), models.SiteChain.objects.all())
    ]
    verified = models.VerifiedChain.objects.aggregate(events=Sum("length"))["events"] or 0
    broken = models.VerifiedChain.objects.exclude(problem="").order_by("pk")
    problems = list(broken.values_list("problem", flat=True)[: PROBLEMS_SHOWN + 1])
    if run is None:
        return VerificationState(
            last=None, events=sum(lengths), verified=verified, problems=(), problem_count=0
        )
    last = LastVerification(
        made_at=run.made_at,
        made_by=run.made_by.username if run.made_by else NOBODY,
        channel=Channel(run.channel),
        is_full=run.is_full,
        events=run.events,
    )
    return VerificationState(
        last=last,
        events=sum(lengths),
        verified=verified,
        problems=tuple(problems[:PROBLEMS_SHOWN]),
        # A chain without an id of its own stands in the run alone.
        problem_count=max(run.broken_count, len(problems)),
    )


def chain_state(chain: str) -> ChainState:
    """The state of one chain; one statement."""
    row = models.VerifiedChain.objects.filter(chain=uuid.UUID(chain)).first()
    return ChainState(row.length, row.problem, row.verified_at) if row else ChainState(0, "", None)


def chain_heads(name: str | None = None) -> Iterator[ChainHead]:
    """The heads of all chains, or of the models of one name, deleted ones among them."""
    if name is None:
        for site in models.SiteChain.objects.order_by("pk"):
            yield ChainHead(str(site.uid), site.chain_length, site.chain_hash)
    rows = models.RegisteredModel.objects.order_by("name", "pk")
    if name is not None:
        rows = rows.filter(name=name)
    for row in rows.values_list("uid", "chain_length", "chain_hash", "name").iterator():
        uid, length, digest, title = row
        yield ChainHead(str(uid), length, digest, title)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """A chain that has events beyond those verified, or a problem; `model` None is the site's."""

    model: int | None
    chain: str
    head: tuple[int, str]
    verified: tuple[int, str]


def verify_new(*, events: int, chains: int) -> VerificationReport:
    """Verify what no verification came to yet, at most so many events of so many chains.

    Each chain is taken up where its verification had come to; what was verified before is taken
    at its word.
    """
    ends: list[VerifiedEnd] = []
    left = events
    for behind in _behind(chains):
        if left <= 0:
            break
        end, seen = _verify_on(behind, left)
        ends.append(end)
        left -= seen
    return VerificationReport(chains=len(ends), events=events - left, ends=with_names(tuple(ends)))


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
                verified=(verified or 0, verified_hash or GENESIS),
            )


def _verify_on(behind: _Behind, limit: int) -> tuple[VerifiedEnd, int]:
    """Verify one chain from where its verification had come to, and say how much that was."""
    (length, previous), seen = behind.verified, 0
    if behind.head[0] < length:
        problem = f"the chain ends at {behind.head[0]}; it was verified up to {length}."
        return _end(behind, behind.verified, behind.head[0] + 1, problem), seen
    rows = _from(behind)[: limit + 1]
    for row in rows:
        if row.sequence == behind.verified[0]:
            if row.hash == previous:
                continue
            problem = "it is not the event that was verified before."
            return _end(behind, behind.verified, row.sequence, problem), seen
        if seen == limit:
            return VerifiedEnd(chain=behind.chain, length=length, hash=previous), seen
        seen += 1
        if found := _problem(behind.chain, row, length + 1, previous):
            return _end(behind, (length, previous), length + 1, found), seen
        length, previous = row.sequence, row.hash
    if length < behind.head[0]:
        problem = f"the chain ends at {length}, its head says {behind.head[0]}."
        return _end(behind, (length, previous), length + 1, problem), seen
    if previous != behind.head[1]:
        problem = f"the head says {behind.head[1]}, the event {previous}."
        return _end(behind, (length, previous), length, problem), seen
    return VerifiedEnd(chain=behind.chain, length=length, hash=previous), seen


def _from(behind: _Behind) -> QuerySet[models.AuditEvent]:
    """The events of a chain from the last one verified, which is looked at again, to its head."""
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


def _problem(chain: str, row: models.AuditEvent, expected: int, previous: str) -> str | None:
    link = Link(row.sequence, row.canonical_text, row.hash)
    problem = link_problem(chain, link, expected, previous)
    if problem is None and (column := differing_column(row)):
        return f"its column {column} does not say what was hashed."
    return problem


def _end(behind: _Behind, verified: tuple[int, str], sequence: int, problem: str) -> VerifiedEnd:
    length, last_hash = verified
    broken = BrokenLink(behind.chain, sequence, problem)
    return VerifiedEnd(chain=behind.chain, length=length, hash=last_hash, broken=broken)
