"""Tokens, and the audit log."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

from boards.api.schemas.basics import Body, Time


class NewToken(Body):
    """A token that is to be made."""

    name: str
    scopes: list[Literal["read", "write", "promote", "approve", "admin"]]
    models: list[str] = []
    expires_in_days: int = 90


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


class MadeToken(Token):
    """A token as it was made, with its text."""

    token: str


class Me(Schema):
    """Who the token stands for, and what it may do."""

    account: str
    token: Token
    rights: list[str]


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
