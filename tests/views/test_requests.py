"""Requesting a move, the inbox, the page of a request, and its approvals."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import (
    AuditEvent,
    ModelVersion,
    PolicyCheck,
    TransitionRequest,
    User,
    Vote,
)
from boards.queries.reviews import requests_inbox
from boards.registry.accounts.tokens import service_account
from boards.registry.catalog.catalog import configure_model
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.policy.results import Mode
from obeya.tokens import Scope
from tests.views.page_text import text_of
from tests.views.people import POLICY, open_request, person, registry_of, staged_version

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
FORM = "/models/resnet50/versions/1/request/"
MOVE = "/models/resnet50/versions/1/transition/"
ONE = replace(POLICY, required_approvals=1)


@pytest.fixture
def as_user(client_of: ClientOf) -> Callable[[str], Client]:
    groups = {"peter": "promoter", "carol": "contributor", "victor": "viewer"}
    return lambda name: client_of(person(name, groups.get(name, "approver")))


@pytest.fixture
def request_row(registry: DatabaseRegistry) -> TransitionRequest:
    staged_version(registry)
    return open_request()


def path_of(row: TransitionRequest, end: str = "") -> str:
    return f"/requests/{row.uid}/{end}"


def review(client: Client, row: TransitionRequest, decision: str, **more: str) -> object:
    """Approve or reject with the form of the page in its current state."""
    page = text_of(client.get(path_of(row)))
    found = re.search(r'name="expected_digest" value="(\w+)"', page)
    digest = found[1] if found else ""
    fields = {"decision": decision, "expected_digest": digest, **more}
    return client.post(path_of(row, "review/"), fields, follow=True)


def stage_now() -> str:
    return ModelVersion.objects.get(number=1).stage


def waiting(client: Client) -> str:
    """Return the number of waiting requests in the top bar."""
    found = re.search(r'nav-count"[^>]*>([^<]*)<', text_of(client.get("/models/")))
    return found[1] if found else ""


# --- Requesting a move ----------------------------------------------------------------------------


def test_a_move_refused_for_approvals_offers_to_request_them(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    registry.set_policy(POLICY)
    client = as_user("peter")
    page = text_of(client.post(MOVE, {"to_stage": "production"}))
    assert "2 more approvals are needed" in page
    assert f"{FORM}?to_stage=production" in page
    form = text_of(client.get(f"{FORM}?to_stage=production"))
    assert "Request resnet50 v1 for Production" in form
    answer = client.post(FORM, {"to_stage": "production", "reason": "It is better"}, follow=True)
    made = TransitionRequest.objects.get()
    assert answer.redirect_chain == [(path_of(made), 302)]
    assert (made.reason, made.archive_existing) == ("It is better", False)
    page = text_of(answer)
    assert "Approval requested: resnet50 v1 to Production." in page
    assert "You requested this move. Another user must approve it." in page
    assert path_of(made) in text_of(client.get(MOVE))
    assert "Open request by peter" in text_of(client.get("/models/resnet50/versions/1/"))


def test_a_contributor_can_request_a_move_without_a_policy(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    assert FORM in text_of(as_user("carol").get(MOVE))
    assert FORM not in text_of(as_user("peter").get(MOVE))
    assert FORM not in text_of(as_user("victor").get(MOVE))


def test_a_request_can_archive_existing_versions(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    staged_version(registry)
    form = "/models/resnet50/versions/2/request/"
    client = as_user("carol")
    refused = client.post(form, {"to_stage": "production", "reason": " "})
    for page in (client.get(form), refused):
        assert "Also archive v1, now in Production" in text_of(page)
    answer = client.post(
        form, {"to_stage": "production", "reason": "new", "archive_existing": "1"}, follow=True
    )
    assert "v1 is then archived." in text_of(answer)


def test_a_request_needs_a_reason_and_keeps_what_was_chosen(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    answer = as_user("carol").post(FORM, {"to_stage": "production", "reason": "  "})
    assert answer.status_code == 400
    assert 'aria-describedby="request-reason_error"' in text_of(answer)
    assert "A reason is required to request the move." in text_of(answer)
    assert not TransitionRequest.objects.exists()


def test_a_second_request_is_refused_and_links_to_the_first(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    answer = as_user("carol").post(FORM, {"to_stage": "production", "reason": "me too"})
    assert answer.status_code == 409
    assert path_of(request_row) in text_of(answer)


@pytest.mark.parametrize(
    ("name", "stage", "status", "sentence"),
    [
        ("victor", "production", 403, "victor does not have permission to move versions."),
        ("carol", "development", 422, "it moves backwards"),
        ("carol", "nowhere", 400, "is not a stage"),
    ],
)
def test_invalid_requests_are_refused(
    name: str,
    stage: str,
    status: int,
    sentence: str,
    registry: DatabaseRegistry,
    as_user: Callable[[str], Client],
) -> None:
    staged_version(registry)
    answer = as_user(name).post(FORM, {"to_stage": stage, "reason": "why not"})
    assert answer.status_code == status
    assert sentence in text_of(answer)
    assert not TransitionRequest.objects.exists()


def test_the_dialog_is_answered_with_a_fragment(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    client = as_user("carol")
    htmx = {"HX-Request": "true"}
    answer = client.get(FORM, headers=htmx)
    assert 'hx-target="#dialog"' in text_of(answer)
    assert "<html" not in text_of(answer)
    answer = client.post(FORM, {"to_stage": "production", "reason": "x"}, headers=htmx)
    assert answer["HX-Redirect"] == path_of(TransitionRequest.objects.get())


# --- The page of a request, and approvals ---------------------------------------------------------


def test_the_page_shows_the_whole_evidence(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry, 0.92)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    staged_version(registry, 0.95)
    registry.set_tag("resnet50", "reviewed", "yes", 2)
    page = text_of(as_user("anna").get(path_of(open_request(number=2))))
    for text in (
        "0 of 2 approvals given.",
        "Requested by peter",
        "Better than v1",
        '<td class="num strong">0.95</td>',
        "Champion v1",
        "+0.03",
        "Trained longer.",
        "s3://models/resnet50",
        "sha256:abab",
        "reviewed=yes",
        "Default policy for Production, revision 1",
        "v=resnet50:1&amp;v=resnet50:2&amp;baseline=0",
        "Approval alone does not move v2. Afterwards a user with the promote permission moves it.",
    ):
        assert text in page


def test_after_two_approvals_a_promoter_moves_the_version(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna, bob, peter = as_user("anna"), as_user("bob"), as_user("peter")
    assert waiting(anna) == "1"
    page = text_of(review(anna, request_row, "approve", comment="I ran it myself"))
    assert "1 of 2 approvals given." in page
    assert "You approved it" in page
    assert waiting(anna) == ""
    assert "Promote now" not in text_of(peter.get(path_of(request_row)))
    page = text_of(review(bob, request_row, "approve"))
    assert "Approved, ready to move" in page
    assert "Promote now" not in page
    assert stage_now() == "staging"
    page = text_of(peter.get(path_of(request_row)))
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.split("Promote now")[0]))
    assert fields["next"] == path_of(request_row)
    moved = peter.post(MOVE, {**fields, "reason": "Both agree"}, follow=True)
    assert moved.redirect_chain == [(path_of(request_row), 302)]
    page = text_of(moved)
    assert "Completed" in page
    assert "resnet50 v1 moved to Production." in page
    assert "I ran it myself" in page
    assert "Metrics at the time of the check" in page
    assert stage_now() == "production"


def test_the_last_approval_moves_the_version_if_the_policy_says_so(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    row = open_request(replace(ONE, auto_promote=True))
    assert "The last approval moves the version." in text_of(as_user("anna").get(path_of(row)))
    page = text_of(review(as_user("anna"), row, "approve"))
    assert "Approved, and resnet50 v1 moved to Production." in page
    assert stage_now() == "production"


def test_an_approval_by_a_service_account_is_shown_and_does_not_count(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    staged_version(registry)
    row = open_request(ONE)
    anna, peter = as_user("anna"), as_user("peter")
    bot = service_account(username="bot", scopes=[Scope.APPROVE], actor=SYSTEM, at=timezone.now())
    DatabaseRegistry(actor=bot).approve("resnet50", 1, comment="Checksums match")
    sentence = "1 approval by a service account does not count."
    page = text_of(anna.get(path_of(row)))
    assert "0 of 1 approval given. " + sentence in page
    assert "bot</strong> (service account)" in page
    assert "Does not count: the policy counts only approvals by people." in page
    assert sentence in text_of(anna.get("/requests/"))
    refused = peter.post(MOVE, {"to_stage": "production"})
    assert "1 more approval is needed (0 of 1 given). " + sentence in text_of(refused)
    # What is stored with the move says it too, whatever becomes of the account.
    review(anna, row, "approve")
    registry_of("peter", "promoter").transition_stage("resnet50", 1, Stage.PRODUCTION)
    User.objects.filter(username="bot").update(is_service=False)
    check = PolicyCheck.objects.get(allowed=True, to_stage="production")
    assert [(a["voter"], a["is_service"], a["counted"]) for a in check.evidence["approvals"]] == [
        ("bot", True, False),
        ("anna", False, True),
    ]
    assert "bot (service account; does not count)" in text_of(anna.get(f"/checks/{check.uid}/"))
    event = AuditEvent.objects.filter(
        to_stage="production", action="model_version.stage_transitioned"
    ).get()
    record = text_of(anna.get(f"/records/{row.version.model.uid}/{event.sequence}/"))
    assert "1 of 1 required" in record
    assert "bot (service account; does not count)" in record


def test_a_new_metric_expires_approvals_and_says_what_changed(
    registry: DatabaseRegistry, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna = as_user("anna")
    review(anna, request_row, "approve")
    registry.log_metrics("resnet50", 1, {"accuracy": 0.94})
    page = text_of(anna.get(path_of(request_row)))
    assert "0 of 2 approvals given." in page
    assert "Expired: the evidence changed, so it does not count." in page
    assert "The evidence changed after your approval. Review it again." in page
    assert "metrics were logged" in page
    assert "<del>0.95</del> → <ins>0.94</ins>" in page
    assert waiting(anna) == "1"
    inbox = text_of(anna.get("/requests/"))
    assert "1 approval expired: the evidence changed" in inbox
    assert "1 of 2 approvals given." in text_of(review(anna, request_row, "approve"))


def test_an_unrelated_change_does_not_ask_a_reviewer_again(
    registry: DatabaseRegistry, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna = as_user("anna")
    review(anna, request_row, "approve")
    registry.set_tag("resnet50", "mood", "good", 1)
    assert waiting(anna) == ""
    assert "No request needs your review." in text_of(anna.get("/requests/"))


def test_a_policy_edit_asks_a_reviewer_again(
    registry: DatabaseRegistry, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna = as_user("anna")
    review(anna, request_row, "approve")
    registry.set_policy(POLICY.require_metric("accuracy", Comparison.LTE, 1))
    assert waiting(anna) == "1"
    page = text_of(anna.get(path_of(request_row)))
    assert "the default policy for Production was edited: revision 2" in page


def test_evidence_that_changed_during_a_review_is_a_409_and_keeps_the_comment(
    registry: DatabaseRegistry, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna = as_user("anna")
    page = text_of(anna.get(path_of(request_row)))
    seen = re.search(r'name="expected_digest" value="(\w+)"', page)
    assert seen
    registry.log_metrics("resnet50", 1, {"accuracy": 0.5})
    answer = anna.post(
        path_of(request_row, "review/"),
        {"decision": "approve", "expected_digest": seen[1], "comment": "fine by me"},
    )
    assert answer.status_code == 409
    page = text_of(answer)
    assert "The evidence changed since you read it" in page
    assert "accuracy is 0.5; required: ≥ 0.9." in page
    assert "fine by me</textarea>" in page
    assert seen[1] not in page
    assert not Vote.objects.exists()


def test_an_approval_without_the_evidence_digest_is_refused(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    answer = as_user("anna").post(path_of(request_row, "review/"), {"decision": "approve"})
    assert answer.status_code == 409
    assert not Vote.objects.exists()


def test_the_last_decision_counts(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    anna = as_user("anna")
    review(anna, request_row, "approve", comment="yes")
    page = text_of(review(anna, request_row, "approve", comment="still yes"))
    assert "1 of 2 approvals given." in page
    assert "Replaced by a later decision." in page
    page = text_of(review(anna, request_row, "reject", comment="I was wrong"))
    assert "anna rejected it" in page
    assert TransitionRequest.objects.get().status == "rejected"


def test_a_rejection_needs_a_comment(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    answer = review(as_user("anna"), request_row, "reject")
    assert answer.status_code == 400
    page = text_of(answer)
    assert "A comment is required to reject a request." in page
    assert 'aria-describedby="comment_error"' in page
    assert TransitionRequest.objects.get().status == "open"


def test_no_one_can_approve_their_own_request(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    staged_version(registry)
    registry.set_policy(POLICY)
    registry.request_transition("resnet50", 1, Stage.PRODUCTION, reason="mine")
    row = TransitionRequest.objects.get()
    client = client_of(alice)
    assert waiting(client) == ""
    assert 'value="approve"' not in text_of(client.get(path_of(row)))
    answer = review(client, row, "approve")
    assert answer.status_code == 403
    assert "You can&#x27;t approve your own request." in text_of(answer)
    assert not Vote.objects.exists()


def test_approving_requires_the_approve_permission(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    carol = as_user("carol")
    assert "You can’t approve requests" in text_of(carol.get(path_of(request_row)))
    answer = review(carol, request_row, "approve")
    assert answer.status_code == 403
    assert "carol does not have permission to approve requests." in text_of(answer)
    assert waiting(carol) == ""


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_closed_request_accepts_no_decisions(
    decision: str, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    review(as_user("bob"), request_row, "reject", comment="no")
    page = text_of(as_user("anna").get(path_of(request_row)))
    assert "It accepts no more decisions." in page
    answer = review(as_user("anna"), request_row, decision, comment="late")
    assert answer.status_code == 409
    assert "The request is already rejected. Open a new one." in text_of(answer)


def test_a_decision_on_a_closed_request_does_not_affect_a_newer_one(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    review(as_user("bob"), request_row, "reject", comment="no")
    registry_of("peter", "promoter").request_transition(
        "resnet50", 1, Stage.PRODUCTION, reason="again"
    )
    newer = TransitionRequest.objects.get(status="open")
    digest = registry_of("peter", "promoter").get_requests("resnet50", 1)[0].evidence_digest
    answer = as_user("anna").post(
        path_of(request_row, "review/"), {"decision": "approve", "expected_digest": digest}
    )
    assert answer.status_code == 409
    assert not newer.votes.exists()


def test_only_the_requester_can_withdraw(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    answer = as_user("carol").post(path_of(request_row, "withdraw/"))
    assert answer.status_code == 403
    assert "Only the requester can withdraw a request" in text_of(answer)
    page = text_of(as_user("peter").post(path_of(request_row, "withdraw/"), follow=True))
    assert "peter withdrew it" in page
    assert "Request again" in page
    answer = as_user("peter").post(path_of(request_row, "withdraw/"))
    assert answer.status_code == 409


def test_an_expired_request_says_so_before_anything_closed_it(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    expired_at = timezone.now() - timedelta(minutes=1)
    TransitionRequest.objects.filter(pk=request_row.pk).update(expires_at=expired_at)
    anna = as_user("anna")
    assert waiting(anna) == ""
    assert "Expired without a decision on" in text_of(anna.get(path_of(request_row)))
    assert path_of(request_row) in text_of(anna.get("/requests/?view=all&status=expired"))
    assert path_of(request_row) not in text_of(anna.get("/requests/?view=all&status=open"))
    answer = review(anna, request_row, "approve")
    assert answer.status_code == 409
    assert "The request is already expired" in text_of(answer)


def test_a_request_of_a_version_deleted_since_remains(
    registry: DatabaseRegistry, request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    registry.delete_version("resnet50", 1)
    answer = as_user("anna").get(path_of(request_row))
    assert answer.status_code == 200
    assert "Withdrawn" in text_of(answer)


def test_a_request_closed_by_another_move_says_so(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    """This includes a move by the requester."""
    registry_of("peter", "promoter").transition_stage("resnet50", 1, Stage.ARCHIVED)
    page = text_of(as_user("anna").get(path_of(request_row)))
    assert "peter moved the version to Archived instead" in page
    assert "withdrew it" not in page


def test_a_request_closed_by_a_rollback_says_so(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    old, new = staged_version(registry), staged_version(registry)
    for number in (old, new):
        registry.transition_stage("resnet50", number, Stage.PRODUCTION, archive_existing=True)
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1))
    configure_model(name="resnet50", workflow="open", actor=SYSTEM, at=timezone.now())
    registry_of("peter", "promoter").request_transition("resnet50", old, Stage.PRODUCTION)
    request = TransitionRequest.objects.get()
    registry.rollback("resnet50", reason="Errors.")
    page = text_of(as_user("anna").get(path_of(request)))
    assert "moved to Production by a rollback, not by this request" in page


def test_a_closed_request_of_a_policy_that_only_warned_says_warned(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    number = staged_version(registry, 0.5)
    row = open_request(replace(POLICY, mode=Mode.WARN), number)
    registry.transition_stage("resnet50", number, Stage.PRODUCTION)
    assert "failed, warning only" in text_of(as_user("anna").get(path_of(row)))


def test_texts_are_escaped(registry: DatabaseRegistry, as_user: Callable[[str], Client]) -> None:
    staged_version(registry)
    registry.request_transition("resnet50", 1, Stage.PRODUCTION, reason="<script>alert(1)</script>")
    client = as_user("anna")
    for path in ("/requests/", path_of(TransitionRequest.objects.get())):
        assert "<script>alert" not in text_of(client.get(path))


def test_an_unknown_request_is_not_found(as_user: Callable[[str], Client]) -> None:
    path = f"/requests/{uuid.uuid4()}/"
    assert as_user("anna").get(path).status_code == 404
    assert as_user("anna").post(f"{path}review/").status_code == 404


# --- The inbox ------------------------------------------------------------------------------------


def test_the_three_views_of_the_inbox(
    request_row: TransitionRequest, as_user: Callable[[str], Client]
) -> None:
    path = path_of(request_row)
    peter, anna = as_user("peter"), as_user("anna")
    assert path in text_of(anna.get("/requests/"))
    assert path not in text_of(anna.get("/requests/?view=mine"))
    assert path in text_of(peter.get("/requests/"))
    assert "Needs my review" not in text_of(peter.get("/requests/"))
    assert path in text_of(peter.get("/requests/?view=all&model=resnet50&status=open"))
    assert "No matching requests." in text_of(peter.get("/requests/?view=all&model=other"))
    for query in ("view=none", "view=all&status=none", "view=all&after=x"):
        assert peter.get(f"/requests/?{query}").status_code == 400


def test_the_inbox_takes_the_same_statements_for_any_number_and_is_paged(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(1))

    def add(count: int, prefix: str) -> None:
        for number in range(count):
            name = f"{prefix}{number}"
            registry.register_model(name, metrics={"accuracy": 0.9})
            registry.request_transition(name, 1, Stage.STAGING)

    add(2, "few")
    anna = as_user("anna")
    anna.get("/requests/")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as statements:
            page = text_of(anna.get("/requests/?view=all"))
        counts.append(len(statements))
        add(30, f"many{len(counts)}-")
    assert counts[0] == counts[1]
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older
    assert "few0" in text_of(anna.get(older[1].replace("&amp;", "&")))
    assert waiting(anna) == "62"


def test_waiting_requests_fill_their_page(
    registry: DatabaseRegistry, as_user: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Already reviewed requests, whose models changed otherwise, are between those that wait."""
    monkeypatch.setattr(requests_inbox, "PAGE", 3)
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_approvals(2))
    anna = registry_of("anna", "approver")
    for number in range(12):
        name = f"model{number}"
        registry.register_model(name, metrics={"accuracy": 0.9})
        registry.request_transition(name, 1, Stage.STAGING)
        if 2 <= number <= 8:
            anna.approve(name, 1)
            registry.set_alias(name, "later", 1)
    client = as_user("anna")
    first = text_of(client.get("/requests/"))
    assert sorted(set(re.findall(r"model\d+", first))) == ["model10", "model11", "model9"]
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    rest = text_of(client.get(older[1].replace("&amp;", "&")))
    assert sorted(set(re.findall(r"model\d+", rest))) == ["model0", "model1"]


def test_the_name_of_a_model_is_found_however_its_letters_are_composed(
    registry: DatabaseRegistry, as_user: Callable[[str], Client]
) -> None:
    registry.register_model("café")
    registry.request_transition("café", 1, Stage.STAGING)
    for path in ("/requests/?view=all&model=cafe%CC%81", "/audit/?model=cafe%CC%81"):
        assert "café" in text_of(as_user("anna").get(path)).split("<main")[1]
        assert "No matching requests" not in text_of(as_user("anna").get(path))
