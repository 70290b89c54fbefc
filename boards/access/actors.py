"""Who acts, how they came in, and what they may do that way."""

from __future__ import annotations

from dataclasses import dataclass

from boards.access.permissions import SCOPES, Right, has_right, require
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

    def may(self, right: Right) -> bool:
        """Whether the actor holds the right, on some model at least."""
        if self.grant and SCOPES[right].isdisjoint(self.grant.scopes):
            return False
        return self.user is None or has_right(self.user, right)

    def require_anywhere(self, right: Right) -> None:
        """As `require`, for what is then confined to the models that the token reaches.

        Raises:
            NotAllowed: the account lacks the right, or the token does not go so far.
        """
        require(self.user, right)
        if self.grant and SCOPES[right].isdisjoint(self.grant.scopes):
            wanted = " or ".join(sorted(SCOPES[right]))
            raise NotAllowed(
                f"This token may not {right.deed}: it lacks the scope {wanted}.", right=right.value
            )

    def require(self, right: Right, model: str | None) -> None:
        """Let those go on who hold the right on a model, or (None) on what is the site's.

        Raises:
            NotAllowed: the account lacks the right, or the token does not go so far.
        """
        self.require_anywhere(right)
        if self.grant is None:
            return
        if not self.grant.covers(None if model is None else names.stored_form(model)):
            what = "what belongs to the whole site" if model is None else f"“{str(model)[:64]}”"
            raise NotAllowed(f"This token does not reach {what}.", right=right.value)


def display_name(user: User | str | None) -> str:
    """The name that pages, documents and exports show for who did something.

    `user` is an account or, where only that was read, its username. None is the registry itself.
    """
    if user is None:
        return audit.SYSTEM_ACTOR
    return user if isinstance(user, str) else user.username


SYSTEM = Actor(None, Channel.SYSTEM)
GUARDRAIL = Actor(None, Channel.GUARDRAIL)
