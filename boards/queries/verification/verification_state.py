"""How far the audit log is verified."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from boards import models
from boards.access.actors import display_name
from obeya.audit.heads import ChainHead
from obeya.records import Channel

PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LastVerification:
    """The last verification. `is_full`: of every chain from its first event on."""

    made_at: datetime
    made_by: str
    channel: Channel
    is_full: bool
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationState:
    """How much of the log, or of one chain, was verified.

    `last` is None if there was no verification. `problems` are the first of `problem_count`
    sentences about broken chains, `differences` those about rows that differed from the log when
    the tables were compared last.
    """

    last: LastVerification | None
    events: int
    verified: int
    problems: tuple[str, ...]
    problem_count: int
    differences: tuple[str, ...] = ()
    difference_count: int = 0

    @property
    def left(self) -> int:
        """The number of events that were not verified yet."""
        return max(0, self.events - self.verified)


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far one chain was verified; `verified_at` is None if it never was."""

    verified: int
    problem: str
    verified_at: datetime | None


def verification_state() -> VerificationState:
    """Return the state of all chains and of the tables; six statements."""
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
        made_by=display_name(run.made_by),
        channel=Channel(run.channel),
        is_full=run.is_full,
        events=run.events,
    )
    full = models.VerificationRun.objects.filter(is_full=True).order_by("-pk").first()
    return VerificationState(
        last=last,
        events=sum(lengths),
        verified=verified,
        problems=tuple(problems[:PROBLEMS_SHOWN]),
        # A problem of a chain without an id is only in the run.
        problem_count=max(run.broken_count, len(problems)),
        differences=tuple(full.differences[:PROBLEMS_SHOWN]) if full else (),
        difference_count=full.difference_count if full else 0,
    )


def chain_state(chain: str) -> ChainState:
    """Return the state of one chain; one statement."""
    row = models.VerifiedChain.objects.filter(chain=uuid.UUID(chain)).first()
    return ChainState(row.length, row.problem, row.verified_at) if row else ChainState(0, "", None)


def chain_heads(name: str | None = None) -> Iterator[ChainHead]:
    """Yield the heads of all chains, or of the models of one name, including deleted ones."""
    if name is None:
        for site in models.SiteChain.objects.order_by("pk"):
            yield ChainHead(str(site.uid), site.chain_length, site.chain_hash)
    rows = models.RegisteredModel.objects.order_by("name", "pk")
    if name is not None:
        rows = rows.filter(name=name)
    for row in rows.values_list("uid", "chain_length", "chain_hash", "name").iterator():
        uid, length, digest, title = row
        yield ChainHead(str(uid), length, digest, title)
