"""Endpoints: their addresses, and the events they subscribe to."""

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
from obeya.webhooks.addresses import Network, host_problem

HEADS = "audit.heads"
TEST = "webhook.test"
TYPES: tuple[str, ...] = (*(action.value for action in Action), HEADS)
"""The event types of subscriptions: each action of the audit log, and the daily chain heads."""

NAME_MAX = 100
ADDRESS_MAX = 2_048
_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\Z")


class Target(StrEnum):
    """The kind of an endpoint."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
    EMAIL = "email"

    @property
    def label(self) -> str:
        """The display name of the target."""
        return _LABELS[self]

    @property
    def is_signed(self) -> bool:
        """Whether deliveries are signed; other targets do not check signatures."""
        return self is Target.WEBHOOK


_LABELS = {
    Target.WEBHOOK: "URL",
    Target.SLACK: "Slack",
    Target.TEAMS: "Microsoft Teams",
    Target.EMAIL: "E-mail",
}


@dataclass(frozen=True, slots=True)
class Subscription:
    """The events of an endpoint. An empty part matches every event.

    `types` are actions of the log and ``audit.heads``, `models` are globs of model names, `stages`
    are stages that a version leaves or enters. An event without a model does not match globs, and
    an event without a move does not match stages.

    Raises:
        InvalidInput: a type or stage is unknown, or a glob cannot match any model name.
    """

    types: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        types = tuple(dict.fromkeys(self.types))
        if unknown := [kind for kind in types if kind not in TYPES]:
            raise InvalidInput(
                f"“{str(unknown[0])[:64]}” is not an event type. docs/webhooks.md lists them.",
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
        """Return whether an event of this type is sent. A test is sent to every endpoint."""
        if kind == TEST:
            return True
        if self.types and kind not in self.types:
            return False
        if kind == HEADS:
            # Heads cover all models, so an endpoint must subscribe to them explicitly.
            return kind in self.types
        if self.models and not (model and any(glob_matches(glob, model) for glob in self.models)):
            return False
        return not self.stages or from_stage in self.stages or to_stage in self.stages


def endpoint_name(text: str) -> str:
    """Return the name of an endpoint, checked. Raises `InvalidInput`."""
    found = names.token_name(text.strip()) if text.strip() else ""
    if not found:
        raise InvalidInput("Enter a name for the endpoint.", field="name")
    return found


def endpoint_address(target: Target, text: str, *, allowed: Iterable[Network] = ()) -> str:
    """Return the address of an endpoint, checked: an http or https URL, or an e-mail address.

    `allowed` are the private networks that receive deliveries too.

    Raises:
        InvalidInput: it is not an address, it contains a name and a password, or no delivery can
            ever be sent to its host.
    """
    address = text.strip()
    if target is Target.EMAIL:
        if not _MAIL.match(address):
            raise InvalidInput("Enter a valid e-mail address.", field="address")
        return address
    if len(address) > ADDRESS_MAX or not address.isascii() or not address.isprintable():
        raise InvalidInput(
            f"Enter a URL of at most {ADDRESS_MAX:,} ASCII characters. Write an international host "
            "name in its ASCII form (xn--…).",
            field="address",
        )
    try:
        parts = urlsplit(address)
        # Reading the port validates it.
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or " " in address:
        raise InvalidInput(
            "Enter an address that begins with https:// or http://.", field="address"
        )
    if parts.username or parts.password or parts.fragment:
        raise InvalidInput(
            "The address cannot contain a name, password or fragment.", field="address"
        )
    if problem := host_problem(parts.hostname or "", allowed):
        raise InvalidInput(problem, field="address")
    return address


def shown_address(target: Target, address: str) -> str:
    """Return the address without parts that can be secret.

    Anyone who knows the path of a chat service's webhook URL can post there.
    """
    if target is Target.EMAIL:
        return address
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def words_of(text: str) -> list[str]:
    """Return the parts of a field with several values, separated by lines or commas."""
    return [word for line in text.replace(",", "\n").splitlines() if (word := line.strip())]


def read_target(text: str) -> Target:
    """Return the target with this name. Raises `InvalidInput`."""
    try:
        return Target(text)
    except ValueError:
        raise InvalidInput(
            f"“{text[:32]}” is not a target; the targets are {', '.join(Target)}.", field="target"
        ) from None


def subscription_of(
    types: Iterable[str], models: Iterable[str], stages: Iterable[str]
) -> Subscription:
    """Return a subscription from texts. Raises `InvalidInput`."""
    return Subscription(tuple(types), tuple(models), tuple(Stage.parse(stage) for stage in stages))
