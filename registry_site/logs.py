"""Log lines without secrets. Everything that this installation logs is formatted here."""

from __future__ import annotations

import logging
import re

from obeya.tokens import PREFIX, SHOWN_LENGTH
from obeya.webhooks import signing

_ANY = r"[^\s\"'<>&#]+"
_SLASH = "(?:/|%(?:25)*2f)"
# What is kept of a secret, for each kind; the rest becomes an ellipsis.
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # A sign-in link.
        rf"({_SLASH}sign(?:-|%2d)in{_SLASH}once{_SLASH})(?:(?!{_SLASH})[^\s\"'<>?&#])+",
        # An API token. Its start is shown on pages, to identify it.
        rf"({PREFIX}\w{{{SHOWN_LENGTH - len(PREFIX)}}})[0-9A-Za-z]{{8,}}",
        rf"({signing.PREFIX})[\w+/=-]+",
        r"(\bauthorization\W{1,6}\w+[ +])[^\s\"']+",
        # The password in a URL, and the secrets that other systems put into paths and queries.
        r"(\b\w[\w+.-]*://[^\s/@:]*:)[^\s/@]+(?=@)",
        rf"(hooks\.slack\.com{_SLASH})(?=\w){_ANY}",
        rf"(outlook\.office(?:365)?\.com{_SLASH}webhook\w*{_SLASH}){_ANY}",
        rf"(\.webhook\.office\.com{_SLASH}webhook\w*{_SLASH}){_ANY}",
        rf"(discord(?:app)?\.com{_SLASH}api{_SLASH}(?:v\d+{_SLASH})?webhooks{_SLASH}){_ANY}",
        rf"([?&;](?:[\w-]*(?:token|secret|password|signature|credential|api_?key)|sig|key)=){_ANY}",
    )
)


class RedactingFormatter(logging.Formatter):
    """Replaces the secrets in a line and its traceback, wherever they come from."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it, without secrets."""
        return redacted(super().format(record))


def redacted(text: str) -> str:
    """Return the text with an ellipsis in place of sign-in links, tokens and passwords."""
    for secret in _SECRETS:
        text = secret.sub(r"\1…", text)
    return text
