"""Page tokens: the place to go on from, for the order that it was made in."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime

from boards.mlflow_protocol.errors import ProtocolError, invalid
from boards.queries.paging.keyset import LATEST, microseconds, moment_at
from boards.queries.search.mlflow_search import Place, SortKey

_TOKEN_MAX = 8_192
_WHOLE_MAX = 2**63 - 1
_TIMES = frozenset({"created_at", "updated_at"})
_NUMBERS = frozenset({"number"})


def page_token(place: Place, order: Sequence[SortKey]) -> str:
    """The token of a place."""
    values = [microseconds(v) if isinstance(v, datetime) else v for v in place]
    text = json.dumps([_signature(order), values], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_page_token(token: str, order: Sequence[SortKey]) -> Place | None:
    """The place of a token; None for none.

    Raises:
        ProtocolError: it was not made here, or for another order.
    """
    if not token:
        return None
    if len(token) > _TOKEN_MAX:
        raise _broken()
    try:
        signature, values = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _broken() from None
    if signature != _signature(order) or not isinstance(values, list) or len(values) != len(order):
        raise _broken()
    return [_value(key.column, value) for key, value in zip(order, values, strict=True)]


def _signature(order: Sequence[SortKey]) -> list[str]:
    return [f"{'' if key.ascending else '-'}{key.column}" for key in order]


def _value(column: str, value: object) -> str | int | datetime:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if column in _TIMES and isinstance(value, int) and whole and 0 <= value <= LATEST:
        return moment_at(value)
    if column in _NUMBERS and isinstance(value, int) and whole and 0 <= value <= _WHOLE_MAX:
        return value
    if column not in _TIMES | _NUMBERS and isinstance(value, str) and "\x00" not in value:
        return value
    raise _broken()


def _broken() -> ProtocolError:
    return invalid("Invalid page token, could not base64-decode")
