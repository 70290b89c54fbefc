"""Verify the audit log and store the outcome. No event: the log is not changed by it."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction

from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.models import VerificationRun, VerifiedChain
from boards.queries.verification.verification import VerificationReport, verify_new
from boards.queries.verification.verification_state import verification_state
from obeya.audit.chain import ChainVerification

# About two seconds of work, because a page waits for it.
EVENTS_MAX = 10_000
CHAINS_MAX = 1_000
RUNS_KEPT = 100
BROKEN_KEPT = 20
BATCH = 500


def verify_new_events(
    *, events: int = EVENTS_MAX, chains: int = CHAINS_MAX, actor: Actor, at: datetime
) -> VerificationRun:
    """Verify up to so many events that no verification has covered yet, and store the outcome.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    report = verify_new(events=events, chains=chains)
    return _note(report, is_full=False, actor=actor, at=at)


def record_verification(
    *, report: VerificationReport, actor: Actor, at: datetime
) -> VerificationRun:
    """Store the outcome of a verification of every chain.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    return _note(report, is_full=True, actor=actor, at=at)


def _note(
    report: VerificationReport, *, is_full: bool, actor: Actor, at: datetime
) -> VerificationRun:
    with transaction.atomic():
        VerifiedChain.objects.bulk_create(
            [row for row in (_row(end, at) for end in report.ends) if row is not None],
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["chain"],
            update_fields=["length", "hash", "problem", "verified_at"],
        )
        run = VerificationRun.objects.create(
            made_at=at,
            made_by=actor.user,
            channel=actor.channel.value,
            is_full=is_full,
            chains=report.chains,
            events=report.events,
            left=verification_state().left,
            broken=list(map(str, report.broken))[:BROKEN_KEPT],
            broken_count=len(report.broken),
            differences=list(report.rows[:BROKEN_KEPT]),
            difference_count=report.differences,
        )
        old = VerificationRun.objects.order_by("-pk").values_list("pk", flat=True)[RUNS_KEPT:]
        VerificationRun.objects.filter(pk__in=list(old)).delete()
    return run


def _row(end: ChainVerification, at: datetime) -> VerifiedChain | None:
    try:
        chain = uuid.UUID(end.chain)
    except ValueError:
        # The site chain, whose row no longer exists: only the run reports it.
        return None
    problem = str(end.broken) if end.broken else ""
    return VerifiedChain(
        chain=chain, length=end.length, hash=end.hash, problem=problem, verified_at=at
    )
