"""Compare accounts, groups and sign-in links with the replayed log."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from django.contrib.auth.models import Group

from boards import models
from boards.access.permissions import group_problem
from boards.queries.facts.credential_digests import link_digest
from boards.queries.verification.columns import Names
from boards.queries.verification.comparison import Comparison, Tables
from boards.queries.verification.tables import OWNER_TABLES, SITE_TABLES, USERS
from obeya.audit.replay.state import UNSTATED, Key, Row, Table

LINK_LIFETIME_MAX = timedelta(days=1)


def read_names() -> Names:
    """Return the ids and usernames of all accounts."""
    rows = list(models.User.objects.values_list("pk", "uid", "username"))
    return Names(
        accounts={pk: str(uid) for pk, uid, _ in rows},
        usernames={str(uid): username for _, uid, username in rows},
    )


def compare_site(comparison: Comparison, tables: Tables, *, now: datetime) -> None:
    """Compare what belongs to no model with the state of the site chain."""
    held = _expected_members(tables)
    for table in (USERS, *SITE_TABLES, *OWNER_TABLES):
        comparison.compare(table, {None: tables})
    _compare_members(comparison, held)
    _compare_groups(comparison, tables.get(Table.GROUP, {}))
    _compare_links(comparison, tables.get(Table.LINK, {}), now)


def _expected_members(tables: Tables) -> dict[str, Row]:
    return {uid: row for (uid,), row in tables.get(Table.USER, {}).items()}


def _compare_members(comparison: Comparison, expected: dict[str, Row]) -> None:
    """Compare the groups and the direct permissions of accounts."""
    user = models.User
    permissions = user.user_permissions.through.objects.values_list(
        "user_id", "permission__content_type__app_label", "permission__codename"
    )
    found = {
        "groups": user.groups.through.objects.values_list("user_id", "group__name"),
        "permissions": ((pk, f"{app}.{code}") for pk, app, code in permissions),
    }
    names = comparison.names
    for column, rows in found.items():
        held: defaultdict[str, set[str]] = defaultdict(set)
        for pk, name in rows:
            held[names.accounts[pk]].add(name)
        for uid, username in names.usernames.items():
            # The comparison of the accounts reported an account without an event.
            row = expected.get(uid)
            said = set(row.values[column]) if row else held[uid]
            if row and said != held[uid]:
                comparison.report(
                    "registry",
                    f"account {username}: {column} are {_list(held[uid])}, but the log says "
                    f"{_list(said)} (event {row.event_of(column)}).",
                )


def _compare_groups(comparison: Comparison, adopted: dict[Key, Row]) -> None:
    """Compare the permissions of groups with those of the code, or with the event that adopts them.

    The group of administrators can also have other permissions of the registry's tables.
    """
    held: defaultdict[str, set[str]] = defaultdict(set)
    for name, app, code in Group.objects.values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    ):
        held[name].update({f"{app}.{code}"} if code else ())
    for name, permissions in sorted(held.items()):
        row = adopted.get((name,))
        if row is not None:
            if set(row.values["permissions"]) != permissions:
                comparison.report(
                    "registry",
                    f"group {name}: its permissions are {_list(permissions)}, but the log says "
                    f"{_list(set(row.values['permissions']))} (event {row.event}).",
                )
        elif problem := group_problem(name, permissions):
            comparison.report("registry", f"group {name}: {problem}")


def _compare_links(comparison: Comparison, expected: dict[Key, Row], now: datetime) -> None:
    """Compare the sign-in links that can still be used with the events that created them.

    Older links of an account are deleted without an event.
    """
    rows = models.OneTimeLink.objects.filter(used_at=None, expires_at__gt=now)
    for link in rows.select_related("user").order_by("pk"):
        user = str(link.user.uid)
        row = expected.get((link_digest(link),))
        if row is not None and row.values["user"] == user:
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
            <= datetime.fromisoformat(other.values["created_at"]) + LINK_LIFETIME_MAX
            for other in expected.values()
        ):
            comparison.partial += 1
        else:
            comparison.report("registry", f"sign-in link of {link.user.username} has no event.")


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
