"""The forms of API tokens and passwords."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html

from boards.models import User
from boards.queries.paging.whole_number import whole_number
from boards.registry.accounts.password_attempts import attempted
from boards.views.forms import (
    Checkboxes,
    PageForm,
    ParsedField,
    select,
    text_area,
    text_input,
    with_mark,
)
from obeya.names import TOKEN_NAME_MAX
from obeya.tokens import TOKEN_DAYS, Scope
from obeya.webhooks.endpoints import words_of

DAYS = (7, 30, 90, 365)


class TokenForm(PageForm):
    """A new token of an account; scopes outside `allowed` are shown but cannot be chosen."""

    ids = "token-%s"
    error_fields: ClassVar[Mapping[str, str]] = {"scopes": "scope", "expires_in_days": "days"}

    name = ParsedField(
        "Name",
        widget=text_input(maxlength=TOKEN_NAME_MAX, required=True, placeholder="Nightly training"),
    )
    scope = ParsedField("Scopes", widget=Checkboxes())
    models = ParsedField(
        "Models (optional)",
        widget=text_area(rows=2, spellcheck="false", placeholder="fraud-*"),
        parse=words_of,
        help_text="One name per line; * matches any text. Leave empty to allow all models, "
        "and settings that apply to all models, such as default policies.",
    )
    days = ParsedField(
        "Valid for",
        widget=select([(str(days), f"{days} days") for days in DAYS]),
        # What is not a number is refused like a number that is out of bounds.
        parse=lambda text: whole_number(text) or 0,
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, allowed: Collection[Scope]
    ) -> None:
        super().__init__(data, initial={"scope": [Scope.READ.value], "days": TOKEN_DAYS})
        self.fields["scope"].widget = Checkboxes(
            choices=[(scope.value, _scope_label(scope, scope in allowed)) for scope in Scope],
            disabled=[scope.value for scope in Scope if scope not in allowed],
        )


def _scope_label(scope: Scope, is_allowed: bool) -> str:
    label = format_html("<strong>{}</strong>: {}", scope.value, scope.deed)
    return label if is_allowed else with_mark(label, "your account does not have the permission")


class OwnPasswordForm(PasswordChangeForm):
    """A new password and the old one. The limits on wrong passwords are those of a sign-in."""

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address

    def clean_old_password(self) -> str:
        """Check the old password. Raises `TooManyRequests`."""
        password = str(self.cleaned_data["old_password"])
        is_right = attempted(
            username=self.user.username,
            address=self._address,
            at=timezone.now(),
            check=lambda: self.user.check_password(password) or None,
        )
        if not is_right:
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return password


def password_form(
    user: User, data: Mapping[str, Any] | None, *, address: str
) -> SetPasswordForm[User]:
    """Return the form of a new password; an account that has one must enter it.

    `address` is that of the client.
    """
    form: SetPasswordForm[User]
    if user.has_usable_password():
        form = OwnPasswordForm(user, data, label_suffix="", address=address)
    else:
        form = SetPasswordForm(user, data, label_suffix="")
    for field in form.fields.values():
        field.widget.attrs |= {"class": "input", "autofocus": False}
        # What a password has to be is said when one is refused.
        field.help_text = ""
    return form
