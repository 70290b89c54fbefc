"""The page of an account's API tokens: list, create and revoke."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission, scopes_of
from boards.queries.facts.accounts.token_list import TokensOfAccount, tokens_of_account
from boards.registry.accounts import tokens as token_writes
from boards.views.accounts.forms import TokenForm
from boards.views.http import Request, needs, page_actor
from obeya.errors import AlreadyClosed, InvalidInput


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def tokens(request: Request) -> HttpResponse:
    """Show the tokens of the user's account, and the form of a new one.

    The response to the form that created a token shows its text, once.
    """
    allowed = scopes_of(request.user)
    form = TokenForm(request.POST if request.method == "POST" else None, allowed=allowed)
    if form.is_valid():
        values = form.cleaned_data
        try:
            made, text = token_writes.create_token(
                user=request.user,
                name=values["name"],
                scopes=values["scope"],
                model_globs=values["models"],
                days=values["days"],
                actor=page_actor(request),
                at=timezone.now(),
            )
        except InvalidInput as error:
            form.refuse(error)
        else:
            return _page(request, TokenForm(allowed=allowed), made=made.name, text=text)
    return _page(request, form)


@require_POST
@needs(Permission.VIEW)
def revoke_token(request: Request, uid: uuid.UUID) -> HttpResponse:
    """Revoke a token of the user's account; administrators can revoke every token."""
    try:
        ended = token_writes.revoke_token(uid=uid, actor=page_actor(request), at=timezone.now())
        messages.success(request, f"Token “{ended.name}” revoked.")
    except AlreadyClosed as error:
        messages.info(request, str(error))
    return redirect("boards:tokens")


def _page(request: Request, form: TokenForm, *, made: str = "", text: str = "") -> HttpResponse:
    found: TokensOfAccount = tokens_of_account(request.user, timezone.now())
    context = {
        "section": "account",
        "form": form,
        "tokens": found,
        "made": made,
        "text": text,
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    response = render(request, "api_tokens.html", context, status=form.status)
    if text:
        add_never_cache_headers(response)
    return response
