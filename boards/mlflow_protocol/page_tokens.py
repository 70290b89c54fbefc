"""Page tokens: the cursors of searches, refused in MLflow's words."""

from __future__ import annotations

from boards.mlflow_protocol.errors import invalid
from boards.queries.paging.keyset import BrokenCursor, Order, Value


def read_page_token(token: str, order: Order) -> tuple[Value, ...] | None:
    """The place of a token; None for none.

    Raises:
        ProtocolError: it was not made here, or for another order.
    """
    try:
        return order.parse(token)
    except BrokenCursor:
        raise invalid("Invalid page token, could not base64-decode") from None
