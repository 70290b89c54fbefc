"""The addresses that tokens are used from: the first use from each is an event."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from boards.access.actors import Actor
from boards.access.address_hashes import address_hashes
from boards.models import ApiToken, TokenAddress
from boards.registry.commit import writing_site
from obeya.records import Action, Channel

# Beyond this number, the oldest address of the token is forgotten, and is new when it returns.
ADDRESSES_MAX = 100


def record_token_use(*, token: ApiToken, address: str, channel: Channel, at: datetime) -> None:
    """Record the use of a token, if it was never used from the address. One statement if it was."""
    hashes = address_hashes(address)
    known = TokenAddress.objects.filter(token=token, address__in=hashes)
    if known.exists():
        return
    with writing_site(actor=Actor(token.user, channel), at=at) as write:
        if known.exists():
            return
        TokenAddress.objects.create(token=token, address=hashes[0], first_used_at=at)
        newest = TokenAddress.objects.filter(token=token).order_by("-first_used_at", "-pk")
        TokenAddress.objects.filter(
            pk__in=list(newest[ADDRESSES_MAX:].values_list("pk", flat=True))
        ).delete()
        write.record(
            Action.TOKEN_USED_FROM_NEW_ADDRESS,
            data={"token": str(token.uid), "address": hashes[0]},
            texts={"name": token.name},
        )


def forget_token_addresses(*, at: datetime) -> None:
    """Delete the addresses of the tokens that are revoked or expired."""
    over = ApiToken.objects.filter(~Q(revoked_at=None) | Q(expires_at__lte=at))
    TokenAddress.objects.filter(token__in=over).delete()
