"""The groups and permissions of an account, to log what a change of it adds or removes."""

from __future__ import annotations

from dataclasses import dataclass

from boards.models import User


@dataclass(frozen=True, slots=True)
class AccountPermissions:
    """The groups of an account and its direct permissions, by name."""

    groups: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()


def account_permissions(user: User) -> AccountPermissions:
    """Return the current groups and permissions of the account."""
    held = user.user_permissions.values_list("content_type__app_label", "codename")
    return AccountPermissions(
        frozenset(user.groups.values_list("name", flat=True)),
        frozenset(f"{app}.{codename}" for app, codename in held),
    )
