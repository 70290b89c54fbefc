"""The page of an account's API tokens: what there is, making one, ending one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from boards.access.permissions import Permission, scopes_of
from boards.queries.facts.token_list import TokensOfAccount, tokens_of_account
from boards.queries.paging.whole_number import whole_number
from boards.registry.accounts import tokens as token_writes
from boards.views.http import Request, needs, page_actor
from obeya.errors import AlreadyClosed, InvalidInput
from obeya.tokens import Scope

DAYS = (7, 30, 90, 365)


@dataclass(slots=True, kw_only=True)
class TokenForm:
    """The form of a new token as it was typed, with a sentence for each field that cannot be."""

    name: str = ""
    scopes: list[str] = field(default_factory=lambda: [Scope.READ.value])
    models: str = ""
    days: str = "90"
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, posted: QueryDict) -> TokenForm:
        """The form as it was sent."""
        return cls(
            name=posted.get("name", ""),
            scopes=posted.getlist("scope"),
            models=posted.get("models", ""),
            days=posted.get("days", ""),
        )

    @property
    def globs(self) -> list[str]:
        """The globs, one a line or with commas between."""
        lines = self.models.replace(",", "\n").splitlines()
        return [line.strip() for line in lines if line.strip()]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW)
def tokens(request: Request) -> HttpResponse:
    """The tokens of one's own account, and the form of a new one.

    The answer to the form that made one shows its text, once.
    """
    if request.method != "POST":
        return _page(request, TokenForm())
    form = TokenForm.read(request.POST)
    days = whole_number(form.days)
    try:
        made, text = token_writes.create_token(
            user=request.user,
            name=form.name,
            scopes=form.scopes,
            model_globs=form.globs,
            days=-1 if days is None else days,
            actor=page_actor(request),
            at=timezone.now(),
        )
    except InvalidInput as error:
        form.problems[error.field or "name"] = str(error)
        return _page(request, form, status=error.http_status)
    return _page(request, TokenForm(), made=made.name, text=text)


@require_POST
@needs(Permission.VIEW)
def revoke_token(request: Request, uid: uuid.UUID) -> HttpResponse:
    """End a token of one's own, or of anybody for who administers."""
    try:
        ended = token_writes.revoke_token(uid=uid, actor=page_actor(request), at=timezone.now())
        messages.success(request, f"The token “{ended.name}” is revoked.")
    except AlreadyClosed as error:
        messages.info(request, str(error))
    return redirect("boards:tokens")


def _page(
    request: Request, form: TokenForm, *, made: str = "", text: str = "", status: int = 200
) -> HttpResponse:
    found: TokensOfAccount = tokens_of_account(request.user, timezone.now())
    allowed = scopes_of(request.user)
    context = {
        "section": "account",
        "form": form,
        "scopes": [(scope, scope in allowed) for scope in Scope],
        "days": DAYS,
        "tokens": found,
        "made": made,
        "text": text,
        "base": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "api_tokens.html", context, status=status)
