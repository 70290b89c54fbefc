"""The callers of the access matrix, and how a response answers them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.access.permissions import GROUPS, scopes_of
from boards.models import ApiToken, User
from boards.registry.accounts.tokens import create_token, revoke_token
from boards.registry.accounts.users import create_user
from obeya.tokens import Scope

BACKEND = "django.contrib.auth.backends.ModelBackend"
ROLES = tuple(GROUPS)
UNKNOWN = ("anonymous", "expired", "revoked", "inactive")
# An administrator's tokens: one to read, one for models that do not exist.
LIMITED = ("read scope", "other models")
CALLERS = (*UNKNOWN, *LIMITED, "no group", *ROLES)


class Outcome(StrEnum):
    """What a response says about the caller's access."""

    ALLOWED = "allowed"
    SIGN_IN = "sign in"
    DENIED = "denied"
    HIDDEN = "hidden"
    UNSUPPORTED = "unsupported"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of a request, and the status and beginning of its response."""

    outcome: Outcome
    text: str


class Caller:
    """A client with a session, a token or neither. What its requests change is rolled back."""

    def __init__(self, *, token: str = "", user: User | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = Client(raise_request_exception=False, headers=headers)
        if user is not None:
            self._client.force_login(user, BACKEND)
        self._cookies = {name: morsel.value for name, morsel in self._client.cookies.items()}

    def send(self, method: str, address: str, body: Any, kind: str) -> Response:
        """Send a request, roll back what it changed, and say what its response means."""
        with transaction.atomic():
            answer = self.sent(method, address, body, kind)
            transaction.set_rollback(True)
        start = answer.getvalue()[:160].decode(errors="replace")
        return Response(outcome_of(answer), f"{answer.status_code} {start}")

    def sent(self, method: str, address: str, body: Any, kind: str, **headers: str) -> Any:
        """Send a request with the caller's own cookies, and return the response, read to its end.

        A stream runs as it is read.
        """
        self._client.cookies.clear()
        for name, value in self._cookies.items():
            self._client.cookies[name] = value
        answer = self._client.generic(method, address, body, content_type=kind, headers=headers)
        if answer.streaming:
            answer.streaming_content = [answer.getvalue()]
        return answer


def outcome_of(answer: Any) -> Outcome:
    """Return what a response says about the access of its caller."""
    status, location = answer.status_code, answer.headers.get("Location", "")
    if status == 401 or location.startswith(("/sign-in/", "/admin/login/")):
        return Outcome.SIGN_IN
    special = {403: Outcome.DENIED, 404: Outcome.HIDDEN, 405: Outcome.UNSUPPORTED}
    if status in special:
        return special[status]
    # 501 is what MLflow's clients expect for uploads in parts, and 503 of /readyz is an answer.
    return Outcome.BROKEN if status >= 500 and status != 501 else Outcome.ALLOWED


def accounts() -> dict[str, User]:
    """Return an account in each role, one in none, and one that will be deactivated.

    The administrator is the one who filled the registry.
    """
    at = timezone.now()
    made = {
        role: create_user(username=f"a-{role}", group=role, actor=SYSTEM, at=at)
        for role in ROLES
        if role != "administrator"
    }
    made["administrator"] = User.objects.get(username="ada")
    for name in ("no group", "inactive"):
        made[name] = create_user(
            username=name.replace(" ", "-"), group="administrator", actor=SYSTEM, at=at
        )
    return made


def take_access_away(made: dict[str, User]) -> None:
    """Deactivate an account and take all permissions from another, after their tokens exist."""
    User.objects.filter(pk=made["inactive"].pk).update(is_active=False)
    made["no group"].groups.set(Group.objects.none())
    User.objects.filter(pk=made["no group"].pk).update(is_superuser=False, is_staff=False)


def token_callers(made: dict[str, User]) -> dict[str, Caller]:
    """Return a caller with a token, or with none, for each of `CALLERS`."""
    administrator = made["administrator"]
    callers = {
        "anonymous": Caller(),
        "expired": Caller(token=_token(administrator, Scope, expired=True)),
        "revoked": Caller(token=_token(administrator, Scope, revoked=True)),
        "read scope": Caller(token=_token(administrator, [Scope.READ])),
        "other models": Caller(token=_token(administrator, Scope, models=["other-*"])),
    }
    return callers | {
        name: Caller(token=_token(user, scopes_of(user))) for name, user in made.items()
    }


def page_callers(made: dict[str, User]) -> dict[str, Caller]:
    """Return a caller with a session, or with what is none on pages, for each of `CALLERS`."""
    with_token = token_callers(made)
    signed_in = {name: Caller(user=user) for name, user in made.items()}
    return {name: signed_in.get(name) or with_token[name] for name in CALLERS}


def _token(
    user: User,
    scopes: Iterable[Scope],
    *,
    models: Iterable[str] = (),
    expired: bool = False,
    revoked: bool = False,
) -> str:
    at = timezone.now()
    row, text = create_token(
        user=user, name="a caller", scopes=scopes, model_globs=models, actor=SYSTEM, at=at
    )
    if expired:
        ApiToken.objects.filter(pk=row.pk).update(expires_at=at - timedelta(seconds=1))
    if revoked:
        revoke_token(uid=row.uid, actor=SYSTEM, at=at)
    return text
