"""The forms of transition requests, reviews and waivers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django import forms

from boards.views.forms import (
    Checkboxes,
    PageForm,
    ParsedField,
    reason_field,
    text_input,
    with_mark,
)
from boards.views.reviews.waiver_expiry import DAYS, UNTIL, waiver_end
from obeya import names


class RequestForm(PageForm):
    """The reason of a transition request, and what the transition archives."""

    ids = "request-%s"

    reason = reason_field(
        "Reason", rows=3, required=True, parse=partial(names.required_reason, to="request the move")
    )
    archive_existing = forms.BooleanField(required=False)

    def offer_to_archive(self, occupants: tuple[int, ...]) -> None:
        """Offer to archive the versions in Production; hide the field if there are none."""
        if occupants:
            versions = ", ".join(f"v{number}" for number in occupants)
            # A form that was validated has taken the labels of its fields already.
            self["archive_existing"].label = f"Also archive {versions}, now in Production"
        else:
            del self.fields["archive_existing"]


class ReviewForm(PageForm):
    """The comment of a review."""

    comment = reason_field(with_mark("Comment", "required to reject"), rows=3)


class WaiverForm(PageForm):
    """The requirements to waive, the reason and the expiry.

    `time_zone` is the reader's, which their browser states.
    """

    error_fields: ClassVar[Mapping[str, str]] = {
        "requirements": "requirement",
        "expires_at": "expires_on",
    }

    requirement = ParsedField("Requirements", widget=Checkboxes())
    reason = reason_field(rows=3, required=True)
    expires = ParsedField(
        "Expiry",
        widget=forms.RadioSelect(
            choices=[
                *((str(days), f"after {days} days") for days in DAYS),
                (UNTIL, "at the end of"),
            ]
        ),
    )
    expires_on = ParsedField(
        "Last day of the waiver",
        widget=text_input(
            "choice-day",
            type="date",
            **{"aria-label": "Last day of the waiver"},
        ),
        parse=str.strip,
    )
    time_zone = ParsedField("", widget=forms.HiddenInput({"data-time-zone": True}), parse=str.strip)

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, requirements: list[str] | None = None
    ) -> None:
        super().__init__(data, initial={"requirement": requirements, "expires": DAYS[0]})

    def expires_at(self, now: datetime) -> datetime:
        """Return when the waiver ends. Raises `InvalidInput`."""
        values = self.cleaned_data
        return waiver_end(values["expires"], values["expires_on"], values["time_zone"], now)


class RevokeForm(PageForm):
    """The reason for revoking a waiver."""

    reason = reason_field(with_mark("Reason", "optional"), rows=2)
