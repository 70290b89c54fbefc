"""Who acts, how they came in, and what they may do that way."""

from __future__ import annotations

from dataclasses import dataclass

from boards.access.permissions import SCOPES, Permission, has_permission, require
from boards.models import User
from obeya import names
from obeya.audit import chain as audit
from obeya.errors import NotAllowed
from obeya.records import Channel
from obeya.tokens import Grant


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts and how they came in.

    `user` None is the registry itself. `grant` is what the token lets its bearer do, None for
    who came in without one: an actor may do what both the account and the grant allow.
    """

    user: User | None
    channel: Channel
    grant: Grant | None = None

    @property
    def uid(self) -> str:
        """The stable id that the log holds."""
        return str(self.user.uid) if self.user else audit.SYSTEM_ACTOR

    def may(self, permission: Permission) -> bool:
        """Whether the actor has the permission, on some model at least."""
        if self.grant and SCOPES[permission].isdisjoint(self.grant.scopes):
            return False
        return self.user is None or has_permission(self.user, permission)

    def require_anywhere(self, permission: Permission) -> None:
        """As `require`, for what is then confined to the models that the token reaches.

        Raises:
            NotAllowed: the account lacks the permission, or the token does not go so far.
        """
        require(self.user, permission)
        if self.grant and SCOPES[permission].isdisjoint(self.grant.scopes):
            wanted = " or ".join(sorted(SCOPES[permission]))
            raise NotAllowed(
                f"This token may not {permission.deed}: it lacks the scope {wanted}.",
                permission=permission.value,
            )

    def require(self, permission: Permission, model: str | None) -> None:
        """Let those go on who have the permission on a model, or (None) on what is the site's.

        Raises:
            NotAllowed: the account lacks the permission, or the token does not go so far.
        """
        self.require_anywhere(permission)
        if self.grant is None:
            return
        if not self.grant.covers(None if model is None else names.stored_form(model)):
            what = "what belongs to the whole site" if model is None else f"“{str(model)[:64]}”"
            raise NotAllowed(f"This token does not reach {what}.", permission=permission.value)


def display_name(user: User | str | None) -> str:
    """The name that pages, documents and exports show for who did something.

    `user` is an account or, where only that was read, its username. None is the registry itself.
    """
    if user is None:
        return audit.SYSTEM_ACTOR
    return user if isinstance(user, str) else user.username


def owner_name(owner: User | None) -> str:
    """Return the username of an owner, empty where there is none."""
    return owner.username if owner else ""


SYSTEM = Actor(None, Channel.SYSTEM)
GUARDRAIL = Actor(None, Channel.GUARDRAIL)
