"""Permissions and groups. All entry points check permissions here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import Permission as PermissionRow
from django.db.models import Q, QuerySet

from boards.models import User
from obeya.errors import NotAllowed
from obeya.stages import Stage
from obeya.tokens import Scope


class Permission(StrEnum):
    """A permission of an account; the value is the permission's codename."""

    VIEW = "view_registry"
    REGISTER = "register"
    TRANSITION = "transition"
    PROMOTE = "promote"
    APPROVE = "approve"
    WAIVE = "waive"
    EDIT_POLICY = "edit_policy"
    ADMINISTER = "administer"
    IMPORT = "import_versions"

    @property
    def deed(self) -> str:
        """The permission as the end of “You don’t have permission to …”."""
        return _DEEDS[self]


_DEEDS = {
    Permission.VIEW: "view the registry",
    Permission.REGISTER: "register or edit versions",
    Permission.TRANSITION: "move versions",
    Permission.PROMOTE: "move versions into or out of Production",
    Permission.APPROVE: "approve requests",
    Permission.WAIVE: "waive requirements",
    Permission.EDIT_POLICY: "edit policies and metric definitions",
    Permission.ADMINISTER: "delete, rename or configure models",
    Permission.IMPORT: "import versions with their stages",
}

STORE_CHECK = (Permission.TRANSITION, Permission.APPROVE)
"""The permissions of which one is required to store a policy check.

A stored check is evidence for moves and reviews; reading alone writes nothing.
"""

SCOPES: Mapping[Permission, frozenset[Scope]] = MappingProxyType(
    {
        Permission.VIEW: frozenset(Scope),
        Permission.REGISTER: frozenset({Scope.WRITE}),
        Permission.TRANSITION: frozenset({Scope.WRITE, Scope.PROMOTE}),
        Permission.PROMOTE: frozenset({Scope.PROMOTE}),
        Permission.APPROVE: frozenset({Scope.APPROVE}),
        Permission.WAIVE: frozenset({Scope.APPROVE}),
        Permission.EDIT_POLICY: frozenset({Scope.ADMIN}),
        Permission.ADMINISTER: frozenset({Scope.ADMIN}),
        Permission.IMPORT: frozenset({Scope.ADMIN}),
    }
)
"""The scopes that grant a permission to a token; any one of them is enough."""

_CONTRIBUTOR = (Permission.VIEW, Permission.REGISTER, Permission.TRANSITION)
GROUPS: Mapping[str, tuple[Permission, ...]] = MappingProxyType(
    {
        "viewer": (Permission.VIEW,),
        "contributor": _CONTRIBUTOR,
        "promoter": (*_CONTRIBUTOR, Permission.PROMOTE),
        "approver": (Permission.VIEW, Permission.APPROVE, Permission.WAIVE),
        "administrator": tuple(Permission),
    }
)


def has_permission(user: User, permission: Permission) -> bool:
    """Return whether the account is active and has the permission, directly or through a group."""
    return user.is_active and user.has_perm(f"boards.{permission.value}")


def may_store_checks(user: User) -> bool:
    """Return whether the account can store policy checks."""
    return any(has_permission(user, permission) for permission in STORE_CHECK)


def holders(permission: Permission, user_ids: Collection[int]) -> set[int]:
    """Return which of the accounts are active and have the permission, in at most one statement."""
    if not user_ids:
        return set()
    found = User.objects.filter(_holds(permission), pk__in=user_ids, is_active=True)
    return set(found.values_list("pk", flat=True))


def people_who_may(permission: Permission) -> QuerySet[User]:
    """Return the active accounts that have the permission and sign in, without service accounts."""
    found = User.objects.filter(_holds(permission), is_active=True, is_service=False)
    return found.distinct().order_by("pk")


def _holds(permission: Permission) -> Q:
    held = Q(content_type__app_label="boards", codename=permission.value)
    rows = PermissionRow.objects.filter(held)
    return Q(is_superuser=True) | Q(user_permissions__in=rows) | Q(groups__permissions__in=rows)


def require(user: User | None, permission: Permission) -> None:
    """Check that the account has the permission. None is the registry itself, with all permissions.

    Raises:
        NotAllowed: the account does not have the permission.
    """
    if user is not None and not has_permission(user, permission):
        raise NotAllowed(
            f"{user.username} does not have permission to {permission.deed}.",
            permission=permission.value,
        )


def permission_for_transition(from_stage: Stage | None, to_stage: Stage | None) -> Permission:
    """Return the permission for a move: a separate one for moves into and out of Production."""
    if Stage.PRODUCTION in (from_stage, to_stage):
        return Permission.PROMOTE
    return Permission.TRANSITION


def create_groups_after_migrate(using: str, **_: Any) -> None:
    """Create the missing groups and keep the existing ones. Receiver of post_migrate."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - apps are loading

    existing = set(Group.objects.using(using).values_list("name", flat=True))
    for name, allowed in GROUPS.items():
        if name in existing:
            continue
        group = Group.objects.using(using).create(name=name)
        rows = PermissionRow.objects.using(using).filter(content_type__app_label="boards")
        if name != "administrator":
            rows = rows.filter(codename__in=[permission.value for permission in allowed])
        group.permissions.set(rows)


def scopes_of(user: User) -> frozenset[Scope]:
    """Return the scopes that a token of the account can have, from its own permissions."""
    return frozenset(
        scope for scope, permission in _POINT_OF_SCOPE.items() if has_permission(user, permission)
    )


_POINT_OF_SCOPE = {
    Scope.READ: Permission.VIEW,
    Scope.WRITE: Permission.REGISTER,
    Scope.PROMOTE: Permission.PROMOTE,
    Scope.APPROVE: Permission.APPROVE,
    Scope.ADMIN: Permission.EDIT_POLICY,
}


def group_problem(name: str, held: Collection[str]) -> str:
    """Return how the permissions of a group differ from those in `GROUPS`, "" if they do not.

    `held` has names such as ``boards.promote``. Administrators can hold every permission of the
    registry's tables.
    """
    if name not in GROUPS:
        return "it is not a group of the registry, and it has no event."
    wanted = {f"boards.{permission.value}" for permission in GROUPS[name]}
    more = {
        each
        for each in set(held) - wanted
        if name != "administrator" or not each.startswith("boards.")
    }
    if more:
        return f"it has more permissions than Obeya gives it: {', '.join(sorted(more))}."
    missing = wanted - set(held)
    return f"it lacks permissions: {', '.join(sorted(missing))}." if missing else ""
