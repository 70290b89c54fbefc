"""The audit log and the history of a model and of a version."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import (
    AuditEvent,
    ModelVersion,
    PolicyCheck,
    RegisteredModel,
    User,
    VerificationRun,
)
from boards.queries.verification.verification import verify_chains
from boards.queries.verification.verification_state import chain_heads
from boards.registry.database import DatabaseRegistry
from boards.registry.verification import record_verification, verify_new_events
from obeya import Comparison, PromotionPolicy, Stage, TransitionRefused
from obeya.audit.export import verify_export
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def moved(registry: DatabaseRegistry) -> DatabaseRegistry:
    registry.register_model("resnet50", metrics={"accuracy": 0.8}, tags={"family": "<script>x"})
    registry.transition_stage("resnet50", 1, Stage.STAGING, reason="Tést <script>alert(1)</script>")
    return registry


def test_the_log_shows_actor_action_and_reason(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    page = text_of(client_of(victor).get("/audit/"))
    for text in (
        "moved the version",
        "resnet50 v1",
        '<span class="stage" data-stage="development">Development</span>',
        "Tést &lt;script&gt;alert(1)&lt;/script&gt;",
        "tag family",
        "&lt;script&gt;x",
        "via python",
        f"#3 {AuditEvent.objects.get(action='model_version.stage_transitioned').hash[:8]}",
    ):
        assert text in page
    assert "<script>alert" not in page
    assert "<script>x" not in page


def test_old_and_new_values_are_shown(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.log_metrics("resnet50", 1, {"accuracy": 0.9, "f1": 0.5})
    moved.set_tag("resnet50", "family", "convnext", 1)
    moved.delete_tag("resnet50", "family", 1)
    moved.set_alias("resnet50", "best", 1)
    moved.delete_alias("resnet50", "best")
    moved.rename_model("resnet50", "resnet-50")
    moved.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))
    page = text_of(client_of(victor).get("/audit/"))
    for text in (
        "<del>0.8</del> → <ins>0.9</ins>",
        "<del>none</del> → <ins>0.5</ins>",
        "<del>&lt;script&gt;x</del> → <ins>convnext</ins>",
        "<del>convnext</del> → <ins>removed</ins>",
        "<del>resnet50</del> → <ins>resnet-50</ins>",
        "approvals: 1",
    ):
        assert text in page


def test_an_event_says_what_it_is_about(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1), "resnet50")
    moved.request_transition("resnet50", 1, Stage.PRODUCTION, archive_existing=True)
    page = text_of(client_of(victor).get("/audit/"))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for text in (
        "registered the version resnet50 v1 in Development",
        "set a promotion policy for resnet50 to enter Production",
        "requested a move for resnet50 v1 Staging → Production",
        "archives: the versions in the target stage",
        "Refused a move",
    ):
        assert text in words, text


def test_a_refusal_links_to_its_stored_check(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.set_policy(
        PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GT, 0.9)
    )
    with pytest.raises(TransitionRefused):
        moved.transition_stage("resnet50", 1, Stage.PRODUCTION)
    page = text_of(client_of(victor).get("/audit/", {"action": "model_version.transition_refused"}))
    assert f'href="/checks/{PolicyCheck.objects.get(allowed=False).uid}/"' in page
    assert "’s</a> move of" in page
    assert "was refused" in page


def test_a_deleted_models_events_remain(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.delete_model("resnet50")
    client = client_of(victor)
    assert "<s>resnet50 v1</s>" in text_of(client.get("/audit/", {"model": "resnet50"}))
    history = text_of(client.get("/models/resnet50/history/"))
    assert "<h1>History of <s>resnet50</s></h1>" in history
    assert "It was deleted. Its events are kept." in history


def test_a_history_contains_only_its_own_events(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.register_model("other")
    moved.register_model("resnet50")
    client = client_of(victor)
    model = client.get("/models/resnet50/history/")
    assert {event.model for event in model.context["page"].events} == {"resnet50"}
    assert "A chain of 4 events" in text_of(model)
    version = client.get("/models/resnet50/versions/2/history/")
    assert [event.number for event in version.context["page"].events] == [2]


def test_older_events_come_with_the_cursor(
    moved: DatabaseRegistry,
    victor: User,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("boards.queries.audit.audit_page.PAGE", 2)
    client = client_of(victor)
    first = client.get("/audit/", {"channel": "python"})
    query = first.context["older_query"]
    assert query.startswith("channel=python&after=")
    answer = client.get(f"/audit/?{query}", headers=HTMX)
    assert "<!DOCTYPE html>" not in text_of(answer)
    assert "registered the model" in text_of(answer)
    assert "HX-Request" in answer["Vary"]
    assert "Back to the newest" in text_of(client.get(f"/audit/?{query}"))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("actor", "<nobody>", "There is no account named “&lt;nobody&gt;”."),
        ("actor", "a\x00", "A name has at most"),
        ("action", "x", "Unknown action “x”"),
        ("model", "never", "No model was ever named “never”."),
        ("version", "1", "Enter the model of the version."),
        ("version", "x²", "is not a version number"),
        ("stage", "x", "“x” is not a stage."),
        ("side", "x", "Unknown direction “x”. Choose one of into, out_of."),
        ("side", "into", "Choose a stage for the direction."),
        ("since", "yesterday", "“yesterday” is not a date. Write it like 2026-03-31."),
        ("since", "2026-02-30", "is not a date"),
        ("since", "9999-12-31", "is not a date"),
        ("until", "0001-01-01", "is not a date"),
        ("channel", "door", "Unknown channel “door”. Choose one of "),
        ("after", "rubbish", "This page link is invalid. Start from the first page."),
    ],
)
def test_an_invalid_filter_is_explained_beside_its_field(
    field: str, value: str, sentence: str, moved: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).get("/audit/", {field: value})
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert answer.context["page"].events == ()
    assert '<button class="button button-primary">Filter</button>' in text_of(answer)


def test_several_errors_are_all_shown(alice: User, client_of: ClientOf) -> None:
    query = {"since": "2026-03-02", "until": "2026-03-01", "stage": "x"}
    answer = client_of(alice).get("/audit/", query)
    assert set(answer.context["problems"]) == {"stage", "until"}


@pytest.mark.parametrize(
    "path",
    [
        "/models/nobody/history/",
        "/models/resnet50/versions/7/history/",
        "/models/resnet50/versions/99999999999999999999/history/",
    ],
)
def test_an_unknown_model_has_no_history(
    path: str, moved: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    assert client_of(alice).get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/audit/", "/models/resnet50/history/", "/models/resnet50/versions/1/history/"]
)
def test_viewing_requires_the_view_permission(
    path: str, moved: DatabaseRegistry, client_of: ClientOf, client: Client
) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
    assert client_of(User.objects.create(username="nobody")).get(path).status_code == 403
    assert client_of(User.objects.get(username="alice")).post(path).status_code == 405


# --- Exports --------------------------------------------------------------------------------------

HISTORIES = ["/audit/", "/models/resnet50/history/", "/models/resnet50/versions/1/history/"]


def sent(answer: object) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # of the test client


@pytest.mark.parametrize("path", HISTORIES)
@pytest.mark.parametrize(("form", "media_type"), [("csv", "text/csv"), ("jsonl", "application/x-")])
def test_the_page_links_to_its_export_with_the_same_filter(
    path: str,
    form: str,
    media_type: str,
    moved: DatabaseRegistry,
    victor: User,
    client_of: ClientOf,
) -> None:
    moved.register_model("other")
    client = client_of(victor)
    page = client.get(path, {"stage": "staging", "side": "into"})
    address = f"{path}export.{form}?stage=staging&side=into"
    assert f'href="{address.replace("&", "&amp;")}"' in text_of(page)
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith(media_type)
    assert answer.streaming
    name = f"{timezone.localdate():%Y-%m-%d}.{form}"
    assert answer["Content-Disposition"].startswith('attachment; filename="obeya-audit-')
    assert answer["Content-Disposition"].endswith(f'{name}"')
    lines = sent(answer).decode().splitlines()
    assert len(lines) == (2 if form == "csv" else 1)
    assert "Tést <script>" in lines[-1]


def test_an_export_of_everything_verifies_from_the_file_alone(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    content = sent(client_of(victor).get("/audit/export.jsonl"))
    report = verify_export(io.BytesIO(content), heads=tuple(chain_heads()))
    assert report.holds
    assert report.events == AuditEvent.objects.count()


def test_a_deleted_models_history_is_exported_too(
    moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    moved.delete_model("resnet50")
    content = sent(client_of(victor).get("/models/resnet50/history/export.jsonl"))
    assert len(content.splitlines()) == 4


@pytest.mark.parametrize("query", ["since=x", "actor=nobody", "model=never"])
def test_an_export_with_an_invalid_filter_shows_the_page_with_the_error(
    query: str, moved: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    answer = client_of(victor).get(f"/audit/export.csv?{query}")
    assert answer.status_code == 400
    assert 'class="field-error"' in text_of(answer)
    assert 'action="/audit/"' in text_of(answer)


@pytest.mark.parametrize("path", HISTORIES)
def test_exporting_requires_the_view_permission(
    path: str, moved: DatabaseRegistry, client_of: ClientOf, client: Client
) -> None:
    assert client.get(f"{path}export.csv").status_code == 302
    stranger = client_of(User.objects.create(username="nobody"))
    assert stranger.get(f"{path}export.csv").status_code == 403
    assert client_of(User.objects.get(username="alice")).get(f"{path}export.xls").status_code == 404


# --- Verification ---------------------------------------------------------------------------------


def test_the_page_says_how_far_the_log_is_verified(
    moved: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    page = text_of(client.get("/audit/"))
    assert "Not verified yet" in page
    assert "0 of 4 events are verified." in page
    answer = client.post("/audit/verify/", follow=True)
    assert answer.redirect_chain == [("/audit/", 302)]
    page = text_of(answer)
    assert "Verified 4 new events (chains only): no problem found." in page
    assert "All chains verified" in page
    assert "4 of 4 events are verified; no problem found. Last verification: " in page
    assert "by alice via page, 4 new events (chains only, since the last verification)." in page
    history = text_of(client.get("/models/resnet50/history/"))
    assert "Chain verified</span>, " in history
    moved.set_description("resnet50", "new")
    assert 'class="lamp lamp-none">1 event not verified yet' in text_of(client.get("/audit/"))
    assert "Verified up to event 3" in text_of(client.get("/models/resnet50/history/"))


def test_the_page_lists_the_differences_of_the_last_full_verification(
    moved: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    ModelVersion.objects.update(source_run="999")
    record_verification(report=verify_chains(), actor=SYSTEM, at=timezone.now())
    client = client_of(alice)
    client.post("/audit/verify/")
    page = text_of(client.get("/audit/"))
    assert "1 difference between the tables and the log" in re.sub(r"\s+", " ", page)
    assert "resnet50 v1: source_run is 999, but the log says empty (event 2)." in page
    assert "no problem found" not in page


def test_a_bounded_verification_says_what_is_left(
    moved: DatabaseRegistry, alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(verify_new_events.__kwdefaults__, "events", 3)
    page = text_of(client_of(alice).post("/audit/verify/", follow=True))
    assert "1 event not verified yet" in page
    assert "3 of 4 events are verified; no problem found." in page
    assert "compare the tables with the log, run <code>obeya audit verify</code>." in page


def test_a_broken_link_is_named_on_the_page(
    moved: DatabaseRegistry, alice: User, victor: User, client_of: ClientOf
) -> None:
    chain = RegisteredModel.objects.get().uid
    RegisteredModel.objects.update(chain_hash="f" * 64)
    assert "1 chain broken" in text_of(client_of(alice).post("/audit/verify/", follow=True))
    page = text_of(client_of(victor).get("/audit/"))
    assert "1 chain broken" in page
    assert f"Chain {chain} (resnet50), event 3: the head has the hash {'f' * 64}" in page
    assert "the head has the hash" in text_of(client_of(victor).get("/models/resnet50/history/"))


def test_only_administrators_can_verify(
    moved: DatabaseRegistry, alice: User, victor: User, client_of: ClientOf
) -> None:
    assert "Verify new events" in text_of(client_of(alice).get("/audit/"))
    viewer = client_of(victor)
    assert "Verify new events" not in text_of(viewer.get("/audit/"))
    assert viewer.post("/audit/verify/").status_code == 403
    assert client_of(alice).get("/audit/verify/").status_code == 405
    assert not VerificationRun.objects.exists()
