"""API tokens: how they are written, and what they let their bearer do."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from obeya.errors import InvalidInput
from obeya.filters.globs import glob_matches, model_globs

PREFIX = "obeya_"
SECRET_LENGTH = 40
CHECKSUM_LENGTH = 6
SHOWN_LENGTH = len(PREFIX) + 6

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}\Z")


class Scope(StrEnum):
    """What a token may be used for; every scope includes reading."""

    READ = "read"
    WRITE = "write"
    PROMOTE = "promote"
    APPROVE = "approve"
    ADMIN = "admin"

    @property
    def deed(self) -> str:
        """What the scope allows, for people."""
        return _DEEDS[self]


_DEEDS = {
    Scope.READ: "see models, versions and the log",
    Scope.WRITE: "register versions, log metrics, and move versions short of Production",
    Scope.PROMOTE: "move versions into and out of Production",
    Scope.APPROVE: "vote on requests and waive requirements",
    Scope.ADMIN: "edit policies, and rename, configure or delete models",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token lets its bearer do, within what its account may.

    `models` are globs of model names, in which ``*`` stands for any text and ``?`` for any one
    character; none means every model and what belongs to the site itself.

    Raises:
        InvalidInput: no scope, an unknown one, or a glob that no model's name could match.
    """

    scopes: frozenset[Scope]
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", read_scopes(self.scopes))
        object.__setattr__(self, "models", model_globs(self.models, whose="A token"))

    def covers(self, model: str | None) -> bool:
        """Whether the model, or (None) what belongs to the site, is within the grant."""
        if not self.models:
            return True
        return model is not None and any(glob_matches(glob, model) for glob in self.models)


def read_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """The scopes by their names.

    Raises:
        InvalidInput: there is none, or one is unknown.
    """
    read: set[Scope] = set()
    for scope in scopes:
        try:
            read.add(Scope(scope))
        except ValueError:
            raise InvalidInput(
                f"“{str(scope)[:32]}” is not a scope; the scopes are {', '.join(Scope)}.",
                field="scopes",
            ) from None
    if not read:
        raise InvalidInput(f"Give at least one scope of {', '.join(Scope)}.", field="scopes")
    return frozenset(read)


def new_token() -> str:
    """A new token: ``obeya_``, 40 random characters, and a checksum of 6.

    The prefix and the checksum let scanners tell a leaked token from other text.
    """
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
    return secret + _checksum(secret)


def is_token(text: str) -> bool:
    """Whether the text has the form of a token and its checksum holds."""
    return _TOKEN.match(text) is not None and text.endswith(_checksum(text[:-CHECKSUM_LENGTH]))


def _checksum(text: str) -> str:
    """CRC-32 in base 62; the largest takes six digits."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
