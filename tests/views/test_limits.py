"""WIP limits: their pages, the column headers of the board, and the move dialog."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, User, WipLimit
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.policy.results import Mode
from obeya.transitions import limits
from obeya.transitions.limits import LimitMode
from tests.views.conftest import MADE_AT
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

SITE = "/settings/limits/"
MODEL = "/models/resnet50/limits/"
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/"}
STAGING, PRODUCTION = Stage.STAGING, Stage.PRODUCTION

ClientOf = Callable[[User], Client]


def limit(
    registry: DatabaseRegistry,
    stage: Stage,
    count: int,
    name: str | None = None,
    mode: LimitMode = LimitMode.BLOCK,
) -> None:
    registry.set_wip_limit(limits.WipLimit(stage, count, mode), name)


def head(page: str, stage: str) -> str:
    """Return the header of a column without its markup."""
    found = re.search(rf'id="column-{stage}">(.*?)</header>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


@pytest.fixture
def two(registry: DatabaseRegistry) -> DatabaseRegistry:
    """Register v1 of resnet50 in Production and v2 in Staging."""
    for number in (1, 2):
        registry.register_model("resnet50", number, {"accuracy": 0.8})
        registry.transition_stage("resnet50", number, STAGING)
    registry.transition_stage("resnet50", 1, PRODUCTION)
    return registry


@pytest.mark.parametrize(("address", "back"), [(SITE, SITE), (MODEL, "/models/resnet50/#limits")])
def test_a_limit_is_set_changed_and_removed(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, address: str, back: str
) -> None:
    client = client_of(alice)
    for count, mode in (("3", "block"), ("4", "warn")):
        answer = client.post(address, {"stage": "staging", "limit": count, "mode": mode})
        assert answer.headers["Location"] == back
    row = WipLimit.objects.get()
    assert (row.limit, row.mode, row.model_id is None) == (4, "warn", address == SITE)
    page = text_of(client.get(address))
    assert "Staging: at most 4. When full, moves are allowed with a warning." in page
    assert "1 now / 4" in page
    client.post(f"{address}remove/", {"stage": "staging"})
    assert not WipLimit.objects.exists()
    again = client.post(f"{address}remove/", {"stage": "staging"})
    assert again.headers["Location"] == back
    assert AuditEvent.objects.filter(action__startswith="wip_limit").count() == 3


@pytest.mark.parametrize("address", [SITE, MODEL])
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"stage": "staging", "limit": "0", "mode": "block"}, "whole number from 1"),
        ({"stage": "staging", "limit": "many", "mode": "block"}, "whole number from 1"),
        ({"stage": "staging", "limit": "", "mode": "block"}, "whole number from 1"),
        (
            {"stage": "staging", "limit": "3", "mode": "x"},
            "Choose what happens when the stage is full.",
        ),
        ({"stage": "archived", "limit": "3", "mode": "block"}, "archiving is always possible"),
        ({"stage": "nowhere", "limit": "3", "mode": "block"}, "nowhere"),
        ({"stage": "%d", "limit": "", "mode": "x"}, "%d"),
    ],
)
def test_an_invalid_limit_is_a_400_with_a_message(
    two: DatabaseRegistry,
    client_of: ClientOf,
    alice: User,
    address: str,
    form: dict[str, str],
    said: str,
) -> None:
    answer = client_of(alice).post(address, form)
    page = text_of(answer)
    assert answer.status_code == 400
    assert said in page
    assert 'role="alert"' in page
    if form["stage"] == "staging" and form["limit"]:
        assert f'value="{form["limit"]}"' in page
    assert not WipLimit.objects.exists()


@pytest.mark.parametrize("group", ["viewer", "contributor", "promoter", "approver"])
def test_limits_are_read_only_without_the_policy_permission(
    two: DatabaseRegistry, client_of: ClientOf, group: str
) -> None:
    limit(two, STAGING, 3)
    dora = create_user(username="dora", group=group, actor=SYSTEM, at=MADE_AT)
    client = client_of(dora)
    page = text_of(client.get(SITE))
    assert "All models: at most 3 in Staging (1 now). When full, moves are refused." in page
    assert 'name="limit"' not in page
    for address in (SITE, MODEL):
        assert client.post(address, {"stage": "x", "limit": "9"}).status_code == 403
        assert client.post(f"{address}remove/", {"stage": "staging"}).status_code == 403
    board = text_of(client.get("/"))
    assert head(board, "staging") == "Staging 1 / 3 WIP limit"
    assert SITE not in board


def test_the_models_section_shows_the_registrys_limit_beside_the_models(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    limit(two, STAGING, 9)
    limit(two, STAGING, 1, "resnet50")
    page = text_of(client_of(alice).get("/models/resnet50/"))
    assert "All models: at most 9 in Staging (1 now). When full, moves are refused." in page
    assert "1 now / 1" in page


def test_the_columns_say_how_full_they_are_in_words_and_shapes(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    limit(two, STAGING, 1)
    limit(two, PRODUCTION, 5)
    limit(two, Stage.DEVELOPMENT, 1, mode=LimitMode.WARN)
    for number in range(3, 6):
        two.register_model("resnet50", number)
    page = text_of(client_of(alice).get("/"))
    assert head(page, "development") == "Development 3 / 1 WIP limit 2 over"
    assert head(page, "staging") == "Staging 1 / 1 WIP limit full"
    assert head(page, "production") == "Production 1 / 5 WIP limit"
    assert head(page, "archived") == "Archived 0"
    assert "is-beyond only-warns" in page
    assert "All models: at most 1 in Staging (1 now). When full, moves are refused." in page


def test_a_model_filter_shows_the_models_limits_before_the_registrys(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    two.register_model("bert")
    two.transition_stage("bert", 1, STAGING)
    limit(two, STAGING, 9)
    limit(two, STAGING, 1, "resnet50")
    client = client_of(alice)
    said = head(text_of(client.get("/?model=resnet50")), "staging")
    assert said == "Staging 1 model 1 / 1 WIP limit full total 2 / 9 WIP limit"
    assert head(text_of(client.get("/?q=bert")), "staging") == "Staging 1 total 2 / 9 WIP limit"


def test_a_move_updates_the_limits_of_the_columns(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    limit(two, PRODUCTION, 2)
    answer = client_of(alice).post(
        "/models/resnet50/versions/2/transition/", {"to_stage": "production"}, headers=HTMX
    )
    assert 'hx-target="#limits-production"' in text_of(answer)
    assert "<b>full</b>" in text_of(answer)


def test_a_full_stage_that_archiving_frees_offers_to_archive_and_promote(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    limit(two, PRODUCTION, 1, "resnet50")
    client = client_of(alice)
    address = "/models/resnet50/versions/2/transition/"
    page = text_of(client.get(f"{address}?to=production"))
    assert 'value="production" required checked' in page
    assert (
        "Production is full: it has 1 version (v1), and the WIP limit for this model is 1." in page
    )
    assert "Archive v1 and promote v2" in page
    assert 'name="archive_existing" id="archive-production" value="production" checked' in page

    refused = client.post(address, {"to_stage": "production", "reason": "better"})
    assert refused.status_code == 422
    assert "Archive v1 and promote v2" in text_of(refused)
    assert 'id="archive-production" value="production" checked' in text_of(refused)

    client.post(address, {"to_stage": "production", "archive_existing": "production"})
    assert {v.version: v.stage.value for v in two.list_versions("resnet50")} == {
        1: "archived",
        2: "production",
    }


def test_a_full_stage_that_archiving_does_not_free_is_disabled_and_says_why(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    two.register_model("bert")
    for stage in (STAGING, PRODUCTION):
        two.transition_stage("bert", 1, stage)
    limit(two, PRODUCTION, 1)
    page = text_of(client_of(alice).get("/models/resnet50/versions/2/transition/"))
    assert re.search(r'id="to-production"[^>]* disabled', page)
    assert (
        "Production is full: it has 1 version (bert v1), and the WIP limit across all models is 1."
    ) in page


def test_a_request_to_archive_applies_only_to_its_stage(
    two: DatabaseRegistry, client_of: ClientOf, alice: User, settings: object
) -> None:
    settings.OBEYA_WORKFLOW = "open"  # type: ignore[attr-defined]  # pytest-django's wrapper
    two.register_model("resnet50", 3)
    form = {"to_stage": "staging", "archive_existing": "production"}
    client_of(alice).post("/models/resnet50/versions/3/transition/", form)
    assert [v.version for v in two.get_by_stage(STAGING, "resnet50")] == [2, 3]


def test_a_dragged_card_shows_limits_and_warnings_before_the_drop(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    client = client_of(alice)
    address = "/models/resnet50/versions/2/moves/"
    assert client.get(address).json()["production"] == {
        "allowed": True,
        "here": False,
        "note": "Now in Production: v1.",
        "warns": False,
        "asks": False,
    }
    limit(two, PRODUCTION, 1, "resnet50")
    policy = PromotionPolicy(PRODUCTION, mode=Mode.WARN)
    two.set_policy(policy.require_metric("accuracy", Comparison.GTE, 0.9))
    told = client.get(address).json()["production"]
    assert (told["allowed"], told["warns"], told["asks"]) == (True, True, True)
    assert "accuracy is 0.8; required: ≥ 0.9" in told["note"]
    assert "The policy only warns." in told["note"]
    assert "Archive v1 in the same move." in told["note"]


def test_the_dialog_shows_warnings_and_waived_requirements(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    policy = PromotionPolicy(PRODUCTION, mode=Mode.WARN)
    two.set_policy(policy.require_metric("accuracy", Comparison.GTE, 0.9))
    client = client_of(alice)
    address = "/models/resnet50/versions/2/transition/"
    page = text_of(client.get(address))
    assert 'class="lamp lamp-attention">1 of 1 requirement failed for Production.' in page
    assert '<ul class="move-warnings small" aria-label="Warnings"><li>accuracy is 0.8' in page

    two.set_policy(PromotionPolicy(PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9))
    two.waive(
        "resnet50",
        2,
        ["accuracy ≥ 0.9"],
        reason="agreed",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    page = text_of(client.get(address))
    assert (
        'class="lamp lamp-attention">1 of 1 requirement passed for Production, 1 by waiver.' in page
    )


def test_a_card_whose_next_stage_is_full_says_so_and_whether_room_can_be_made(
    two: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    limit(two, PRODUCTION, 1, "resnet50")
    limit(two, STAGING, 1)
    two.register_model("bert")
    page = text_of(client_of(alice).get("/"))
    assert '<summary><span class="lamp lamp-attention">Needs archiving</span></summary>' in page
    assert "<li>Production is full" in page
    assert '<summary><span class="lamp lamp-fails">Staging is full</span></summary>' in page
