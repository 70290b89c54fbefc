"""The form of a rollback."""

from __future__ import annotations

from boards.queries.paging.whole_number import whole_number
from boards.views.forms import PageForm, ParsedField, reason_field, select
from obeya.errors import InvalidInput


def _version(text: str) -> int | None:
    number = whole_number(text)
    if text and number is None:
        raise InvalidInput("Choose the version to roll back to from the list.")
    return number


class RollbackForm(PageForm):
    """The version to move back to Production, and the reason.

    The template writes the options: they follow what is in Production now, not what was sent.
    """

    ids = "rollback-%s"

    to_version = ParsedField("Roll back to", widget=select(), parse=_version)
    reason = reason_field(rows=2, required=True)
