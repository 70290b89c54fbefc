"""Record accounts and groups whose permissions are not in the log, as they are now.

Accounts that were created or changed outside of Obeya, or before Obeya recorded it, have no events.
Adopting them says so in the log; it does not say that the log knows where they come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db.migrations import Migration
from django.utils import timezone

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.access.permissions import Permission, group_problem
from boards.models.audit import event_members
from boards.queries.facts.account_permissions import account_permissions
from boards.registry.commit import writing_site
from obeya.audit.replay.replay import Replay
from obeya.audit.replay.state import Row, Table
from obeya.records import Action

_ACTIONS = (Action.USER_CREATED, Action.USER_CHANGED, Action.USER_ADOPTED, Action.GROUP_ADOPTED)
# The migration after which older installations are brought up to date.
_UPGRADE = ("boards", "0020_accounts_adopted")
_COLUMNS = ("is_active", "is_staff", "is_superuser", "groups", "permissions")


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Accounts and groups with the state that the log does not have, as data of their events."""

    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The accounts, then the groups, by name."""
        return [*sorted(self.accounts), *(f"the group {name}" for name in sorted(self.groups))]


def unsupported_accounts() -> Unsupported:
    """Return the accounts and groups that have no event, or other permissions than the log says."""
    said = _replayed()
    found = Unsupported()
    for user in models.User.objects.order_by("pk"):
        state = _state_of(user)
        row = said[Table.USER].get((str(user.uid),))
        if row is None or not _agrees(row, state):
            found.accounts[user.username] = state
    held: defaultdict[str, set[str]] = defaultdict(set)
    for name, app, code in Group.objects.values_list(
        "name", "permissions__content_type__app_label", "permissions__codename"
    ):
        held[name].update({f"{app}.{code}"} if code else ())
    for name, permissions in held.items():
        row = said[Table.GROUP].get((name,))
        is_known = set(row.values["permissions"]) == permissions if row else False
        if not is_known and (row or group_problem(name, permissions)):
            found.groups[name] = sorted(permissions)
    return found


def adopt_accounts(
    *, names: Collection[str] | None = None, actor: Actor, at: datetime
) -> list[str]:
    """Record the accounts of these names, or (None) all that the log does not support, and groups.

    Returns the names of what was recorded. Nothing is recorded that the log has already.

    Raises:
        NotAllowed: the actor does not have the administer permission.
    """
    actor.require(Permission.ADMINISTER, None)
    found = unsupported_accounts()
    if names is not None:
        wanted = {name: state for name, state in found.accounts.items() if name in names}
        found = Unsupported(wanted)
    if not found.names:
        return []
    with writing_site(actor=actor, at=at) as write:
        for username, state in found.accounts.items():
            write.record(Action.USER_ADOPTED, data=state, texts={"username": username})
        for name, permissions in found.groups.items():
            write.record(Action.GROUP_ADOPTED, data={"group": name, "permissions": permissions})
    return found.names


def adopt_after_upgrade(plan: Iterable[tuple[Migration, bool]] = (), **_: Any) -> None:
    """Record the accounts of an older installation, once. Receiver of post_migrate."""
    if any((each.app_label, each.name) == _UPGRADE and not back for each, back in plan):
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


def _state_of(user: models.User) -> dict[str, Any]:
    held = account_permissions(user)
    return {
        "user": str(user.uid),
        "service": user.is_service,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(held.groups),
        "permissions": sorted(held.permissions),
    }


def _agrees(row: Row, state: dict[str, Any]) -> bool:
    said = {**row.values, "groups": sorted(row.values["groups"])}
    said["permissions"] = sorted(row.values["permissions"])
    return said["is_service"] == state["service"] and all(
        said[column] == state[column] for column in _COLUMNS
    )
