"""The page of a model: `/models/<name>/`."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from boards.models import Alias, ModelVersion, User
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from tests.views.page_text import text_of
from tests.views.people import person

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]


@pytest.fixture
def model(registry: DatabaseRegistry) -> DatabaseRegistry:
    for accuracy in (0.9, 0.8, 0.95):
        registry.register_model("resnet50", metrics={"accuracy": accuracy})
    registry.log_metrics("resnet50", 3, {"latency_ms": 20})
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    return registry


def order_of(page: str) -> list[int]:
    return [int(part.split('"')[0]) for part in page.split('value="resnet50:')[1:]]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", [3, 2, 1]),
        ("version", [1, 2, 3]),
        ("-metric:accuracy", [3, 1, 2]),
        ("metric:accuracy", [2, 1, 3]),
        ("metric:latency_ms", [3, 2, 1]),
        ("-metric:latency_ms", [3, 2, 1]),
        ("metric:unheard of", [3, 2, 1]),
        ("stage", [3, 2, 1]),
        ("registered", [1, 2, 3]),
    ],
)
def test_versions_are_sorted_and_missing_values_come_last(
    model: DatabaseRegistry, client_of: ClientOf, alice: User, sort: str, order: list[int]
) -> None:
    page = text_of(client_of(alice).get("/models/resnet50/", {"sort": sort} if sort else {}))
    assert order_of(page) == order


def test_the_champion_is_marked_and_others_are_compared_with_it(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get("/models/resnet50/"))
    assert page.count("is-champion") == 1
    assert "↑ +0.05" in page
    assert "↓ −0.1" in page


def test_aliases_say_what_governs_them_and_what_is_wrong_with_them(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    model.set_alias("resnet50", "best", 2)
    page = text_of(client.get("/models/resnet50/"))
    assert "champion → v1</a>" in page
    assert "follows Production" in page
    assert "lamp-attention" not in page
    wrong = ModelVersion.objects.get(number=2)
    Alias.objects.filter(name="champion").update(version=wrong)
    page = text_of(client.get("/models/resnet50/"))
    said = "“champion” points to v2, which is in Development, not in Production. Set it to v1."
    assert f'<p class="lamp lamp-attention">{said}</p>' in page
    assert said in text_of(client.get("/models/resnet50/versions/2/"))


def test_the_timeline_shows_production_as_a_drawing_and_as_text(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for number in (2, 3):
        model.transition_stage("resnet50", number, Stage.STAGING)
        model.transition_stage("resnet50", number, Stage.PRODUCTION, archive_existing=True)
    page = text_of(client_of(alice).get("/models/resnet50/"))
    assert page.count('class="timeline-bar') == 3
    assert page.count("timeline-bar is-open") == 1
    assert "<li>v1: " in page


def test_a_model_never_in_production_says_so(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("new")
    assert "No version has been in Production yet." in text_of(client_of(alice).get("/models/new/"))


def test_a_model_of_many_versions_is_paged(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for _ in range(103):
        registry.register_model("resnet50")
    client = client_of(alice)
    first = text_of(client.get("/models/resnet50/"))
    assert order_of(first) == list(range(103, 3, -1))
    assert "?below=4" in first
    assert order_of(text_of(client.get("/models/resnet50/?below=4"))) == [3, 2, 1]


def test_the_number_of_statements_does_not_grow_with_the_versions(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    client.get("/models/resnet50/")
    with CaptureQueriesContext(connection) as few:
        client.get("/models/resnet50/")
    for _ in range(40):
        model.register_model("resnet50", metrics={"accuracy": 0.7})
    with CaptureQueriesContext(connection) as many:
        client.get("/models/resnet50/")
    assert len(few) == len(many)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/models/none/", 404),
        ("/models/resnet50/?sort=size", 400),
        ("/models/resnet50/?below=x", 400),
        ("/models/resnet50/?sort=metric:" + "x" * 400, 400),
    ],
)
def test_unknown_models_and_invalid_parameters_are_explained(
    model: DatabaseRegistry, client_of: ClientOf, alice: User, address: str, status: int
) -> None:
    answer = client_of(alice).get(address)
    assert answer.status_code == status
    assert 'role="alert"' in text_of(answer)


@pytest.mark.parametrize("name", ["模型 ü", "a&b=c", "100%", "<script>alert(1)<", "a?b#c", "a+b"])
def test_any_name_has_a_page(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    registry.register_model(name, tags={"<b>": "<i>"})
    client = client_of(alice)
    page = text_of(client.get(reverse("boards:model", args=[name])))
    assert "<script>alert" not in page
    assert escape(reverse("boards:version", args=[name, 1])) in page
    assert client.get(reverse("boards:version", args=[name, 1])).status_code == 200


def test_visitors_and_accounts_without_permission_have_no_access(
    model: DatabaseRegistry, client: Client, client_of: ClientOf
) -> None:
    assert client.get("/models/resnet50/").status_code == 302
    nobody = client_of(User.objects.create_user("nobody"))
    assert nobody.get("/models/resnet50/").status_code == 403


@pytest.mark.parametrize(("sort", "order"), [("stage", [4, 3, 2, 1]), ("-stage", [1, 2, 3, 4])])
def test_stages_are_sorted_as_the_board_has_them(
    model: DatabaseRegistry, client_of: ClientOf, alice: User, sort: str, order: list[int]
) -> None:
    model.register_model("resnet50")
    for number, *stages in (
        (1, Stage.ARCHIVED),
        (2, Stage.STAGING, Stage.PRODUCTION),
        (3, Stage.STAGING),
    ):
        for stage in stages:
            model.transition_stage("resnet50", number, stage)
    page = text_of(client_of(alice).get("/models/resnet50/", {"sort": sort}))
    assert order_of(page) == order


def test_a_version_deleted_in_production_left_it_then(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    assert "to now</li>" in text_of(client.get("/models/resnet50/"))
    model.delete_version("resnet50", 1)
    page = text_of(client.get("/models/resnet50/"))
    assert page.count('class="timeline-bar') == 1
    assert "timeline-bar is-open" not in page
    assert "to now</li>" not in page
    assert "Roll back…" not in page


def test_model_policies_are_shown_before_default_policies(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    site = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.6)
    own = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.7)
    model.set_policy(site)
    page = text_of(client_of(alice).get("/models/resnet50/"))
    assert "accuracy ≥ 0.6" in page
    assert "No policy: nothing is checked." in page
    model.set_policy(own, "resnet50")
    page = text_of(client_of(alice).get("/models/resnet50/"))
    assert "accuracy ≥ 0.7" in page
    assert "accuracy ≥ 0.6" not in page
    assert reverse("boards:model_policy_revisions", args=["resnet50", "production"]) in page


def test_metrics_that_policies_refer_to_come_first(
    model: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    model.log_metrics("resnet50", 2, {"a": 1.0, "staging_only": 1.0, "zeta": 1.0})
    for stage, metric in ((Stage.STAGING, "staging_only"), (Stage.PRODUCTION, "zeta")):
        model.set_policy(PromotionPolicy(stage).require_metric(metric, Comparison.GTE, 0.5))
    page = text_of(client_of(alice).get("/models/resnet50/"))
    heads = re.findall(r"sort=-?metric%3A(\w+)", page)
    assert heads == ["zeta", "staging_only", "accuracy", "a", "latency_ms"]


def test_the_link_to_the_model_policy_requires_the_policy_permission(
    model: DatabaseRegistry, client_of: ClientOf
) -> None:
    form = reverse("boards:edit_model_policy", args=["resnet50", "staging"])
    viewer = person("vera", "viewer")
    assert form not in text_of(client_of(viewer).get("/models/resnet50/"))
    assert form in text_of(client_of(person("root", "administrator")).get("/models/resnet50/"))
