"""Tokens, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body, Time
from boards.registry.accounts.tokens import TOKEN_DAYS, TOKEN_DAYS_MAX
from obeya import names
from obeya.filters.globs import GLOBS_MAX


class NewToken(Body):
    """A token that is to be made."""

    name: Annotated[str, Field(min_length=1, max_length=names.TOKEN_NAME_MAX)]
    scopes: Annotated[
        list[Literal["read", "write", "promote", "approve", "admin"]], Field(min_length=1)
    ]
    models: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=names.MODEL_NAME_MAX)]],
        Field(max_length=GLOBS_MAX),
    ] = []
    expires_in_days: Annotated[int, Field(ge=1, le=TOKEN_DAYS_MAX)] = TOKEN_DAYS


class Token(Schema):
    """A token; its text is told once, when it is made."""

    id: str
    account: str
    name: str
    shown: str
    scopes: list[str]
    models: list[str]
    created_at: Time
    expires_at: Time
    last_used_at: Time | None
    revoked_at: Time | None


class CreatedToken(Token):
    """A token as it was made, with its text."""

    token: str


class Me(Schema):
    """Who the token stands for, and what it may do."""

    account: str
    token: Token
    permissions: list[str]


class EventNames(Schema):
    """Names as they are now; the hash covers ids alone."""

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
