"""API tokens: their format, and what they allow."""

from __future__ import annotations

import hashlib
import json
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
TOKEN_DAYS = 90
TOKEN_DAYS_MAX = 366

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}\Z")


class Scope(StrEnum):
    """The scope of a token; every scope includes reading."""

    READ = "read"
    WRITE = "write"
    PROMOTE = "promote"
    APPROVE = "approve"
    ADMIN = "admin"

    @property
    def deed(self) -> str:
        """What the scope allows, as a phrase for users."""
        return _DEEDS[self]


_DEEDS = {
    Scope.READ: "see models, versions, policies and the audit log",
    Scope.WRITE: (
        "register and edit versions, log metrics, report live values, store policy checks, request "
        "moves, and move versions except into or out of Production"
    ),
    Scope.PROMOTE: "move versions to any stage, roll back, store policy checks, and request moves",
    Scope.APPROVE: "approve or reject requests, store policy checks, and waive requirements",
    Scope.ADMIN: (
        "edit policies, guardrails, WIP limits and metric definitions, manage webhooks, import "
        "versions with their stages, and rename, configure or delete models"
    ),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """The scopes and models of a token. Its account must have the permissions too.

    `models` are globs of model names, in which ``*`` matches any text and ``?`` any one character.
    Without globs the token covers every model and everything that belongs to no model.

    Raises:
        InvalidInput: there is no scope, a scope is unknown, or a glob cannot match any model name.
    """

    scopes: frozenset[Scope]
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", read_scopes(self.scopes))
        object.__setattr__(self, "models", model_globs(self.models, whose="A token"))

    @property
    def models_digest(self) -> str:
        """The SHA-256 of the globs, whatever their order, as hexadecimal digits; "" without globs.

        What a limited token stores before it belongs to a model is reached by tokens with the same
        globs only.
        """
        if not self.models:
            return ""
        return hashlib.sha256(json.dumps(sorted(self.models)).encode()).hexdigest()

    def covers(self, model: str | None) -> bool:
        """Return whether the grant covers the model, or (None) what belongs to no model."""
        if not self.models:
            return True
        return model is not None and any(glob_matches(glob, model) for glob in self.models)


def read_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes with these names.

    Raises:
        InvalidInput: there is no scope, or one is unknown.
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
        raise InvalidInput(f"Choose at least one scope: {', '.join(Scope)}.", field="scopes")
    return frozenset(read)


def check_service_scopes(scopes: Iterable[Scope], *, allow_service_approval: bool) -> None:
    """Check that a token of a service account can have these scopes.

    Raises:
        InvalidInput: one is approve, and the caller did not allow it explicitly.
    """
    if Scope.APPROVE in scopes and not allow_service_approval:
        raise InvalidInput(
            "The scope approve lets a program approve requests, but approvals are by people: a "
            "policy counts those of a service account only with count_service_approvals. Leave the "
            "scope out, or allow it with --allow-service-approval (API: allow_service_approval).",
            field="scopes",
        )


def new_token() -> str:
    """Return a new token: ``obeya_``, 40 random characters, and a checksum of 6.

    The prefix and the checksum let scanners recognize a leaked token.
    """
    secret = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LENGTH))
    return secret + _checksum(secret)


def is_token(text: str) -> bool:
    """Return whether the text has the form of a token and its checksum is correct."""
    return _TOKEN.match(text) is not None and text.endswith(_checksum(text[:-CHECKSUM_LENGTH]))


def _checksum(text: str) -> str:
    """Return the CRC-32 in base 62; the largest value takes six digits."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
