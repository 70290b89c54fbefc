"""Tokens, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body, Time
from obeya import names
from obeya.filters.globs import GLOBS_MAX
from obeya.tokens import TOKEN_DAYS, TOKEN_DAYS_MAX


class NewToken(Body):
    """A token to create. Without `models` it has access to all models.

    A service account gets the scope `approve` only with `allow_service_approval`.
    """

    name: Annotated[str, Field(min_length=1, max_length=names.TOKEN_NAME_MAX)]
    scopes: Annotated[
        list[Literal["read", "write", "promote", "approve", "admin"]], Field(min_length=1)
    ]
    models: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=names.MODEL_NAME_MAX)]],
        Field(max_length=GLOBS_MAX),
    ] = []
    expires_in_days: Annotated[int, Field(ge=1, le=TOKEN_DAYS_MAX)] = TOKEN_DAYS
    allow_service_approval: bool = False


class Token(Schema):
    """A token, without its secret text. `prefix` is the beginning of that text."""

    id: str
    account: str
    name: str
    prefix: str
    scopes: list[str]
    models: list[str]
    created_at: Time
    expires_at: Time
    last_used_at: Time | None
    revoked_at: Time | None


class CreatedToken(Token):
    """A new token. `token` is its secret text, which you won't see again."""

    token: str


class Me(Schema):
    """The account of the token, the token, and the permissions that they have together."""

    account: str
    token: Token
    permissions: list[str]


class EventNames(Schema):
    """Current names. The hash covers only ids."""

    actor: str
    model: str | None


class Event(Schema):
    """One event of the audit log, in the form of the export that `obeya audit verify` reads.

    `event` is `canonical_text` read as JSON.
    """

    chain: str
    sequence: int
    canonical_text: str
    hash: str
    previous_hash: str
    texts: dict[str, str]
    not_hashed: EventNames
    event: dict[str, Any]


class Head(Schema):
    """The last event of a chain."""

    chain: str
    model: str | None
    events: int
    hash: str
