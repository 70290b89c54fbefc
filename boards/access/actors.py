"""Actors: the account that acts, its channel, and what it is allowed to do."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from boards.access.permissions import SCOPES, Permission, has_permission, require
from boards.models import User
from obeya import names
from obeya.audit import chain as audit
from obeya.errors import NotAllowed
from obeya.records import Channel
from obeya.tokens import Grant


@dataclass(frozen=True, slots=True)
class PassedPermission:
    """What an actor needed and has: one of `permissions`, for `model`.

    `model` None is the whole registry or, if `anywhere`, no model in particular.
    """

    permissions: tuple[Permission, ...]
    model: str | None = None
    anywhere: bool = False

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "permissions": list(self.permissions),
            "model": self.model,
            "anywhere": self.anywhere,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> PassedPermission:
        """Return what was written as JSON."""
        permissions = tuple(map(Permission, document["permissions"]))
        return cls(permissions, document["model"], document["anywhere"])


@dataclass(frozen=True, slots=True)
class Actor:
    """The account that acts and the channel of the request.

    `user` None is the registry itself. `grant` is what the token of the request allows, None for a
    request without a token: an actor is allowed what both the account and the grant allow.
    Unless they are None, `similar_names` collects a sentence for each new name of this actor that
    is similar to another one, and `passed_permissions` what the actor needed and has.
    """

    user: User | None
    channel: Channel
    _: KW_ONLY
    grant: Grant | None = None
    similar_names: list[str] | None = field(default=None, compare=False)
    passed_permissions: list[PassedPermission] | None = field(
        default=None, compare=False, repr=False
    )

    @property
    def uid(self) -> str:
        """The stable id that the log stores."""
        return str(self.user.uid) if self.user else audit.SYSTEM_ACTOR

    def may(self, permission: Permission) -> bool:
        """Return whether the actor has the permission, for at least one model."""
        if self.grant and SCOPES[permission].isdisjoint(self.grant.scopes):
            return False
        return self.user is None or has_permission(self.user, permission)

    def reaches(self, model: str) -> bool:
        """Return whether the token covers a model, for what is found by its id.

        An actor that does not reach it gets the answer for an unknown id, without its name.
        """
        return self.grant is None or self.grant.covers(names.stored_form(model))

    def may_everywhere(self, permission: Permission) -> bool:
        """Return whether the actor has the permission for every model and the whole registry."""
        return self.may(permission) and (self.grant is None or self.grant.covers(None))

    def require_anywhere(self, permission: Permission) -> None:
        """Check the permission for no model in particular.

        The caller then limits the results to the models that the token covers.

        Raises:
            NotAllowed: the account does not have the permission, or the token does not have the
                scope.
        """
        self._require_some((permission,))
        self._note(PassedPermission((permission,), anywhere=True))

    def require(self, permission: Permission, model: str | None) -> None:
        """Check that the actor has the permission for a model, or (None) for the whole registry.

        Raises:
            NotAllowed: the account does not have the permission, or the token does not have the
                scope or does not cover the model.
        """
        self.require_one((permission,), model)

    def require_one(self, permissions: tuple[Permission, ...], model: str | None) -> None:
        """Check that the actor has one of the permissions for a model, or for the whole registry.

        Raises:
            NotAllowed: as `require`; it names the first permission.
        """
        self._require_some(permissions)
        if self.grant and not self.grant.covers(
            None if model is None else names.stored_form(model)
        ):
            what = "registry-wide settings" if model is None else f"the model “{str(model)[:64]}”"
            raise NotAllowed(
                f"This token has no access to {what}.", permission=permissions[0].value
            )
        self._note(PassedPermission(permissions, model))

    def require_again(self, passed: PassedPermission) -> None:
        """Require what an actor needed before. Raises `NotAllowed` like the first time."""
        if passed.anywhere:
            self._require_some(passed.permissions)
        else:
            self.require_one(passed.permissions, passed.model)

    def _require_some(self, permissions: tuple[Permission, ...]) -> None:
        if any(map(self.may, permissions)):
            return
        first = permissions[0]
        if self.user is None or not any(has_permission(self.user, each) for each in permissions):
            require(self.user, first)
        wanted = " or ".join(sorted({scope for each in permissions for scope in SCOPES[each]}))
        raise NotAllowed(
            f"This token does not have permission to {first.deed}. It needs the scope {wanted}.",
            permission=first.value,
        )

    def _note(self, passed: PassedPermission) -> None:
        found = self.passed_permissions
        if found is not None and passed not in found:
            found.append(passed)


def display_name(user: User | str | None) -> str:
    """Return the name that pages, documents and exports show for an actor.

    `user` is an account or, if only that was read, its username. None is the registry itself.
    """
    if user is None:
        return audit.SYSTEM_ACTOR
    return user if isinstance(user, str) else user.username


def owner_name(owner: User | None) -> str:
    """Return the username of an owner, empty if there is none."""
    return owner.username if owner else ""


SYSTEM = Actor(None, Channel.SYSTEM)
GUARDRAIL = Actor(None, Channel.GUARDRAIL)
