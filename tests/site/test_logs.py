"""No line of the log contains a secret."""

from __future__ import annotations

import logging
import sys

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from obeya.tokens import new_token
from obeya.webhooks import signing
from registry_site.logs import RedactingFormatter, redacted
from tests.offenders import every_case

TOKEN, SECRET = new_token(), signing.new_secret()
LINK = "hQ-0b1_c2d3e4f5g6h7i8j9k0"


def formatter():
    line = settings.LOGGING["formatters"]["line"]
    assert line["class"] == f"{RedactingFormatter.__module__}.{RedactingFormatter.__name__}"
    return RedactingFormatter(line["format"])


def test_secrets_are_replaced_and_other_text_stays():
    cases = {
        f"Forbidden (CSRF): /sign-in/once/{LINK}/": "Forbidden (CSRF): /sign-in/once/…/",
        f'"GET /sign%2Din/once/{LINK}/?x=1 HTTP/1.1"': '"GET /sign%2Din/once/…/?x=1 HTTP/1.1"',
        f"https://m.example/sign-in/once/{LINK}": "https://m.example/sign-in/once/…",
        f"/sign-in%2Fonce%2F{LINK}": "/sign-in%2Fonce%2F…",
        f"?next=%2fsign-in%2fonce%2f{LINK}%2f&a=b": "?next=%2fsign-in%2fonce%2f…%2f&a=b",
        f"%252Fsign-in%252Fonce%252F{LINK}%252F": "%252Fsign-in%252Fonce%252F…%252F",
        f"Bearer {TOKEN}": f"Bearer {TOKEN[:12]}…",
        f"a{TOKEN}b": f"a{TOKEN[:12]}…",
        f"signed with {SECRET}.": "signed with whsec_….",
        "{'Authorization': 'Basic YWxhZGRpbjpvcGVuc2VzYW1l'}": "{'Authorization': 'Basic …'}",
        "postgresql://ada:s3cr:et@db:5432/obeya": "postgresql://ada:…@db:5432/obeya",
        "https://hooks.slack.com/services/T0/B0/Xy failed": "https://hooks.slack.com/… failed",
        "https%3A%2F%2Fhooks.slack.com%2Fservices%2FT0": "https%3A%2F%2Fhooks.slack.com%2F…",
        "https://outlook.office.com/webhook/a@b/IncomingWebhook/c/d x": (
            "https://outlook.office.com/webhook/… x"
        ),
        "https://acme.webhook.office.com/webhookb2/a@b/IncomingWebhook/c": (
            "https://acme.webhook.office.com/webhookb2/…"
        ),
        "https://discord.com/api/webhooks/123/Se-c_ret": "https://discord.com/api/webhooks/…",
        "https://discordapp.com/api/v10/webhooks/123/Xy/slack": (
            "https://discordapp.com/api/v10/webhooks/…"
        ),
        "/x?a=1&access_token=abc&b=2": "/x?a=1&access_token=…&b=2",
        "/x?sig=abc%2F": "/x?sig=…",
        "/x?password=a b": "/x?password=… b",
    }
    unchanged = (
        "The cookie obeya_session is set.",
        "GET /audit/?actor=ada&after=abc HTTP/1.1",
        "Basic authentication is required.",
        "/sign-in/?next=/board/",
        "/sign-in/?next=%2Fsign-in%2F",
        "/webhooks/new/ on discord.com",
        "Obeya is ready: http://127.0.0.1:8000/",
    )
    with every_case() as case:
        for text, expected in cases.items() | {(text, text) for text in unchanged}:
            with case(text):
                assert redacted(text) == expected


def test_a_traceback_contains_no_secret():
    try:
        raise ValueError(f"Cannot read /sign-in/once/{LINK}/ with {TOKEN}")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "Failed", (), sys.exc_info())
    line = formatter().format(record)
    assert "Traceback" in line
    assert LINK not in line
    assert TOKEN not in line


@pytest.mark.django_db
def test_a_refused_form_does_not_log_its_sign_in_link(caplog):
    path = reverse("boards:sign_in_once", args=[LINK])
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    lines = [formatter().format(record) for record in caplog.records]
    assert any("CSRF" in line and "/sign-in/once/…/" in line for line in lines)
    assert not any(LINK in line for line in lines)


def test_every_handler_of_the_process_replaces_secrets():
    """Also those of the loggers that Django and the libraries configure."""
    names = [None, *logging.root.manager.loggerDict]
    handlers = {
        handler
        for name in names
        for handler in logging.getLogger(name).handlers
        if type(handler) is logging.StreamHandler and handler.stream in (sys.stderr, sys.__stderr__)
    }
    assert [h for h in handlers if not isinstance(h.formatter, RedactingFormatter)] == []
    assert logging.getLogger("django.server").handlers == []
