"""Compare accounts, groups and sign-in links with the replayed log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group

from boards import models
from boards.access.permissions import group_problem
from boards.queries.facts.accounts.credential_digests import link_digest
from boards.queries.facts.files.file_findings import has_seal
from boards.queries.verification.columns import Names
from boards.queries.verification.comparison import CHUNK, Comparison, Tables
from boards.queries.verification.tables import OWNER_TABLES, SITE_TABLES, USERS
from obeya.audit.replay.state import UNSTATED, Key, Row, Table

_PLAIN = ("username", "is_service", "is_active", "is_staff", "is_superuser")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedUser:
    """An account that has no event, or another state than the log says."""

    uid: str
    username: str
    is_service: bool
    is_active: bool
    is_staff: bool
    is_superuser: bool
    groups: frozenset[str]
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedGroup:
    """A group with other permissions than the log or the code says; `problem` is a sentence."""

    name: str
    permissions: frozenset[str]
    problem: str


def read_names() -> Names:
    """Return the ids, the usernames, the groups and the direct permissions of all accounts."""
    user = models.User
    rows = list(user.objects.values_list("pk", "uid", "username"))
    permissions = user.user_permissions.through.objects.values_list(
        "user_id", "permission__content_type__app_label", "permission__codename"
    )
    return Names(
        accounts={pk: str(uid) for pk, uid, _ in rows},
        usernames={str(uid): username for _, uid, username in rows},
        groups=_gathered(user.groups.through.objects.values_list("user_id", "group__name")),
        permissions=_gathered((pk, f"{app}.{code}") for pk, app, code in permissions),
    )


def compare_site(comparison: Comparison, tables: Tables, *, now: datetime) -> None:
    """Compare what belongs to no model with the state of the site chain."""
    # The comparison of a table removes the rows that it finds.
    groups = dict(tables.get(Table.GROUP, {}))
    for table in (USERS, *SITE_TABLES, *OWNER_TABLES):
        comparison.compare(table, {None: tables})
    for group in unsupported_groups(groups):
        comparison.report("registry", f"group {group.name}: {group.problem}")
    _report_unknown_members(comparison)
    _compare_links(comparison, tables.get(Table.LINK, {}), now)
    _compare_seals(comparison)


def unsupported_users(expected: Mapping[Key, Row]) -> Iterator[UnsupportedUser]:
    """Yield the accounts that the comparison with these rows of the log reports, by their ids."""
    names, reads = read_names(), USERS.reads
    for values in models.User.objects.order_by("pk").values_list(*reads):
        row = dict(zip(reads, values, strict=True))
        said = expected.get((str(row["uid"]),))
        if said is None or not all(
            column.agrees(said.values.get(name), column.read(row, names))
            for name, column in USERS.columns.items()
        ):
            yield UnsupportedUser(
                uid=str(row["uid"]),
                groups=names.groups.get(row["pk"], frozenset()),
                permissions=names.permissions.get(row["pk"], frozenset()),
                **{name: row[name] for name in _PLAIN},
            )


def unsupported_groups(expected: Mapping[Key, Row]) -> Iterator[UnsupportedGroup]:
    """Yield the groups that differ from the code, or from the event that adopted them, by name.

    The group of administrators can also have other permissions of the registry's tables.
    """
    found = Group.objects.values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    )
    held = _gathered((name, f"{app}.{code}" if code else None) for name, app, code in found)
    for name, permissions in sorted(held.items()):
        row = expected.get((name,))
        if row is None:
            problem = group_problem(name, permissions)
        elif {*row.values["permissions"]} != permissions:
            problem = (
                f"its permissions are {_list(permissions)}, but the log says "
                f"{_list(row.values['permissions'])} (event {row.event})."
            )
        else:
            problem = ""
        if problem:
            yield UnsupportedGroup(name=name, permissions=permissions, problem=problem)


def _gathered(pairs: Iterable[tuple[Any, str | None]]) -> dict[Any, frozenset[str]]:
    """Return the names of each key; a key with None has no name."""
    found: defaultdict[Any, set[str]] = defaultdict(set)
    for key, name in pairs:
        found[key].update({name} if name else ())
    return {key: frozenset(names) for key, names in found.items()}


def _report_unknown_members(comparison: Comparison) -> None:
    """Report what accounts have that do not exist: a new account could get their row."""
    names = comparison.names
    for column, found in (("groups", names.groups), ("permissions", names.permissions)):
        for pk in sorted(found.keys() - names.accounts.keys()):
            comparison.report(
                "registry",
                f"{names.account(pk)} does not exist, but has the {column} {_list(found[pk])}.",
            )


def _compare_links(comparison: Comparison, expected: dict[Key, Row], now: datetime) -> None:
    """Compare the sign-in links that can still be used with the events that created them.

    A new link, or a new password, ends the older links of the account.
    """
    rows = models.OneTimeLink.objects.filter(used_at=None, expires_at__gt=now)
    for link in rows.select_related("user").order_by("pk"):
        user = str(link.user.uid)
        row = expected.get((link_digest(link),))
        if row is not None and row.values["user"] == user:
            if row.values["used_at"]:
                comparison.report(
                    "registry",
                    f"sign-in link of {link.user.username}: used_at is empty, but the log says "
                    f"{row.values['used_at']} (event {row.event_of('used_at')}).",
                )
            if datetime.fromisoformat(row.values["expires_at"]) == link.expires_at:
                continue
            comparison.report(
                "registry",
                f"sign-in link of {link.user.username}: expires_at is {link.expires_at}, but the "
                f"log says {row.values['expires_at']} (event {row.event}).",
            )
        elif any(
            other.values["user"] == user
            and other.values["expires_at"] is UNSTATED
            and link.expires_at
            <= datetime.fromisoformat(other.values["created_at"]) + models.OneTimeLink.LIFETIME
            for other in expected.values()
        ):
            comparison.partial += 1
        else:
            comparison.report("registry", f"sign-in link of {link.user.username} has no event.")


def _compare_seals(comparison: Comparison) -> None:
    """Report findings in stored content that this installation did not write."""
    for blob in models.Blob.objects.exclude(inspector=0).order_by("pk").iterator(chunk_size=CHUNK):
        if not has_seal(blob):
            comparison.report(
                "registry",
                f"content {blob.sha256}: its findings were not written with the key of this "
                "installation; run obeya inspect --all.",
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
