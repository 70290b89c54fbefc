"""Reads write nothing, and need no database that can be written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as site
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import ApiToken, TransitionRequest, User, Waiver
from boards.registry.accounts.tokens import create_token
from boards.registry.accounts.users import create_user
from obeya.tokens import Scope
from registry_site.cli._start import create_anonymous_account
from tests.access.addresses import addresses
from tests.access.callers import BACKEND
from tests.every_route import fill_registry
from tests.offenders import every_case

pytestmark = pytest.mark.django_db

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
# A session, and the last use of a token, can be written by a read.
ALLOWED = ("django_session", "boards_apitoken")
ON_SQLITE = pytest.mark.skipif(
    "postgresql" in site.DATABASES["default"]["ENGINE"],
    reason="uses PRAGMA",
)

ClientOf = Callable[[str], Client]


@pytest.fixture
def client_of() -> ClientOf:
    """Fill the registry, and return a client with the session and the token of an account.

    A request and a waiver have expired, which the log does not say yet.
    """
    fill_registry()
    past = timezone.now() - timedelta(days=400)
    TransitionRequest.objects.filter(status="open").update(opened_at=past)
    Waiver.objects.update(granted_at=past, expires_at=past + timedelta(hours=1))
    create_user(username="victor", group="viewer", actor=SYSTEM, at=timezone.now())

    def client(name: str) -> Client:
        user = User.objects.get(username=name)
        scopes = list(Scope) if name == "ada" else [Scope.READ]
        at = timezone.now()
        _, token = create_token(user=user, name="reads", scopes=scopes, actor=SYSTEM, at=at)
        made = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})
        made.force_login(user, BACKEND)
        # The first use of a token from an address is an event.
        assert made.get("/api/v1/me").status_code == 200
        ApiToken.objects.update(last_used_at=None)
        return made

    return client


def rows() -> dict[str, list[Any]]:
    """Return all rows of all tables, without what a read can write."""
    found = {}
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed or model is Session:
            continue
        columns = [field.attname for field in model._meta.concrete_fields]
        if model is ApiToken:
            columns.remove("last_used_at")
        found[model._meta.label] = list(model._default_manager.order_by("pk").values(*columns))
    return found


def status_of(client: Client, address: str, headers: dict[str, str] | None = None) -> int:
    """Return the status of a GET, after the whole response was read."""
    answer = client.get(address, headers=headers)
    answer.getvalue()
    return answer.status_code


@contextmanager
def no_writes() -> Iterator[None]:
    """Fail if a statement writes anything but a session or the last use of a token."""

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.lstrip().upper().startswith(WRITES):
            assert any(f'"{table}"' in sql for table in ALLOWED), sql[:120]
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        yield


@contextmanager
def read_only() -> Iterator[None]:
    """Let SQLite refuse every write of this connection, as if the file were read-only."""
    connection.ensure_connection()
    raw = connection.connection
    raw.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        raw.execute("PRAGMA query_only = OFF")


@pytest.mark.both_engines
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["ada", pytest.param("victor", marks=pytest.mark.release)])
def test_no_get_writes_anything_or_needs_a_database_that_can_be_written_to(
    name: str, client_of: ClientOf
) -> None:
    client = client_of(name)
    found = addresses()
    before = rows()
    # An error in a view is answered with a page, and would hide the failed assertion.
    client.raise_request_exception = True
    statuses: dict[str, int] = {}
    with every_case() as case:
        for route, address in found.items():
            fragment = {} if route.startswith(("api/", "admin/")) else {"HX-Request": "true"}
            for headers in ({}, fragment) if fragment else ({},):
                with case(f"{route or '/'} {headers}"), no_writes():
                    status = status_of(client, address, headers)
                    statuses.setdefault(route, status)
                    assert status < 500 or status == 501
    with every_case() as case:
        after = rows()
        for table in before:
            with case(table):
                assert after[table] == before[table]
    if connection.vendor != "sqlite":
        return
    client.raise_request_exception = False
    ApiToken.objects.update(last_used_at=None)
    with read_only(), every_case() as case:
        for route, address in found.items():
            with case(f"{route or '/'}, read-only"):
                assert status_of(client, address) == statuses[route]
    assert not ApiToken.objects.exclude(last_used_at=None).exists()


def test_reads_without_a_token_write_nothing(client_of: ClientOf, settings: Any) -> None:
    settings.OBEYA_ANONYMOUS = "read"
    create_anonymous_account()
    found = {r: address for r, address in addresses().items() if r.startswith("api/2.0/")}
    before = rows()
    with every_case() as case:
        for route, address in found.items():
            with case(route), no_writes():
                assert status_of(Client(), address) in (200, 404, 405, 501)
    assert rows() == before


@ON_SQLITE
@pytest.mark.django_db(transaction=True)
def test_a_session_that_cannot_be_written_fails_no_read(client_of: ClientOf, settings: Any) -> None:
    client = client_of("victor")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "x" * 50
    settings.SECRET_KEY_FALLBACKS = [old]
    key = client.session.session_key
    with read_only():
        # Django stores the session under a new key, signed with the new secret.
        assert client.get("/").status_code == 200
    assert client.session.session_key == key
    assert client.get("/").status_code == 200
    assert client.session.session_key != key
    User.objects.filter(username="victor").update(password="!")
    with read_only():
        # Django deletes the session, because the password was changed.
        assert client.get("/")["Location"].startswith("/sign-in/")


@ON_SQLITE
@pytest.mark.django_db(transaction=True)
def test_a_token_is_used_while_another_process_writes(client_of: ClientOf) -> None:
    client = client_of("victor")
    path = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert client.get("/api/v1/models").status_code == 200
        assert not ApiToken.objects.exclude(last_used_at=None).exists()
        other.execute("ROLLBACK")
    assert client.get("/api/v1/models").status_code == 200
    assert ApiToken.objects.exclude(last_used_at=None).exists()
