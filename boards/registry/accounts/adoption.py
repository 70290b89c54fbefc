"""Record accounts and groups whose permissions are not in the log, as they are now.

Accounts that were created or changed outside of Obeya, or before Obeya recorded it, have no events.
Adopting them says so in the log; it does not say that the log knows where they come from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.migrations import Migration
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import Permission
from boards.models.audit import event_members
from boards.queries.verification.accounts import (
    UnsupportedGroup,
    UnsupportedUser,
    unsupported_groups,
    unsupported_users,
)
from boards.registry.commit import writing_site
from boards.registry.upgrades import brings
from obeya.audit.replay.replay import Replay
from obeya.audit.replay.state import Row, Table
from obeya.records import Action

_ACTIONS = (Action.USER_CREATED, Action.USER_CHANGED, Action.USER_ADOPTED, Action.GROUP_ADOPTED)
# The migration after which older installations are brought up to date.
_UPGRADE = "0020_accounts_adopted"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Accounts and groups with the state that the log does not have."""

    accounts: tuple[UnsupportedUser, ...] = ()
    groups: tuple[UnsupportedGroup, ...] = ()

    @property
    def names(self) -> list[str]:
        """The accounts, then the groups, by name."""
        return [
            *sorted(user.username for user in self.accounts),
            *(f"the group {group.name}" for group in self.groups),
        ]


def unsupported_accounts() -> Unsupported:
    """Return the accounts and groups that the verification reports."""
    tables = _replayed()
    return Unsupported(
        tuple(unsupported_users(tables[Table.USER])),
        tuple(unsupported_groups(tables[Table.GROUP])),
    )


def adopt_accounts(
    *,
    accounts: Collection[str] | None = None,
    groups: Collection[str] | None = None,
    actor: Actor,
    at: datetime,
) -> list[str]:
    """Record the accounts and the groups of these names that the log does not support.

    Without any names, all of them are recorded. Returns the names of what was recorded. Nothing is
    recorded that the log has already.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    found = unsupported_accounts()
    if accounts is not None or groups is not None:
        found = Unsupported(
            tuple(user for user in found.accounts if user.username in (accounts or ())),
            tuple(group for group in found.groups if group.name in (groups or ())),
        )
    if not found.names:
        return []
    with writing_site(actor=actor, at=at) as write:
        for user in found.accounts:
            data = {
                "user": user.uid,
                "service": user.is_service,
                "is_active": user.is_active,
                "is_staff": user.is_staff,
                "is_superuser": user.is_superuser,
                "groups": sorted(user.groups),
                "permissions": sorted(user.permissions),
            }
            write.record(Action.USER_ADOPTED, data=data, texts={"username": user.username})
        for group in found.groups:
            data = {"group": group.name, "permissions": sorted(group.permissions)}
            write.record(Action.GROUP_ADOPTED, data=data)
    return found.names


def adopt_after_upgrade(plan: Iterable[tuple[Migration, bool]] = (), **_: Any) -> None:
    """Record the accounts of an older installation, once. Receiver of post_migrate."""
    if brings(plan, _UPGRADE):
        adopt_accounts(actor=SYSTEM, at=timezone.now())


def _replayed() -> dict[Table, dict[Any, Row]]:
    events = models.AuditEvent.objects.filter(model=None, action__in=[a.value for a in _ACTIONS])
    replay = Replay()
    for text in events.order_by("sequence").values_list("canonical_text", flat=True):
        members = event_members(text)
        if members is not None:
            replay.add(members, ())
    tables = replay.tables()
    return {table: tables.get(table, {}) for table in (Table.USER, Table.GROUP)}
