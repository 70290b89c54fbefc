"""Verify the audit log and store the outcome. No event: the log is not changed by it."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from django.db import transaction

from boards.access.actors import SYSTEM, Actor
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
WORKER_EVERY = timedelta(hours=1)

logger = logging.getLogger(__name__)


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


def verify_in_background(*, at: datetime) -> VerificationRun | None:
    """Let the worker verify new events, once an hour, and log the result.

    If the last verification ended at its limit of events, the next one does not wait. Returns None
    if it was not time, or if there was nothing to verify, which is not stored.
    """
    last = VerificationRun.objects.order_by("-pk").first()
    if last and last.events < EVENTS_MAX and last.made_at > at - WORKER_EVERY:
        return None
    report = verify_new(events=EVENTS_MAX, chains=CHAINS_MAX)
    if not report.chains:
        return None
    run = _note(report, is_full=False, actor=SYSTEM, at=at)
    for link in report.broken:
        logger.error("The audit log is broken. %s", link)
    logger.log(
        logging.ERROR if report.broken else logging.INFO,
        "Verified %s new events (chains only, since the last verification): %s.",
        run.events,
        f"{run.broken_count} chains are broken" if report.broken else "no problem found",
    )
    return run


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
        runs = VerificationRun.objects.order_by("-pk").values_list("pk", flat=True)
        # The page shows what the last comparison with the tables found, however long ago it was.
        kept = {*runs[:RUNS_KEPT], *runs.filter(is_full=True)[:1]}
        VerificationRun.objects.exclude(pk__in=kept).delete()
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
