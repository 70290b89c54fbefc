"""Limits on wrong passwords, shared by all processes.

An attempt is counted before the password is checked, so that concurrent attempts do not exceed a
limit, and taken back if the password is right. Counts belong to keyed hashes: the database contains
neither addresses nor what was typed as a name, which can be a password by mistake.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from boards.access.client_address import address_block
from boards.access.passwords import hashing_slot
from boards.models import PasswordAttempts, User
from obeya.errors import TooManyRequests

WINDOW = timedelta(minutes=15)
ACCOUNT_FROM_ADDRESS_MAX = 10
ACCOUNT_MAX = 100
ADDRESS_MAX = 50
KNOWN_FOR = timedelta(days=90)
KNOWN_FACTOR = 10
"""Where an account signed in before, its own limits and those of the address are higher: other
people who try passwords elsewhere cannot lock its owner out."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of the three counts of an attempt."""

    both: str
    account: str
    address: str

    @property
    def all(self) -> tuple[str, str, str]:
        return self.both, self.account, self.address


def attempted(
    *, username: str, address: str, at: datetime, check: Callable[[], T | None]
) -> T | None:
    """Return what `check` returns: None if the password is wrong, which counts.

    Raises:
        TooManyRequests: there were too many wrong passwords in 15 minutes, for the account from
            this address, for the account, or from this address; or too many passwords are being
            checked now. The password was not checked.
    """
    block = address_block(address)
    username = User.normalize_username(username)
    keys = _Keys(_key("both", block, username), _key("account", username), _key("address", block))
    # Most refused attempts end here, without a lock.
    _check(keys, PasswordAttempts.objects.filter(key__in=keys.all), at)
    # First, so that what cannot be checked now writes nothing: many writes block all threads.
    with hashing_slot():
        _count(keys, at)
        try:
            found = check()
        except BaseException:
            _take_back(keys.all)
            raise
        if found is not None:
            _take_back((keys.account, keys.address))
            known_until = at + KNOWN_FOR
            PasswordAttempts.objects.filter(key=keys.both).update(
                failures=0, ends_at=known_until, known_until=known_until
            )
        return found


def _key(*parts: str) -> str:
    """Return the hash of a kind of count, an address and a name; an address has no line break."""
    return salted_hmac("obeya.password_attempts", "\n".join(parts), algorithm="sha256").hexdigest()


def _check(keys: _Keys, rows: Iterable[PasswordAttempts], at: datetime) -> dict[str, int]:
    """Return the limit of each count. Raises `TooManyRequests` if one has reached it."""
    rows = list(rows)
    is_known = any(row.known_until and row.known_until > at for row in rows)
    factor = KNOWN_FACTOR if is_known else 1
    limits = {
        keys.both: ACCOUNT_FROM_ADDRESS_MAX,
        keys.account: ACCOUNT_MAX * factor,
        keys.address: ADDRESS_MAX * factor,
    }
    reached = [row for row in rows if row.ends_at > at and row.failures >= limits[row.key]]
    if reached:
        last = max(reached, key=lambda row: row.ends_at)
        where = {
            keys.both: "for this account from this address",
            keys.account: "for this account",
            keys.address: "from this address",
        }[last.key]
        seconds = math.ceil((last.ends_at - at).total_seconds())
        minutes = math.ceil(seconds / 60)
        raise TooManyRequests(
            f"Too many wrong passwords {where}. "
            f"Wait {minutes} minute{'' if minutes == 1 else 's'}, then try again, "
            "or ask an administrator for a sign-in link.",
            retry_after=seconds,
        )
    return limits


def _count(keys: _Keys, at: datetime) -> None:
    """Count an attempt. A count that reaches its limit stays for 15 minutes from then."""
    with transaction.atomic():
        PasswordAttempts.objects.bulk_create(
            [PasswordAttempts(key=key, ends_at=at + WINDOW) for key in sorted(keys.all)],
            ignore_conflicts=True,
        )
        found = PasswordAttempts.objects.select_for_update().filter(key__in=keys.all)
        # Always in the same order, so that two attempts never wait for each other.
        rows = list(found.order_by("key"))
        limits = _check(keys, rows, at)
        for row in rows:
            is_new = row.failures == 0 or row.ends_at <= at
            row.failures = 1 if is_new else row.failures + 1
            if is_new or row.failures == limits[row.key]:
                row.ends_at = at + WINDOW
        PasswordAttempts.objects.bulk_update(rows, ["failures", "ends_at"])
        is_known = Q(known_until__isnull=False, known_until__gt=at)
        PasswordAttempts.objects.filter(~is_known, ends_at__lte=at).delete()


def _take_back(keys: tuple[str, ...]) -> None:
    PasswordAttempts.objects.filter(key__in=keys, failures__gt=0).update(failures=F("failures") - 1)
