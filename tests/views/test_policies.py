"""The list of policies and the form that creates a revision."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from boards.models import AuditEvent, PolicyRevision, User
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.policy.diff import Change
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
LIST = "/policies/"
EDIT = "/policies/production/edit/"
HTMX = {"HX-Request": "true"}
POLICY = PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9)


def form(**changed: object) -> dict[str, object]:
    return {
        "metric": ["accuracy"],
        "comparison": [">="],
        "threshold": ["0.9"],
        "min_test_coverage": "",
        "required_approvals": "0",
        **changed,
    }


# --- The list -------------------------------------------------------------------------------------


def test_an_empty_registry_says_what_to_do(alice: User, victor: User, client_of: ClientOf) -> None:
    page = text_of(client_of(alice).get(LIST))
    assert "There is no default policy yet." in page
    assert f'href="{EDIT}"' in page
    others = text_of(client_of(victor).get(LIST))
    assert "Users with the edit_policy permission can set one here." in others
    assert "/edit/" not in others


def test_the_list_describes_every_requirement(
    registry: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    registry.set_policy(
        POLICY.require_metric("latency_ms", Comparison.LT, 100)
        .require_test_coverage(80)
        .require_approvals(2)
    )
    page = text_of(client_of(victor).get(LIST))
    for line in ("accuracy ≥ 0.9", "latency_ms &lt; 100", "test coverage ≥ 80", "2 approvals"):
        assert line in page
    assert "Revision 1</a> by alice" in page
    assert 'aria-current="page">Policies' in page
    assert "/edit/" not in page


def test_models_with_their_own_policy_are_listed_and_paged(
    registry: DatabaseRegistry,
    alice: User,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("boards.queries.policies.policies_page.MODELS_PAGE", 2)
    for name in ("a & b", "b", "ç<script>"):
        registry.register_model(name)
        registry.set_policy(POLICY, name)
    page = client_of(alice).get(LIST)
    assert "a &amp; b" in text_of(page)
    assert page.context["page"].next_after == "b"
    following = client_of(alice).get(LIST, {"after": "b"})
    assert "ç&lt;script&gt;" in text_of(following)
    assert "ç<script>" not in text_of(following)
    assert [own.model for own in following.context["page"].own] == ["ç<script>"]


@pytest.mark.parametrize("models", [1, 20])
def test_the_list_takes_the_same_statements_for_any_number_of_models(
    models: int,
    registry: DatabaseRegistry,
    alice: User,
    client_of: ClientOf,
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    for number in range(models):
        registry.register_model(f"m{number}")
        registry.set_policy(POLICY, f"m{number}")
    client = client_of(alice)
    client.get(LIST)
    # Session, account, three for the list, the top bar; an administrator's permissions need none.
    with django_assert_num_queries(8):
        client.get(LIST)


def test_a_models_name_links_to_its_form(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.register_model("déjà vu")
    answer = client_of(alice).get(LIST, {"model": "déjà vu", "stage": "staging"}, follow=True)
    assert answer.redirect_chain == [
        ("/models/d%C3%A9j%C3%A0%20vu/policies/staging/edit/", 302),
    ]
    missing = client_of(alice).get(LIST, {"model": "<b>", "stage": "staging"})
    assert missing.status_code == 404
    assert "There is no registered model named “&lt;b&gt;”." in text_of(missing)


def test_an_invalid_name_as_start_of_the_list_is_accepted(alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get(LIST, {"after": "a\x00b"}).status_code == 200


# --- Permissions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, EDIT])
def test_visitors_are_sent_to_sign_in(path: str, db: None, client: Client) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_a_viewer_can_neither_see_nor_submit_the_form(victor: User, client_of: ClientOf) -> None:
    client = client_of(victor)
    assert client.get(EDIT).status_code == 403
    assert client.post(EDIT, form()).status_code == 403
    assert not PolicyRevision.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "/policies/archived/edit/",
        "/policies/nonsense/edit/",
        "/models/nobody/policies/production/edit/",
    ],
)
def test_a_stage_without_policies_is_not_found(path: str, alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get(path).status_code == 404


# --- Saving ---------------------------------------------------------------------------------------


def test_saving_creates_a_revision_and_says_so(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    posted = form(
        metric=["accuracy", "latency_p99_ms", ""],
        comparison=[">=", "<=", ">="],
        threshold=["0.9", "1e2", ""],
        min_test_coverage="80.5",
        required_approvals="2",
        count_service_approvals="1",
    )
    answer = client.post(EDIT, posted, follow=True)
    assert "Saved as revision 1." in text_of(answer)
    assert "approvals by service accounts count" in text_of(client.get("/policies/"))
    assert re.search(r'id="count-service-approvals"[^>]*checked', text_of(client.get(EDIT)))
    saved = PromotionPolicy.from_document(PolicyRevision.objects.get().document)
    expected = POLICY.require_metric("latency_p99_ms", Comparison.LTE, 100)
    assert saved == replace(
        expected, min_test_coverage=80.5, required_approvals=2, count_service_approvals=True
    )
    event = AuditEvent.objects.get(action="promotion_policy.set")
    assert event.actor == alice
    assert event.channel == "page"


def test_saving_the_same_says_that_nothing_changed(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    answer = client_of(alice).post(EDIT, form(revision="1"), follow=True)
    assert "No changes: revision 1 is still current." in text_of(answer)
    assert PolicyRevision.objects.count() == 1


def test_a_new_model_policy_starts_from_the_default_policy(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.register_model("resnet50")
    path = "/models/resnet50/policies/production/edit/"
    page = text_of(client_of(alice).get(path))
    assert 'value="accuracy"' in page
    assert "Default policy</h2>" in page
    client_of(alice).post(path, form(threshold=["0.95"]))
    own = PolicyRevision.objects.get(model__name="resnet50")
    assert own.document["requirements"][0]["threshold"] == 0.95


def test_a_stale_form_does_not_silently_replace_a_newer_revision(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.set_policy(POLICY.require_approvals(1))
    client = client_of(alice)
    answer = client.post(EDIT, form(revision="1", threshold=["0.8"]))
    assert answer.status_code == 409
    assert "alice saved revision 2 since you opened this form." in text_of(answer)
    assert 'value="0.8"' in text_of(answer)
    assert PolicyRevision.objects.count() == 2
    assert 'name="revision" value="2"' in text_of(answer)
    client.post(EDIT, form(revision="2", threshold=["0.8"]))
    assert PolicyRevision.objects.count() == 3


def test_past_revisions_are_listed_with_what_changed(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.95)
    )
    newest, first = client_of(alice).get(EDIT).context["editor"].revisions
    assert newest.changes.changes == (Change("accuracy ≥ 0.9", "accuracy ≥ 0.95"),)
    assert first.changes is None
    assert first.superseded_at is not None


# --- Removing a model policy ----------------------------------------------------------------------


def test_removing_a_model_policy_restores_the_default_policy(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.register_model("resnet50")
    registry.set_policy(POLICY.require_approvals(1), "resnet50")
    client, path = client_of(alice), "/models/resnet50/policies/production"
    assert "Remove the policy of resnet50" in text_of(client.get(f"{path}/edit/"))
    answer = client.post(f"{path}/remove/", {"reason": "Too strict."}, follow=True)
    assert "Policy of resnet50 for Production removed." in text_of(answer)
    assert registry.get_policy(Stage.PRODUCTION, "resnet50") == POLICY
    page = text_of(client.get(f"{path}/edit/"))
    assert "It replaces the default policy once you save it." in page
    assert "Remove the policy" not in page
    assert client.post(f"{path}/remove/").status_code == 404
    client.post(f"{path}/edit/", form(revision="0", threshold=["0.95"]))
    assert PolicyRevision.objects.get(model__name="resnet50", superseded_at=None).number == 2


def test_removing_a_policy_requires_the_policy_permission(
    registry: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    assert client_of(victor).post("/policies/production/remove/").status_code == 403
    assert registry.get_policy(Stage.PRODUCTION) == POLICY


# --- Revisions ------------------------------------------------------------------------------------


def three_revisions(registry: DatabaseRegistry) -> None:
    registry.set_policy(POLICY)
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("accuracy", Comparison.GTE, 0.95)
        .require_metric("f1", Comparison.GT, 0.5)
    )
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION)
        .require_metric("f1", Comparison.GT, 0.5)
        .require_approvals(2)
    )


def test_each_revision_says_what_it_changed(
    registry: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    three_revisions(registry)
    answer = client_of(victor).get("/policies/production/revisions/")
    page = answer.context["page"]
    assert [revision.number for revision in page.revisions] == [3, 2, 1]
    assert page.revisions[1].changes.changes == (
        Change("accuracy ≥ 0.9", "accuracy ≥ 0.95"),
        Change("", "f1 > 0.5"),
    )
    assert "Changes from revision 2 to revision 3" in text_of(answer)
    assert "/edit/" not in text_of(answer)


def test_any_two_revisions_are_compared(
    registry: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    three_revisions(registry)
    answer = client_of(victor).get("/policies/production/revisions/?old=3&new=1")
    compared = answer.context["page"].compared
    assert (compared.old.number, compared.new.number) == (1, 3)
    assert compared.diff.changes == (
        Change("", "f1 > 0.5"),
        Change("accuracy ≥ 0.9", ""),
        Change("none", "2", "Approvals"),
    )


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("?old=1", 400, "Choose two revisions"),
        ("?old=x&new=1", 400, "Choose two revisions"),
        ("?old=1&new=9", 404, "There is no revision 9"),
        ("?before=nonsense", 200, "All revisions"),
    ],
)
def test_revisions_that_cannot_be_compared_are_explained(
    registry: DatabaseRegistry,
    victor: User,
    client_of: ClientOf,
    query: str,
    status: int,
    says: str,
) -> None:
    three_revisions(registry)
    answer = client_of(victor).get(f"/policies/production/revisions/{query}")
    assert answer.status_code == status
    assert says in text_of(answer)


def test_revisions_are_paged_with_a_fixed_number_of_statements(
    registry: DatabaseRegistry,
    victor: User,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    three_revisions(registry)
    monkeypatch.setattr("boards.queries.policies.policy_revisions.PAGE", 2)
    client = client_of(victor)
    first = client.get("/policies/production/revisions/")
    assert first.context["page"].next_before == 2
    with django_assert_max_num_queries(9):
        second = client.get("/policies/production/revisions/?before=2")
    assert [revision.number for revision in second.context["page"].revisions] == [1]
    assert second.context["page"].next_before is None


def test_the_list_says_how_often_a_requirement_is_waived(
    registry: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.register_model("resnet50")
    registry.register_model("resnet50")
    for number in (1, 2):
        registry.waive(
            "resnet50",
            number,
            ["accuracy ≥ 0.9"],
            reason="On the way.",
            expires_at=timezone.now() + timedelta(days=1),
            to_stage=Stage.PRODUCTION,
        )
    client = client_of(victor)
    assert "waived 2×" in text_of(client.get(LIST))
    assert "2 waivers" in text_of(client.get("/policies/production/revisions/"))


# --- Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"threshold": ["nan"]}, "The required value must be a finite number, not nan."),
        ({"threshold": ["1e999"]}, "The required value must be a finite number, not inf."),
        ({"threshold": ["0,9"]}, "“0,9” is not a number. Enter a number such as 80 or 0.9."),
        ({"threshold": [""]}, "The required value cannot be empty."),
        ({"comparison": ["~"]}, "“~” is not a comparison"),
        ({"metric": [" "]}, "A metric name cannot be empty."),
        ({"metric": ["m" * 251]}, "A metric name can have at most 250 characters"),
        ({"required_approvals": "101"}, "must be a whole number from 0 to 100."),
        ({"required_approvals": "-1"}, "must be a whole number from 0 to 100."),
        ({"required_approvals": "1.5"}, "“1.5” is not a whole number. Enter a number such as 2."),
        ({"required_approvals": "9" * 5000}, "is not a whole number"),
        ({"min_test_coverage": "inf"}, "The minimum test coverage must be a finite number"),
        ({"metric": ["<script>"], "threshold": ["x"]}, 'value="&lt;script&gt;"'),
    ],
)
def test_an_error_is_shown_beside_its_field_and_nothing_is_saved(
    changed: dict[str, object], sentence: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(EDIT, form(**changed))
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert 'aria-invalid="true"' in text_of(answer)
    assert not PolicyRevision.objects.exists()


def test_a_duplicate_requirement_is_reported_at_the_second(
    alice: User, client_of: ClientOf
) -> None:
    posted = form(
        metric=["accuracy", "accuracy"], comparison=[">=", "≥"], threshold=["0.9", "0.90"]
    )
    answer = client_of(alice).post(EDIT, posted)
    assert answer.status_code == 400
    first, second = answer.context["form"].rows
    assert not first.problems
    assert second.problems == {"metric": "Duplicate requirement “accuracy ≥ 0.9”."}


def test_uneven_fields_do_not_break_the_form(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(EDIT, form(metric=["a", "b"], threshold=["1"]))
    assert answer.status_code == 400
    first, second = answer.context["form"].rows
    assert not first.problems or set(first.problems) == {"comparison"}
    assert "threshold" in second.problems


# --- Rows -----------------------------------------------------------------------------------------


def test_a_row_is_added_and_removed_without_saving(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    added = client.post(EDIT, form(add="1", threshold=["not yet"]))
    assert added.status_code == 200
    assert [row.metric for row in added.context["form"].rows] == ["accuracy", ""]
    assert 'value="not yet"' in text_of(added)
    assert "<!DOCTYPE html>" in text_of(added)
    two = form(metric=["a", "b"], comparison=[">", "<"], threshold=["1", "2"])
    removed = client.post(EDIT, {**two, "remove": "0"})
    assert [row.metric for row in removed.context["form"].rows] == ["b"]
    assert not PolicyRevision.objects.exists()


def test_htmx_gets_only_the_form(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(EDIT, form(add="1"), headers=HTMX)
    page = text_of(answer).strip()
    assert page.startswith('<form class="sheet')
    assert page.endswith("</form>")
    assert "autofocus" in page
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("place", ["7", "-1", "x", "²", "9" * 400])
def test_removing_an_unknown_row_changes_nothing(
    place: str, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(EDIT, form(remove=place))
    assert [row.metric for row in answer.context["form"].rows] == ["accuracy"]


def test_adding_a_row_keeps_the_revision_that_was_seen(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    registry.set_policy(POLICY.require_approvals(1))
    answer = client_of(alice).post(EDIT, form(add="1", revision="1"), headers=HTMX)
    assert 'name="revision" value="1"' in text_of(answer)


def test_enter_in_a_field_saves_and_removes_nothing(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    """Enter presses the first button of a form, which therefore must have no name."""
    page = text_of(client_of(alice).get(EDIT))
    assert page.index("<button", page.index('id="policy-editor"')) == page.index(
        '<button class="visually-hidden"'
    )


def test_known_metric_names_are_offered(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    for number in range(3):
        registry.register_model("m", metrics={"b": 1, "a": number, "é<i>": 2})
    assert client_of(alice).get(EDIT).context["editor"].metric_names == ("a", "b", "é<i>")
    assert '<option value="é&lt;i&gt;">' in text_of(client_of(alice).get(EDIT))


def test_a_revision_of_thousands_of_digits_is_refused_like_an_old_one(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.set_policy(POLICY)
    answer = client_of(alice).post(EDIT, form(threshold=["0.8"], revision="9" * 5000))
    assert answer.status_code == 409
