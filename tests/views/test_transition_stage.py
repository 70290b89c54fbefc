"""Moving a version: the dialog, the plain form, htmx, and the notes for a dragged card."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, ModelVersion, User
from boards.registry.accounts.users import create_user
from boards.registry.catalog.labels import set_tag
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from tests.views.page_text import text_of
from tests.views.people import person

pytestmark = pytest.mark.django_db

ADDRESS = "/models/resnet50/versions/1/transition/"
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/?q=resnet"}


@pytest.fixture
def version(registry: DatabaseRegistry) -> ModelVersion:
    registry.register_model("resnet50", metrics={"accuracy": 0.8})
    return ModelVersion.objects.get()


def stage_of(version: ModelVersion) -> str:
    return ModelVersion.objects.get(pk=version.pk).stage


def test_the_dialog_lists_every_stage_and_why_not(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    page = text_of(client_of(alice).get(ADDRESS))
    assert "Current stage." in page
    assert "Development to Production is not allowed: it skips Staging." in page
    assert 'value="staging" required checked' in page


def test_a_plain_form_moves_and_redirects_back_with_a_message(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    client = client_of(alice)
    answer = client.post(
        ADDRESS,
        {"to_stage": "staging", "expected_revision": 1, "reason": "good enough"},
        follow=True,
    )
    assert stage_of(version) == "staging"
    assert "resnet50 v1 moved from Development to Staging" in text_of(answer)
    event = AuditEvent.objects.get(action="model_version.stage_transitioned")
    assert event.actor == alice
    assert event.channel == "page"
    assert event.texts.get().text == "good enough"


def test_the_form_redirects_only_within_this_server(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    answer = client_of(alice).post(
        ADDRESS, {"to_stage": "staging", "next": "https://elsewhere.example/"}
    )
    assert answer.headers["Location"] == "/"


def test_htmx_gets_the_updated_card_the_counts_and_a_message(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    answer = client_of(alice).post(ADDRESS, {"to_stage": "staging"}, headers=HTMX)
    page = text_of(answer)
    assert answer.status_code == 200
    assert 'hx-target="#cards-staging"' in page
    assert 'hx-target="#count-development" hx-swap="textContent">0<' in page
    assert "resnet50 v1 moved from Development to Staging</hx-partial>" in page
    assert "<html" not in page


def test_htmx_from_another_page_reloads_that_page(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    headers = {
        "HX-Request": "true",
        "HX-Current-URL": "http://testserver/models/resnet50/versions/1/",
    }
    answer = client_of(alice).post(ADDRESS, {"to_stage": "staging"}, headers=headers)
    assert answer["HX-Refresh"] == "true"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_skip_is_refused_with_the_reason_and_changes_nothing(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, headers: dict[str, str]
) -> None:
    events = AuditEvent.objects.count()
    answer = client_of(alice).post(ADDRESS, {"to_stage": "production"}, headers=headers)
    assert answer.status_code == 422
    assert "it skips Staging" in text_of(answer)
    assert "was not moved" in text_of(answer)
    assert stage_of(version) == "development"
    assert AuditEvent.objects.count() == events


def test_a_move_backwards_is_refused(
    version: ModelVersion,
    registry: DatabaseRegistry,
    client_of: Callable[[User], Client],
    alice: User,
) -> None:
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    answer = client_of(alice).post(ADDRESS, {"to_stage": "development"})
    assert answer.status_code == 422
    assert "it moves backwards" in text_of(answer)


def test_a_policy_refuses_with_every_reason_and_the_stored_result(
    version: ModelVersion,
    registry: DatabaseRegistry,
    client_of: Callable[[User], Client],
    alice: User,
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.STAGING)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_metric("f1", Comparison.GTE, 0.9)
        .require_approvals(2)
    )
    answer = client_of(alice).post(ADDRESS, {"to_stage": "staging"}, headers=HTMX)
    page = text_of(answer)
    assert answer.status_code == 422
    assert "accuracy is 0.8; required: ≥ 0.9." in page
    assert "f1 was not measured." in page
    assert "2 more approvals are needed" in page
    assert "2 of 2 requirements failed for Staging." in page
    assert "not measured</span>" in page
    assert "Measure and log the metric." in page
    assert "/checks/" in page
    assert stage_of(version) == "development"


def test_a_stale_page_gets_the_current_state_and_who_changed_it(
    version: ModelVersion,
    registry: DatabaseRegistry,
    client_of: Callable[[User], Client],
    victor: User,
    alice: User,
) -> None:
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    answer = client_of(alice).post(
        ADDRESS, {"to_stage": "archived", "expected_revision": 1}, headers=HTMX
    )
    page = text_of(answer)
    assert answer.status_code == 409
    assert "alice moved this to Staging <time" in page
    assert ">just now</time>. Review and try again." in page
    assert 'data-stage="staging"' in page
    assert stage_of(version) == "staging"


def test_a_viewer_cannot_move_and_sees_why(
    version: ModelVersion, client_of: Callable[[User], Client], victor: User
) -> None:
    client = client_of(victor)
    assert "You don’t have permission to move versions." in text_of(client.get(ADDRESS))
    answer = client.post(ADDRESS, {"to_stage": "staging"})
    assert answer.status_code == 403
    assert stage_of(version) == "development"


@pytest.mark.parametrize(
    "form",
    [
        {"to_stage": "nowhere"},
        {},
        {"to_stage": "staging", "expected_revision": "x"},
        {"to_stage": "staging", "reason": "x" * 10_001},
        {"to_stage": "staging", "reason": "\x00"},
    ],
)
def test_an_invalid_form_is_a_400_with_a_message(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, form: dict[str, str]
) -> None:
    answer = client_of(alice).post(ADDRESS, form)
    assert answer.status_code == 400
    assert 'role="alert"' in text_of(answer)
    assert stage_of(version) == "development"


def test_promoting_offers_to_archive_what_is_in_production(
    registry: DatabaseRegistry, client_of: Callable[[User], Client], alice: User
) -> None:
    for number in (1, 2):
        registry.register_model("resnet50")
        registry.transition_stage("resnet50", number, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    address = "/models/resnet50/versions/2/transition/"
    client = client_of(alice)
    page = text_of(client.get(f"{address}?to=production"))
    assert "Archive v1, now in Production" in page
    assert 'id="archive-production" value="production" checked' in page
    form = {"to_stage": "production", "archive_existing": "production"}
    answer = client.post(address, form, headers=HTMX)
    assert "v1 archived" in text_of(answer)
    assert {v.version: v.stage for v in registry.list_versions("resnet50")} == {
        1: Stage.ARCHIVED,
        2: Stage.PRODUCTION,
    }


def test_undo_is_offered_if_the_workflow_allows_moving_back(
    version: ModelVersion,
    client_of: Callable[[User], Client],
    alice: User,
    settings: object,
) -> None:
    client = client_of(alice)
    settings.OBEYA_WORKFLOW = "returns"  # type: ignore[attr-defined]  # pytest-django's wrapper
    page = text_of(client.post(ADDRESS, {"to_stage": "staging"}, headers=HTMX))
    assert "Undo" in page
    assert 'name="to_stage" value="development"' in page


def test_a_dragged_card_gets_the_notes_of_each_column(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    moves = client_of(alice).get("/models/resnet50/versions/1/moves/").json()
    assert moves["development"]["here"]
    assert moves["development"]["note"] == ""
    assert not moves["development"]["allowed"]
    assert moves["staging"]["allowed"]
    assert "skips Staging" in moves["production"]["note"]


@pytest.mark.parametrize(
    "address",
    ["/models/none/versions/1/transition/", "/models/resnet50/versions/9/transition/"],
)
def test_an_unknown_version_is_a_404(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, address: str
) -> None:
    client = client_of(alice)
    assert client.get(address).status_code == 404
    assert client.post(address, {"to_stage": "staging"}).status_code == 404


def test_a_post_without_the_form_token_is_refused(version: ModelVersion, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(ADDRESS, {"to_stage": "staging"})
    assert answer.status_code == 403
    assert "Reload the page" in text_of(answer)
    assert stage_of(version) == "development"


def test_visitors_are_sent_to_sign_in(version: ModelVersion, client: Client) -> None:
    assert client.post(ADDRESS, {"to_stage": "staging"}).headers["Location"].startswith("/sign-in/")
    assert stage_of(version) == "development"


@pytest.mark.parametrize("address", ["http://[", "http://testserver/?tag=%3D"])
def test_an_unreadable_current_url_does_not_prevent_the_move(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, address: str
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": address}
    answer = client_of(alice).post(ADDRESS, {"to_stage": "staging"}, headers=headers)
    assert answer.status_code == 200
    assert stage_of(version) == "staging"


def test_a_form_with_a_revision_of_thousands_of_digits_is_a_400(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User
) -> None:
    form = {"to_stage": "staging", "expected_revision": "9" * 5000}
    assert client_of(alice).post(ADDRESS, form).status_code == 400


def test_a_conflict_names_who_made_the_revision_and_not_who_moved_last(
    version: ModelVersion,
    registry: DatabaseRegistry,
    client_of: Callable[[User], Client],
    victor: User,
    alice: User,
) -> None:
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    bob = create_user(username="bob", group="contributor", actor=SYSTEM, at=datetime.now(UTC))
    DatabaseRegistry(actor=bob).log_metrics("resnet50", 1, {"f1": 0.7})
    # Neither creates a new revision.
    client_of(alice).post("/models/resnet50/versions/1/check/")
    registry.set_alias("resnet50", "best", 1)
    stale = {"to_stage": "archived", "expected_revision": 2}
    page = text_of(client_of(alice).post(ADDRESS, stale))
    assert "bob logged metrics of this version <time" in page
    set_tag(name="resnet50", version=1, key="k", value="v", actor=SYSTEM, at=datetime.now(UTC))
    page = text_of(client_of(alice).post(ADDRESS, stale))
    assert "system set a tag of this version <time" in page


def test_a_required_reason_is_announced_before_the_move(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, settings: object
) -> None:
    client = client_of(alice)
    assert "(optional)" in text_of(client.get(ADDRESS))
    settings.OBEYA_REQUIRE_REASON = True  # type: ignore[attr-defined]  # pytest-django's wrapper
    page = text_of(client.get(ADDRESS))
    assert "(optional)" not in page
    assert 'name="reason" maxlength="10000" rows="2" required' in page
    answer = client.post(ADDRESS, {"to_stage": "staging"})
    page = text_of(answer)
    assert answer.status_code == 400
    assert 'aria-invalid="true" aria-describedby="move-problem"' in page
    assert 'id="move-problem" role="alert"' in page
    assert stage_of(version) == "development"


def test_undo_asks_for_a_required_reason(
    version: ModelVersion, client_of: Callable[[User], Client], alice: User, settings: object
) -> None:
    settings.OBEYA_WORKFLOW = "returns"  # type: ignore[attr-defined]  # pytest-django's wrapper
    settings.OBEYA_REQUIRE_REASON = True  # type: ignore[attr-defined]  # the same
    client = client_of(alice)
    form = {"to_stage": "staging", "reason": "Good enough."}
    page = text_of(client.post(ADDRESS, form, headers=HTMX))
    assert f'href="{ADDRESS}?to=development" data-dialog>Undo…</a>' in page
    assert "Undo</button>" not in page


@pytest.mark.parametrize(("required", "asking"), [(False, 2), (True, 4)])
def test_the_board_marks_columns_that_open_a_dialog(
    version: ModelVersion,
    client_of: Callable[[User], Client],
    alice: User,
    settings: object,
    required: bool,
    asking: int,
) -> None:
    settings.OBEYA_REQUIRE_REASON = required  # type: ignore[attr-defined]  # as above
    for headers in ({}, HTMX):
        page = text_of(client_of(alice).get("/", headers=headers))
        assert page.count("data-asking") == asking
        assert 'data-stage="production" data-column data-asking' in page


def test_the_dialog_offers_waivers_with_the_waive_permission(
    version: ModelVersion, registry: DatabaseRegistry, client_of: Callable[[User], Client]
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
    )
    dialogs = {
        group: text_of(client_of(person(group, group)).get(ADDRESS))
        for group in ("approver", "contributor")
    }
    assert all("See each requirement" in dialog for dialog in dialogs.values())
    assert "/versions/1/waive/?to_stage=staging&amp;requirement=accuracy" in dialogs["approver"]
    assert "/waive/" not in dialogs["contributor"]


def test_an_address_only_for_forms_says_so(client_of: Callable[[User], Client]) -> None:
    answer = client_of(person("vera", "viewer")).get("/models/resnet50/versions/1/check/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "open this address directly. Go back and use the form." in text_of(answer)


def test_moves_are_offered_only_with_permission(
    version: ModelVersion, client_of: Callable[[User], Client]
) -> None:
    viewer = client_of(person("vera", "viewer"))
    for path in ("/", "/models/resnet50/versions/1/"):
        assert "Move to…" not in text_of(viewer.get(path))
