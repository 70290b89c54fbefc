"""Tokens, and the account of the request's token."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Router

from boards.access.permissions import Permission
from boards.api.answers import answer, created, done, with_secret
from boards.api.guard import ApiRequest
from boards.api.schemas.access import CreatedToken, Me, NewToken, Token
from boards.api.schemas.basics import Items
from boards.models import ApiToken
from boards.queries.facts.accounts.token_list import tokens_of
from boards.registry.accounts import tokens as token_writes
from obeya.documents.reading import written_time

router = Router(tags=["Tokens"])


@router.get("/me", response=Me)
def get_me(request: ApiRequest) -> HttpResponse:
    """Retrieve the token of this request, its account and its permissions."""
    permissions = [permission.value for permission in Permission if request.actor.may(permission)]
    return answer(
        {
            "account": request.user.username,
            "token": _document(request.token),
            "permissions": permissions,
        }
    )


@router.get("/tokens", response=Items[Token])
def list_tokens(request: ApiRequest) -> HttpResponse:
    """List the tokens of your account, newest first. Their secret texts are not included."""
    request.actor.require(Permission.VIEW, None)
    return answer({"items": [_document(row) for row in tokens_of(request.user)]})


@router.post("/tokens", response={201: CreatedToken})
def create_token(request: ApiRequest, new: NewToken) -> HttpResponse:
    """Create a token for your account. You won't see it again."""
    row, text = token_writes.create_token(
        user=request.user,
        name=new.name,
        scopes=new.scopes,
        model_globs=new.models,
        days=new.expires_in_days,
        allow_service_approval=new.allow_service_approval,
        actor=request.actor,
        at=timezone.now(),
    )
    return with_secret(created({**_document(row), "token": text}))


@router.delete("/tokens/{uid}", response={204: None})
def revoke_token(request: ApiRequest, uid: Annotated[uuid.UUID, Path()]) -> HttpResponse:
    """Revoke a token. It becomes invalid immediately."""
    token_writes.revoke_token(uid=uid, actor=request.actor, at=timezone.now())
    return done()


def _document(row: ApiToken) -> dict[str, Any]:
    return {
        "id": str(row.uid),
        "account": row.user.username,
        "name": row.name,
        "prefix": row.shown,
        "scopes": row.scopes,
        "models": row.model_globs,
        "created_at": written_time(row.created_at),
        "expires_at": written_time(row.expires_at),
        "last_used_at": written_time(row.last_used_at) if row.last_used_at else None,
        "revoked_at": written_time(row.revoked_at) if row.revoked_at else None,
    }
