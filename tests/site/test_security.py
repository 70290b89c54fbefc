"""Security of the settings: headers, hosts, sign-in and health endpoints."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import connection
from django.test import override_settings
from django.urls import reverse

from boards import triggers
from boards.registry.accounts.password_attempts import ACCOUNT_FROM_ADDRESS_MAX
from registry_site import health

ROOT = Path(__file__).parents[2]
SIGN_IN = "boards:sign_in"
RIGHT = "a long enough password"
WRONG = "wrong"


def manage(*arguments, **variables):
    environment = {**os.environ, **variables}
    del environment["DJANGO_ALLOW_ASYNC_UNSAFE"]  # set only for the tests
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_check_deploy_is_clean():
    variables = {"OBEYA_HTTPS": "1", "OBEYA_TRUSTED_PROXIES": "127.0.0.1"}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **variables)
    assert done.returncode == 0, done.stderr


def test_there_is_nothing_left_to_migrate():
    done = manage("makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr


def policy_of(answer):
    return {
        name: values
        for name, *values in (
            part.split() for part in answer.headers["Content-Security-Policy"].split(";")
        )
    }


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/sign-in/", "/", "/nowhere", "/admin/login/", "/livez"])
def test_every_answer_carries_the_policy(client, path):
    assert policy_of(client.get(path)) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }


def test_another_host_is_refused_and_the_policy_sent(client):
    answer = client.get("/livez", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert policy_of(answer)["default-src"] == ["'none'"]


@pytest.mark.django_db
def test_visitors_are_sent_to_sign_in(client):
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{reverse(SIGN_IN)}?next=/"


@override_settings(SECURE_SSL_REDIRECT=True)
def test_health_is_not_redirected(client):
    assert client.get("/livez").status_code == 200
    assert client.get("/sign-in/").status_code == 301


def sign_in(client, username="alice", password=WRONG, **extra):
    data = {"username": username, "password": password}
    return client.post(reverse(SIGN_IN), data, **extra)


@pytest.fixture
def alice(db):
    return get_user_model().objects.create_user("alice", password=RIGHT)


def test_too_many_wrong_passwords_are_refused_whatever_headers_claim(client, alice):
    for n in range(ACCOUNT_FROM_ADDRESS_MAX):
        forged = {"X-Forwarded-For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}"}
        assert sign_in(client, headers=forged).status_code == 200
    for path in (reverse(SIGN_IN), reverse("admin:login")):
        right = client.post(path, {"username": "alice", "password": RIGHT})
        assert right.status_code == 429
        assert 890 < int(right["Retry-After"]) <= 900
        assert policy_of(right)["default-src"] == ["'none'"]
        assert "Wait 15 minutes" in right.content.decode()
    assert sign_in(client, username="bob").status_code == 200
    assert sign_in(client, password=RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_behind_a_trusted_proxy_each_client_has_its_own_limit(client, alice, settings):
    settings.OBEYA_TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    for _ in range(ACCOUNT_FROM_ADDRESS_MAX):
        sign_in(client, headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.1"})
    refused = sign_in(client, password=RIGHT, headers={"X-Forwarded-For": "203.0.113.1"})
    assert refused.status_code == 429
    other = sign_in(client, password=RIGHT, headers={"X-Forwarded-For": "203.0.113.1, 192.0.2.1"})
    assert other.status_code == 302


def test_the_old_password_has_the_same_limits(client, alice):
    client.force_login(alice)
    new = {"new_password1": "another long password", "new_password2": "another long password"}
    for _ in range(ACCOUNT_FROM_ADDRESS_MAX):
        wrong = client.post(reverse("boards:set_password"), {"old_password": WRONG, **new})
        assert wrong.status_code == 400
    refused = client.post(reverse("boards:set_password"), {"old_password": RIGHT, **new})
    assert refused.status_code == 429
    assert "Wait 15 minutes" in refused.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(RIGHT)


def test_a_session_from_before_the_limits_of_this_version_stays_valid(client, alice):
    client.force_login(alice, "django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse("boards:set_password")).status_code == 200


def test_a_proxy_that_is_not_listed_is_reported(settings):
    settings.OBEYA_HTTPS = True
    [found] = checks.run_checks(tags=["security"])
    assert (found.id, found.level) == ("boards.W001", checks.WARNING)
    assert "OBEYA_TRUSTED_PROXIES" in found.hint
    settings.OBEYA_TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    assert checks.run_checks(tags=["security"]) == []


def test_the_session_id_changes_at_sign_in(client, alice):
    session = client.session
    session["before"] = True
    session.save()
    before = session.session_key
    sign_in(client, password=RIGHT)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


def test_livez_does_not_query_the_database(client):
    # This test has no access to the database, so a query would fail it.
    assert client.get("/livez").content == b"ok\n"


@pytest.mark.django_db
def test_readyz_is_ok_on_a_migrated_database(client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.django_db
def test_readyz_names_a_missing_trigger(client):
    name = f"{triggers.TABLE}_no_update"
    if connection.vendor == "postgresql":
        name = f"{triggers.TABLE}_no_change"
    on_table = f" ON {triggers.TABLE}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on_table}")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert name in answer.content.decode()


@pytest.mark.django_db
def test_readyz_waits_for_migrations(client, monkeypatch):
    monkeypatch.setattr(health._Migrated, "known", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'boards'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (
        503,
        b"Some database migrations are not applied.\n",
    )
