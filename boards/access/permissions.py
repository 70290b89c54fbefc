"""Who may do what. Every door asks here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet

from boards.models import User
from obeya.errors import NotAllowed
from obeya.stages import Stage
from obeya.tokens import Scope


class Right(StrEnum):
    """What an account may be allowed to do; the value is the permission's codename."""

    VIEW = "view_registry"
    REGISTER = "register"
    TRANSITION = "transition"
    PROMOTE = "promote"
    APPROVE = "approve"
    WAIVE = "waive"
    EDIT_POLICY = "edit_policy"
    ADMINISTER = "administer"

    @property
    def deed(self) -> str:
        """The right as the end of “You may not ...”."""
        return _DEEDS[self]


_DEEDS = {
    Right.VIEW: "see the registry",
    Right.REGISTER: "register versions or change what they show",
    Right.TRANSITION: "move versions",
    Right.PROMOTE: "move versions into or out of Production",
    Right.APPROVE: "approve requests",
    Right.WAIVE: "waive requirements",
    Right.EDIT_POLICY: "edit policies and metric definitions",
    Right.ADMINISTER: "delete, rename or configure models",
}

SCOPES: Mapping[Right, frozenset[Scope]] = MappingProxyType(
    {
        Right.VIEW: frozenset(Scope),
        Right.REGISTER: frozenset({Scope.WRITE}),
        Right.TRANSITION: frozenset({Scope.WRITE, Scope.PROMOTE}),
        Right.PROMOTE: frozenset({Scope.PROMOTE}),
        Right.APPROVE: frozenset({Scope.APPROVE}),
        Right.WAIVE: frozenset({Scope.APPROVE}),
        Right.EDIT_POLICY: frozenset({Scope.ADMIN}),
        Right.ADMINISTER: frozenset({Scope.ADMIN}),
    }
)
"""The scopes of a token of which any one goes with the right."""

_CONTRIBUTOR = (Right.VIEW, Right.REGISTER, Right.TRANSITION)
GROUPS: Mapping[str, tuple[Right, ...]] = MappingProxyType(
    {
        "viewer": (Right.VIEW,),
        "contributor": _CONTRIBUTOR,
        "promoter": (*_CONTRIBUTOR, Right.PROMOTE),
        "approver": (Right.VIEW, Right.APPROVE, Right.WAIVE),
        "administrator": tuple(Right),
    }
)


def has_right(user: User, right: Right) -> bool:
    """Whether the account is active and holds the right, itself or through a group."""
    return user.is_active and user.has_perm(f"boards.{right.value}")


def holders(right: Right, user_ids: Collection[int]) -> set[int]:
    """Those of the accounts that are active and hold the right; one statement, none for nobody."""
    if not user_ids:
        return set()
    found = User.objects.filter(_holds(right), pk__in=user_ids, is_active=True)
    return set(found.values_list("pk", flat=True))


def people_who_may(right: Right) -> QuerySet[User]:
    """The active accounts that hold the right and sign in themselves: services do not."""
    found = User.objects.filter(_holds(right), is_active=True, is_service=False)
    return found.distinct().order_by("pk")


def _holds(right: Right) -> Q:
    held = Q(content_type__app_label="boards", codename=right.value)
    permission = Permission.objects.filter(held)
    return (
        Q(is_superuser=True)
        | Q(user_permissions__in=permission)
        | Q(groups__permissions__in=permission)
    )


def require(user: User | None, right: Right) -> None:
    """Let those with the right go on. None stands for the registry itself, which may do all.

    Raises:
        NotAllowed: the account lacks the right.
    """
    if user is not None and not has_right(user, right):
        raise NotAllowed(f"{user.username} may not {right.deed}.", right=right.value)


def right_for_transition(from_stage: Stage | None, to_stage: Stage) -> Right:
    """Moves into and out of Production need another right than all others."""
    if Stage.PRODUCTION in (from_stage, to_stage):
        return Right.PROMOTE
    return Right.TRANSITION


def create_groups_after_migrate(using: str, **_: Any) -> None:
    """Receiver of post_migrate: make the groups that are missing; those that exist are kept."""
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415 - apps are loading

    existing = set(Group.objects.using(using).values_list("name", flat=True))
    for name, rights in GROUPS.items():
        if name in existing:
            continue
        group = Group.objects.using(using).create(name=name)
        permissions = Permission.objects.using(using).filter(content_type__app_label="boards")
        if name != "administrator":
            permissions = permissions.filter(codename__in=[right.value for right in rights])
        group.permissions.set(permissions)


def scopes_of(user: User) -> frozenset[Scope]:
    """The scopes that a token of the account can have: those whose point it may do itself."""
    return frozenset(scope for scope, right in _POINT_OF_SCOPE.items() if has_right(user, right))


_POINT_OF_SCOPE = {
    Scope.READ: Right.VIEW,
    Scope.WRITE: Right.REGISTER,
    Scope.PROMOTE: Right.PROMOTE,
    Scope.APPROVE: Right.APPROVE,
    Scope.ADMIN: Right.EDIT_POLICY,
}
