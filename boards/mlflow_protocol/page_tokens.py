"""Page tokens: the cursors of searches, with MLflow's error message."""

from __future__ import annotations

from boards.mlflow_protocol.errors import invalid
from boards.queries.paging.keyset import BrokenCursor, Order, Value


def read_page_token(token: str, order: Order) -> tuple[Value, ...] | None:
    """Return the position of a token; None without a token.

    Raises:
        ProtocolError: it was not created here, or for another order.
    """
    try:
        return order.parse(token)
    except BrokenCursor:
        raise invalid("Invalid page token, could not base64-decode") from None
