"""The forms of webhook endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django import forms
from django.conf import settings
from django.utils.safestring import SafeString

from boards.queries.facts.webhooks import Endpoint
from boards.queries.paging.whole_number import whole_number
from boards.registry.webhooks.endpoints import OVERLAP_HOURS_MAX
from boards.views.forms import (
    Checkboxes,
    PageForm,
    ParsedField,
    select,
    text_area,
    text_input,
)
from obeya.errors import InvalidInput, SimilarName
from obeya.names import TOKEN_NAME_MAX
from obeya.stages import Stage
from obeya.webhooks.endpoints import (
    ADDRESS_MAX,
    Subscription,
    Target,
    read_target,
    subscription_of,
    words_of,
)

OVERLAP_HOURS = (0, 1, 24, 168)
REPLAY_DAYS = (1, 7, 30)


class EndpointForm(PageForm):
    """An endpoint and what it subscribes to."""

    ids = "endpoint-%s"
    error_fields: ClassVar[Mapping[str, str]] = {"types": "type"}

    name = ParsedField(
        "Name",
        widget=text_input(maxlength=TOKEN_NAME_MAX, required=True, placeholder="Deploy service"),
    )
    allow_similar = forms.BooleanField(required=False, label="Allow a similar name")
    address = ParsedField(
        "Address",
        widget=text_input(
            maxlength=ADDRESS_MAX,
            required=True,
            autocomplete="off",
            spellcheck="false",
            placeholder="https://",
        ),
        help_text=SafeString(
            "The URL that receives the events as POST requests, the webhook URL of the channel, or "
            "the e-mail address. A URL in a private network is allowed only if "
            "<code>OBEYA_WEBHOOK_NETWORKS</code> lists the network."
        ),
    )
    type = ParsedField(
        "Events",
        widget=Checkboxes(),
        help_text="Select none to receive all events, except the audit checkpoint.",
    )
    models = ParsedField(
        "Models (optional)",
        widget=text_area(rows=2, spellcheck="false", placeholder="fraud-*"),
        parse=words_of,
        help_text="One name per line; * matches any text. Leave empty for all events, including "
        "events that are not about a model.",
    )
    stage = ParsedField(
        "Only transitions from or to (optional)",
        widget=Checkboxes(choices=[(stage.value, stage.label) for stage in Stage]),
    )

    @property
    def offers_similar(self) -> bool:
        """Whether to show `allow_similar`: a similar name was refused, or it is selected."""
        return isinstance(self.refusal, SimilarName) or bool(self["allow_similar"].value())

    @property
    def subscription(self) -> Subscription:
        """The subscription that the form describes. Raises `InvalidInput`."""
        values = self.cleaned_data
        return subscription_of(values["type"], values["models"], values["stage"])


class NewEndpointForm(EndpointForm):
    """A new endpoint."""

    target = ParsedField(
        "Kind", widget=select(), parse=lambda text: read_target(text or Target.WEBHOOK.value)
    )

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        missing = [] if settings.OBEYA_EMAIL_URL else [Target.EMAIL]
        self.fields["target"].widget = select(
            [
                (
                    target.value,
                    target.label + (" (set OBEYA_EMAIL_URL first)" if target in missing else ""),
                )
                for target in Target
            ],
            missing,
        )


class ChangedEndpointForm(EndpointForm):
    """An endpoint that is changed, at the revision that the page showed."""

    revision = ParsedField("", widget=forms.HiddenInput(), parse=whole_number)

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return the form that shows `endpoint`."""
        return cls(
            initial={
                "revision": endpoint.row.revision,
                "name": endpoint.row.name,
                "address": endpoint.row.address,
                "type": endpoint.subscription.types,
                "models": "\n".join(endpoint.subscription.models),
                "stage": [stage.value for stage in endpoint.subscription.stages],
            }
        )


def _hours(text: str) -> int:
    hours = whole_number(text, at_most=OVERLAP_HOURS_MAX)
    # What is not a number is refused like a number that is out of bounds.
    return -1 if hours is None else hours


class SecretForm(PageForm):
    """How long the old secret stays valid beside a new one."""

    overlap_hours = ParsedField(
        "Keep the old secret valid",
        widget=select(
            [
                (str(hours), f"for {hours} hour{'s' * (hours > 1)}" if hours else "off")
                for hours in OVERLAP_HOURS
            ]
        ),
        parse=_hours,
    )


def _days(text: str) -> int:
    days = whole_number(text, at_least=1, at_most=max(REPLAY_DAYS))
    if days is None:
        raise InvalidInput("Choose a number of days.")
    return days


class ReplayForm(PageForm):
    """Since when deliveries are sent again."""

    days = ParsedField(
        "From the last",
        widget=select([(str(days), f"{days} day{'s' * (days > 1)}") for days in REPLAY_DAYS]),
        parse=_days,
    )
