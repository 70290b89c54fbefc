"""Actors: the account that acts, its channel, and what it is allowed to do."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from boards.access.permissions import SCOPES, Permission, has_permission, require
from boards.models import User
from obeya import names
from obeya.audit import chain as audit
from obeya.errors import NotAllowed
from obeya.records import Channel
from obeya.tokens import Grant


@dataclass(frozen=True, slots=True)
class Actor:
    """The account that acts and the channel of the request.

    `user` None is the registry itself. `grant` is what the token of the request allows, None for a
    request without a token: an actor is allowed what both the account and the grant allow.
    `similar_names` gets a sentence for each new name of this actor that is similar to another one.
    """

    user: User | None
    channel: Channel
    _: KW_ONLY
    grant: Grant | None = None
    similar_names: list[str] = field(default_factory=list, compare=False)

    @property
    def uid(self) -> str:
        """The stable id that the log stores."""
        return str(self.user.uid) if self.user else audit.SYSTEM_ACTOR

    def may(self, permission: Permission) -> bool:
        """Return whether the actor has the permission, for at least one model."""
        if self.grant and SCOPES[permission].isdisjoint(self.grant.scopes):
            return False
        return self.user is None or has_permission(self.user, permission)

    def require_anywhere(self, permission: Permission) -> None:
        """Check the permission for no model in particular.

        The caller then limits the results to the models that the token covers.

        Raises:
            NotAllowed: the account does not have the permission, or the token does not have the
                scope.
        """
        require(self.user, permission)
        if self.grant and SCOPES[permission].isdisjoint(self.grant.scopes):
            wanted = " or ".join(sorted(SCOPES[permission]))
            raise NotAllowed(
                f"This token does not have permission to {permission.deed}. "
                f"It needs the scope {wanted}.",
                permission=permission.value,
            )

    def require(self, permission: Permission, model: str | None) -> None:
        """Check that the actor has the permission for a model, or (None) for the whole registry.

        Raises:
            NotAllowed: the account does not have the permission, or the token does not have the
                scope or does not cover the model.
        """
        self.require_anywhere(permission)
        if self.grant is None:
            return
        if not self.grant.covers(None if model is None else names.stored_form(model)):
            what = "registry-wide settings" if model is None else f"the model “{str(model)[:64]}”"
            raise NotAllowed(f"This token has no access to {what}.", permission=permission.value)


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
