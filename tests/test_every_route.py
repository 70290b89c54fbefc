"""Every page, every readable API path and every admin list opens.

This runs on both engines, so that it finds a query that only one of them accepts.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from boards import models
from tests.accessible_names import wrongly_named
from tests.every_route import MODEL, address_of, fill_registry, routes
from tests.offenders import every_case
from tests.text_direction import not_isolated, with_tags

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

# 204 means that a blob is stored; 405 is a path that only accepts a form.
OPEN = {200, 204, 302, 405}
# Their responses are never stored: a secret is on the page or in its URL, or it is not a page.
NEVER_STORED = {
    # The address of a chat webhook is a secret.
    "api/v1/webhooks",
    "api/v1/webhooks/<uid>",
    "sign-in/",
    "sign-in/once/<str:token>/",
    "settings/webhooks/<uuid:uid>/",
    "models/<str:name>/versions/<int:number>/artifact/pieces/",
    "livez",
    "readyz",
}


@pytest.fixture
def token() -> str:
    return fill_registry()


def readable_routes() -> list[str]:
    """Return the routes without those of the admin and the MLflow protocol, tested elsewhere."""
    found = dict.fromkeys(routes())
    return [r for r in found if not re.match(r"admin/|\^|api/[23]\.0/|api/v1/(\^|$)", r)]


def test_every_page_and_every_readable_address_of_the_api_opens(token: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(
        models.User.objects.get(username="ada"), "django.contrib.auth.backends.ModelBackend"
    )
    found = readable_routes()
    assert len(found) > 100
    statuses: Counter[int] = Counter()
    with every_case() as case:
        for route in found:
            headers = {"Authorization": f"Bearer {token}"} if route.startswith("api/") else {}
            with case(route):
                answer = client.get(address_of(route), headers=headers)
                if "<str:token>" not in route:  # An expired link has a separate page.
                    assert answer.status_code in OPEN
                assert "/sign-in/" not in answer.headers.get("Location", "")
                statuses[answer.status_code] += 1
                is_stored = "no-store" not in answer.headers["Cache-Control"]
                assert is_stored == (route not in NEVER_STORED)
                if answer.status_code == 200:
                    assert answer.getvalue()
                    if answer.headers["Content-Type"].startswith("text/html"):
                        assert wrongly_named(answer.getvalue().decode()) == []
                        assert not_isolated(answer.getvalue().decode()) == []
                        assert with_tags(answer.getvalue().decode()) == []
    # Paths that only accept a form are the exception.
    assert statuses[200] > 2 * statuses[302] + statuses[405]


def test_every_list_of_the_admin_opens_and_so_does_its_newest_row(token: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(
        models.User.objects.get(username="ada"), "django.contrib.auth.backends.ModelBackend"
    )
    models.User.objects.filter(username="ada").update(is_superuser=True, is_staff=True)
    with every_case() as case:
        for model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            with case(name):
                answer = client.get(reverse(f"{name}_changelist") + f"?q={MODEL}")
                assert answer.status_code == 200
                assert answer.headers["Cache-Control"] == "private, no-cache"
                if row := model._default_manager.order_by("-pk").first():
                    page = reverse(f"{name}_change", args=[row.pk])
                    assert client.get(page).status_code == 200
