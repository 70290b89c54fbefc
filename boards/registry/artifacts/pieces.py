"""Store files that are uploaded in pieces."""

from __future__ import annotations

from datetime import datetime

from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.files import upload_pieces
from boards.files.blob_store import Body
from boards.files.upload_pieces import Received, Sending
from boards.queries.facts.files.artifact import received
from boards.registry.artifacts.artifacts import store_blob


def store_piece(
    *, sending: Sending, body: Body, length: int, offset: int, actor: Actor, at: datetime
) -> Received:
    """Add a piece of `length` bytes to a file at `offset`; the last piece completes the file.

    Raises:
        NotAllowed: the actor does not have the register permission.
        TooLarge, InvalidInput, StorageFull: see `boards.files.upload_pieces.append`.
    """
    actor.require_anywhere(Permission.REGISTER)
    before = received(sending)
    if before.sha256:
        return before
    here = upload_pieces.append(sending, body, length=length, offset=offset)
    if here < sending.size:
        return received(sending)
    try:
        whole = upload_pieces.opened(sending)
    except FileNotFoundError:
        # Another browser window that uploads the same file completed it first.
        return received(sending)
    with whole:
        blob = store_blob(body=whole, size=sending.size, actor=actor, at=at)
    upload_pieces.finish(sending, blob.sha256)
    return Received(here, blob.sha256)
