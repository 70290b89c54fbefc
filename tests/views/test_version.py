"""The page of a version: `/models/<name>/versions/<n>/`."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from boards.models import User
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, Metric, PromotionPolicy, Stage, TransitionRefused
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
ADDRESS = "/models/resnet50/versions/2/"


@pytest.fixture
def version(registry: DatabaseRegistry) -> DatabaseRegistry:
    registry.register_model("resnet50", metrics={"accuracy": 0.9})
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    registry.register_model(
        "resnet50",
        metrics={"accuracy": Metric("accuracy", 0.95, 1_000, 0.002, "holdout")},
        artifact_path="s3://models/2",
        label="2.0.0",
        tags={"team": "vision"},
        description="Trained longer.",
        source_run="run-2",
    )
    registry.set_alias("resnet50", "best", 2)
    return registry


def test_it_shows_every_property_of_the_version(
    version: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    for shown in (
        "s3://models/2",
        "2.0.0",
        "team=vision",
        "Trained longer.",
        "run-2",
        "@best",
        "holdout",
        "1,000",
        "± 0.002",
        "Registered in",
        "Compare with the champion, v1",
    ):
        assert shown in page, shown
    assert 'href="s3:' not in page


def test_it_checks_the_version_for_its_next_stage(
    version: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    assert "No promotion policy is set for Staging" in text_of(client.get(ADDRESS))
    version.set_policy(
        PromotionPolicy(Stage.STAGING)
        .require_metric("accuracy", Comparison.GTE, 0.99)
        .require_metric("f1", Comparison.GTE, 0.9)
        .require_approvals(2)
    )
    page = text_of(client.get(ADDRESS))
    assert "2 of 2 requirements failed for Staging." in page
    assert "0 of 2 approvals given." in page
    assert "accuracy ≥ 0.99" in page


def test_moves_show_actor_time_and_reason(
    version: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    version.transition_stage("resnet50", 2, Stage.STAGING, reason="Looks <b>good</b>.")
    page = text_of(client_of(alice).get(ADDRESS))
    assert "Looks &lt;b&gt;good&lt;/b&gt;." in page
    assert "alice, <time" in page


def test_stored_results_are_linked(
    version: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    version.set_policy(
        PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.99)
    )
    with pytest.raises(TransitionRefused):
        version.transition_stage("resnet50", 2, Stage.STAGING)
    page = text_of(client_of(alice).get(ADDRESS))
    assert "failed for Staging" in page
    assert "/checks/" in page


@pytest.mark.parametrize("address", ["/models/resnet50/versions/9/", "/models/none/versions/1/"])
def test_an_unknown_version_is_a_404(
    version: DatabaseRegistry, client_of: ClientOf, alice: User, address: str
) -> None:
    assert client_of(alice).get(address).status_code == 404


def test_a_huge_number_is_not_a_server_error(
    version: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    answer = client_of(alice).get(f"/models/resnet50/versions/{10**30}/")
    assert answer.status_code in (400, 404)


def test_visitors_and_accounts_without_permission_have_no_access(
    version: DatabaseRegistry, client: Client, client_of: ClientOf
) -> None:
    assert client.get(ADDRESS).status_code == 302
    assert client_of(User.objects.create_user("nobody")).get(ADDRESS).status_code == 403


@pytest.mark.parametrize(
    ("key", "value"), [("a=b", "c&d"), ("team", " vision "), ("k", "x" * 1000), ("k", "x" * 9000)]
)
def test_the_link_of_any_tag_finds_the_version(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, key: str, value: str
) -> None:
    registry.register_model("tagged", tags={key: value})
    registry.register_model("other", tags={"team": "text"})
    client = client_of(alice)
    found = re.search(
        r'class="chip" href="([^"]*)"', text_of(client.get("/models/tagged/versions/1/"))
    )
    assert found is not None
    answer = client.get(unescape(found[1]))
    assert answer.status_code == 200
    assert 'data-name="tagged v1"' in text_of(answer)
    assert "other v1" not in text_of(answer)


@pytest.mark.parametrize("name", ["what?", "#1", "%41", "100%", "a+b", "a&b", "é", "a b"])
def test_a_move_without_a_script_redirects_back_for_any_name(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    registry.register_model(name)
    client = client_of(alice)
    here = reverse("boards:version", args=[name, 1])
    found = re.search(r'id="move" data-dialog href="([^"]*)"', text_of(client.get(here)))
    assert found is not None
    dialog = text_of(client.get(unescape(found[1])))
    # The top bar has a form with another target, before that of the dialog.
    target = re.findall(r'name="next" value="([^"]*)"', dialog)[-1]
    form = {"to_stage": "staging", "next": unescape(target)}
    answer = client.post(reverse("boards:transition_stage", args=[name, 1]), form, follow=True)
    assert answer.redirect_chain == [(here, 302)]
    assert answer.status_code == 200
    assert f"{escape(name)} v1 moved from Development to Staging" in text_of(answer)


@pytest.mark.parametrize("name", ["what?", "#1", "%41"])
def test_the_pages_of_a_model_know_their_address_for_any_name(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    registry.register_model(name)
    client = client_of(alice)
    for page in ("edit_model_policy", "model_history"):
        here = reverse(f"boards:{page}", args=[name, *(["staging"] if "policy" in page else [])])
        shown = unescape(text_of(client.get(here)))
        addresses = re.findall(r'(?:href|action|hx-post|data-draft-url)="(/models/[^"]*)"', shown)
        assert here in addresses
        assert {client.get(address).status_code for address in addresses} == {200}
