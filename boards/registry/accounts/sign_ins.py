"""Events of sign-ins. They change nothing else, and are written after the answer.

Failed sign-ins are counted for 15 minutes, per account, or per address for names that no account
has. One event is written at the first of them, and one with their number at the end. An event never
contains the name that was entered.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F

from boards.access.actors import Actor
from boards.access.address_hashes import address_hash
from boards.models import FailedSignIns, OneTimeLink, User
from boards.queries.facts.accounts.credential_digests import link_digest
from boards.registry.accounts.users import link_hash
from boards.registry.commit import ChainWrite, writing_site
from obeya.records import Action, Channel

WINDOW = timedelta(minutes=15)
# An attacker with more addresses causes two events in 15 minutes for all further ones together.
ADDRESSES_MAX = 1_000
OTHERS = "others"
ENDED_AT_ONCE = 100
# No one has signed in: the registry itself refuses and counts.
_REGISTRY = Actor(None, Channel.PAGE)


def record_sign_in(*, user: User, address: str, at: datetime) -> None:
    """Record that someone signed in to the account."""
    _record_own(Action.SIGNED_IN, user, address, at)


def record_link_use(*, user: User, token: str, address: str, at: datetime) -> None:
    """Record that someone used the sign-in link of the account that has the token."""
    digest = link_digest(OneTimeLink(token_hash=link_hash(token)))
    _record_own(Action.USER_LINK_USED, user, address, at, link_digest=digest)


def record_failed_sign_in(*, username: str, address: str, at: datetime) -> None:
    """Count a failed sign-in. The first one in 15 minutes is an event.

    A further one takes two statements, at most four, and does not lock the site chain.
    """
    hashed = address_hash(address)
    found = User.objects.filter(username__iexact=User.normalize_username(username.strip()))
    uid = found.values_list("uid", flat=True).first()
    subject = str(uid) if uid else hashed
    if _count(subject, at):
        return
    if uid is None and _is_full(but=subject):
        subject = hashed = OTHERS
        if _count(subject, at):
            return
    with writing_site(actor=_REGISTRY, at=at) as write:
        # Another request may have been faster.
        if _count(subject, at):
            return
        _end(write, _locked(subject=subject))
        write.set_time(at)
        FailedSignIns.objects.create(
            subject=subject, is_account=uid is not None, started_at=at, ends_at=at + WINDOW
        )
        user = str(uid) if uid else None
        write.record(Action.SIGN_IN_FAILED, data={"user": user, "address": hashed})


def end_failed_sign_ins(*, at: datetime) -> datetime | None:
    """Record the numbers of the failed sign-ins whose 15 minutes have ended.

    At most 100 per call. Returns when the next ones end, in the past if there are more; None if
    none are counted.
    """
    if FailedSignIns.objects.filter(ends_at__lte=at).exists():
        with writing_site(actor=_REGISTRY, at=at) as write:
            _end(write, _locked(ends_at__lte=at))
    first = FailedSignIns.objects.order_by("ends_at").values_list("ends_at", flat=True)
    return first.first()


def _record_own(action: Action, user: User, address: str, at: datetime, **more: str) -> None:
    with writing_site(actor=Actor(user, Channel.PAGE), at=at) as write:
        write.record(action, data={"address": address_hash(address), **more})


def _count(subject: str, at: datetime) -> bool:
    """Count a failed sign-in; False if none is counted for the subject now."""
    running = FailedSignIns.objects.filter(subject=subject, ends_at__gt=at)
    return running.update(count=F("count") + 1) > 0


def _is_full(*, but: str) -> bool:
    """Return whether as many other addresses are counted as there may be."""
    addresses = FailedSignIns.objects.filter(is_account=False).exclude(subject__in=(but, OTHERS))
    return addresses.count() >= ADDRESSES_MAX


def _locked(**conditions: object) -> list[FailedSignIns]:
    rows = FailedSignIns.objects.select_for_update().filter(**conditions)
    return list(rows.order_by("ends_at", "pk")[:ENDED_AT_ONCE])


def _end(write: ChainWrite, rows: list[FailedSignIns]) -> None:
    for row in rows:
        who = {"user": row.subject} if row.is_account else {"user": None, "address": row.subject}
        write.set_time(row.ends_at)
        write.record(Action.FAILED_SIGN_INS_COUNTED, data={**who, "failures": row.count})
    FailedSignIns.objects.filter(pk__in=[row.pk for row in rows]).delete()
