"""Endpoints: where messages go, and which events they are sent of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from obeya import names
from obeya.errors import InvalidInput
from obeya.filters.globs import glob_matches, model_globs
from obeya.records import Action
from obeya.stages import Stage

HEADS = "audit.heads"
TEST = "webhook.test"
TYPES: tuple[str, ...] = (*(action.value for action in Action), HEADS)
"""What an endpoint can ask for: each action of the audit log, and the daily heads of chains."""

NAME_MAX = 100
ADDRESS_MAX = 2_048
_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\Z")


class Target(StrEnum):
    """What an endpoint is."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
    EMAIL = "email"

    @property
    def label(self) -> str:
        """The target for people."""
        return _LABELS[self]

    @property
    def is_signed(self) -> bool:
        """Whether its messages carry a signature; the others read none."""
        return self is Target.WEBHOOK


_LABELS = {
    Target.WEBHOOK: "Webhook",
    Target.SLACK: "Slack",
    Target.TEAMS: "Microsoft Teams",
    Target.EMAIL: "E-mail",
}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which events an endpoint is sent of. An empty part lets everything through.

    `types` are actions of the log and ``audit.heads``, `models` globs of names, `stages` those that
    a version leaves or enters. An event that has no model, or moves nothing, passes neither globs
    nor stages.

    Raises:
        InvalidInput: an unknown type or stage, or a glob that no name could match.
    """

    types: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        types = tuple(dict.fromkeys(self.types))
        if unknown := [kind for kind in types if kind not in TYPES]:
            raise InvalidInput(
                f"“{str(unknown[0])[:64]}” is no type of event; docs/webhooks.md lists them.",
                field="types",
            )
        stages = tuple(dict.fromkeys(Stage.parse(stage) for stage in self.stages))
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "models", model_globs(self.models, whose="An endpoint"))

    def wants(
        self,
        kind: str,
        *,
        model: str | None = None,
        from_stage: Stage | None = None,
        to_stage: Stage | None = None,
    ) -> bool:
        """Whether an event of this type is sent. A test is sent to every endpoint."""
        if kind == TEST:
            return True
        if self.types and kind not in self.types:
            return False
        if kind == HEADS:
            # They are of all models; who wants them says so.
            return kind in self.types
        if self.models and not (model and any(glob_matches(glob, model) for glob in self.models)):
            return False
        return not self.stages or from_stage in self.stages or to_stage in self.stages


def endpoint_name(text: str) -> str:
    """What an endpoint is called. Raises `InvalidInput`."""
    found = names.token_name(text.strip()) if text.strip() else ""
    if not found:
        raise InvalidInput("Give the endpoint a name.", field="name")
    return found


def endpoint_address(target: Target, text: str) -> str:
    """Where messages go: an http or https URL, or an e-mail address.

    Raises:
        InvalidInput: it is none, or holds a name and a password.
    """
    address = text.strip()
    if target is Target.EMAIL:
        if not _MAIL.match(address):
            raise InvalidInput("That is no e-mail address.", field="address")
        return address
    if len(address) > ADDRESS_MAX or not address.isascii() or not address.isprintable():
        raise InvalidInput("That is no URL of a receiver.", field="address")
    try:
        parts = urlsplit(address)
        # Reading the port is what checks it.
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or " " in address:
        raise InvalidInput(
            "A receiver has an address that begins with https:// or http://.", field="address"
        )
    if parts.username or parts.password or parts.fragment:
        raise InvalidInput(
            "The address of a receiver holds no name, password or fragment.", field="address"
        )
    return address


def shown_address(target: Target, address: str) -> str:
    """The address without what may be a secret: paths of chat services let anybody post."""
    if target is Target.EMAIL:
        return address
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def words_of(text: str) -> list[str]:
    """The parts of a field that takes several, one a line or with commas between."""
    return [word for line in text.replace(",", "\n").splitlines() if (word := line.strip())]


def read_target(text: str) -> Target:
    """The target of that name. Raises `InvalidInput`."""
    try:
        return Target(text)
    except ValueError:
        raise InvalidInput(
            f"“{text[:32]}” is no target; the targets are {', '.join(Target)}.", field="target"
        ) from None


def subscription_of(
    types: Iterable[str], models: Iterable[str], stages: Iterable[str]
) -> Subscription:
    """A subscription from words. Raises `InvalidInput`."""
    return Subscription(tuple(types), tuple(models), tuple(Stage.parse(stage) for stage in stages))
