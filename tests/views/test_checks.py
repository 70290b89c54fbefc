"""Running a policy check, and the page of a stored one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.test import Client

from boards.access.actors import SYSTEM
from boards.models import AuditEvent, ModelVersion, PolicyCheck, User
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage, TransitionRefused
from obeya.policy.artifact_rules import BY_NAME, ArtifactDigest, NoCode, NoPickle
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from tests.views.page_text import text_of
from tests.views.people import MADE_AT, person

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
CHECK = "/models/resnet50/versions/1/check/"
POLICY = (
    PromotionPolicy(Stage.STAGING)
    .require_metric("accuracy", Comparison.GTE, 0.9)
    .require_metric("recall", Comparison.GT, 0.5)
    .require_metric("loss", Comparison.LTE, 1)
)


@pytest.fixture
def version(registry: DatabaseRegistry) -> ModelVersion:
    registry.register_model("resnet50", metrics={"accuracy": 0.8, "loss": 0.25})
    return ModelVersion.objects.get()


def page_of(client: Client, check: PolicyCheck) -> str:
    answer = client.get(f"/checks/{check.uid}/")
    assert answer.status_code == 200
    return text_of(answer)


def test_a_check_is_stored_and_shown(
    registry: DatabaseRegistry, version: ModelVersion, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    carol = person("carol", "contributor")
    client = client_of(carol)
    answer = client.post(CHECK)
    made = PolicyCheck.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/checks/{made.uid}/"
    page = page_of(client, made)
    for text in (
        "2 of 3 requirements failed for Staging.",
        "accuracy is 0.8; required: ≥ 0.9.",
        "recall was not measured.",
        '<span class="lamp lamp-fails">failed</span>',
        '<span class="lamp lamp-fails">not measured</span>',
        '<span class="lamp lamp-passes">passed</span>',
        "registry.log_metrics(&quot;resnet50&quot;, 1, {&quot;recall&quot;: ...})",
        "Default policy for Staging, revision 1",
    ):
        assert text in page
    event = AuditEvent.objects.get(action="model_version.policy_checked")
    assert event.actor == carol
    assert event.channel == "page"
    assert "change the policy" not in page


def test_the_page_shows_the_state_at_the_time_of_the_check(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY)
    client = client_of(alice)
    client.post(CHECK)
    registry.log_metrics("resnet50", 1, {"accuracy": 0.99, "recall": 0.9})
    registry.set_policy(PromotionPolicy(Stage.STAGING))
    page = page_of(client, PolicyCheck.objects.get())
    assert "2 of 3 requirements failed" in page
    assert "accuracy is 0.8" in page
    assert "0.99" not in page
    assert "replaced since" in page


def test_a_refused_move_shows_its_refusals_and_the_champions_values(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    registry.transition_stage("resnet50", 1, Stage.PRODUCTION)
    registry.register_model("resnet50", metrics={"accuracy": 0.95})
    registry.set_policy(
        PromotionPolicy(Stage.STAGING)
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_approvals(2)
    )
    with pytest.raises(TransitionRefused):
        registry.transition_stage("resnet50", 2, Stage.STAGING)
    page = page_of(client_of(alice), PolicyCheck.objects.get(allowed=False))
    assert "Passed, but the move was refused" in page
    assert "lamp-attention" in page
    assert "2 more approvals are needed (0 of 2 given)." in page
    assert "Champion v1" in page
    assert "v=resnet50:2&amp;v=resnet50:1" in page


def test_without_a_policy_the_page_says_so(
    version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    client.post(CHECK, {"to_stage": "production"})
    page = page_of(client, PolicyCheck.objects.get())
    assert "No promotion policy is set for Production: nothing to check." in page
    assert "Set a policy for Production" in page


def test_the_policy_result_is_available_as_json(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(POLICY, "resnet50")
    client = client_of(alice)
    client.post(CHECK)
    made = PolicyCheck.objects.get()
    answer = client.get(f"/checks/{made.uid}/check.json")
    assert answer["Content-Type"] == "application/json"
    document = answer.json()
    assert document["id"] == str(made.uid)
    assert (document["model"], document["version"]) == ("resnet50", 1)
    assert document["passed"] is False
    assert document["verdict"] == made.verdict
    assert document["evidence"] == made.evidence
    assert document["policy"]["revision"] == 1
    assert document["policy"]["model"] == "resnet50"


def test_htmx_is_sent_to_the_page(version: ModelVersion, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(CHECK, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == f"/checks/{PolicyCheck.objects.get().uid}/"


def test_a_check_of_a_version_deleted_since_remains(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    client.post(CHECK)
    registry.delete_version("resnet50", 1)
    page = page_of(client, PolicyCheck.objects.get())
    assert "the version has been deleted" in page
    assert "Run again" not in page


def test_names_are_escaped(registry: DatabaseRegistry, alice: User, client_of: ClientOf) -> None:
    metric = "<script>é"
    registry.register_model("a<script>", metrics={metric: 1})
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_metric(metric, Comparison.GT, 2))
    client = client_of(alice)
    client.post("/models/a%3Cscript%3E/versions/1/check/")
    page = page_of(client, PolicyCheck.objects.get())
    assert "a&lt;script&gt;" in page
    assert "&lt;script&gt;é &gt; 2" in page
    assert "a<script>" not in page
    assert metric not in page


@pytest.mark.parametrize("requirements", [1, 40])
def test_the_page_takes_the_same_statements_for_any_number_of_requirements(
    requirements: int,
    registry: DatabaseRegistry,
    version: ModelVersion,
    alice: User,
    client_of: ClientOf,
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    policy = PromotionPolicy(Stage.STAGING)
    for number in range(requirements):
        policy = policy.require_metric(f"m{number}", Comparison.GT, 1)
    registry.set_policy(policy)
    client = client_of(alice)
    client.post(CHECK)
    path = f"/checks/{PolicyCheck.objects.get().uid}/"
    # Session, account, the check, the definitions, the open request for the move, the count in
    # the top bar; an administrator's permissions need no statement.
    with django_assert_num_queries(6):
        client.get(path)


def test_an_unknown_stage_is_refused(
    version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(CHECK, {"to_stage": "<b>"})
    assert answer.status_code == 400
    assert "“&lt;b&gt;” is not a stage." in text_of(answer)
    assert not PolicyCheck.objects.exists()


def test_an_archived_version_has_no_next_stage(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.transition_stage("resnet50", 1, Stage.ARCHIVED)
    assert client_of(alice).post(CHECK).status_code == 400


@pytest.mark.parametrize(
    "path", ["/models/nobody/versions/1/check/", "/models/resnet50/versions/9/check/"]
)
def test_an_unknown_version_cannot_be_checked(
    path: str, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    assert client_of(alice).post(path).status_code == 404


@pytest.mark.parametrize("page", ["", "check.json"])
def test_an_unknown_check_is_not_found(page: str, alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get(f"/checks/{uuid.uuid4()}/{page}").status_code == 404


def test_running_a_check_requires_a_post(
    version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    assert client_of(alice).get(CHECK).status_code == 405


def test_a_viewer_sees_the_result_and_stores_nothing(
    version: ModelVersion, victor: User, client_of: ClientOf, client: Client
) -> None:
    client_of(person("anna", "approver")).post(CHECK)
    stored = PolicyCheck.objects.get()
    for reader, can_store in ((victor, False), (stored.made_by, True)):
        for page in ("/models/resnet50/versions/1/", f"/checks/{stored.uid}/"):
            shown = client_of(reader).get(page).content.decode()
            assert (f'action="{CHECK}"' in shown) is can_store
    PolicyCheck.objects.all().delete()
    for reader in (victor, User.objects.create(username="nobody")):
        assert client_of(reader).post(CHECK).status_code == 403
    answer = client.post(CHECK)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
    assert not PolicyCheck.objects.exists()


def test_every_kind_of_requirement_has_a_message_and_a_next_step(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.register_model("resnet50", artifact_path="s3://models/1.pkl")
    policy = PromotionPolicy(Stage.STAGING).require_against_champion("recall", Comparison.GTE)
    for requirement in (
        TimeInStage(24),
        RequiredTag("risk", "low"),
        RequiredDescription(),
        ArtifactDigest(),
        NoPickle(BY_NAME),
        NoCode(),
    ):
        policy = policy.require(requirement)
    registry.set_policy(policy)
    client = client_of(alice)
    client.post(CHECK)
    page = page_of(client, PolicyCheck.objects.get())
    entered = ModelVersion.objects.get().stage_entered_at
    for text in (
        "The version has been in its stage for 0 hours; required: 24.",
        f"{entered + timedelta(hours=24):%Y-%m-%d %H:%M} UTC",
        "The tag “risk” is not set.",
        "registry.set_tag(&quot;resnet50&quot;, &quot;risk&quot;, &quot;low&quot;, 1)",
        "The version has no description.",
        "registry.set_description(&quot;resnet50&quot;, ..., 1)",
        "The artifact has no digest.",
        "register a version with the digest",
        "A .pkl file can contain code that runs when it is loaded.",
        "The registry does not store the files, so they were not inspected.",
        "Stored files are inspected automatically.",
        "such as safetensors or ONNX",
        "registry.log_metrics(&quot;resnet50&quot;, 1, {&quot;recall&quot;: ...})",
        "Waive…",
    ):
        assert text in page, text


def test_a_policy_that_only_warns_says_so(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(
        PromotionPolicy(Stage.STAGING, mode=Mode.WARN).require_metric(
            "accuracy", Comparison.GTE, 0.9
        )
    )
    client = client_of(alice)
    client.post(CHECK)
    page = page_of(client, PolicyCheck.objects.latest("pk"))
    assert "Failed, warning only" in page
    assert "It does not refuse the move." in page
    assert "failed, warning only" in page
    assert "Waive…" not in page
    registry.transition_stage("resnet50", 1, Stage.STAGING)
    page = page_of(client, PolicyCheck.objects.latest("pk"))
    assert "Failed, moved with a warning" in page
    assert ">Warnings</h2>" in page
    assert re.search(r'href="/records/[^"]+"', page)


def test_requirements_in_a_waiver_request_are_not_escaped_twice(
    registry: DatabaseRegistry, version: ModelVersion, alice: User, client_of: ClientOf
) -> None:
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_metric("loss", Comparison.LT, 0.1))
    client_of(alice).post(CHECK)
    carol = create_user(username="carol", group="contributor", actor=SYSTEM, at=MADE_AT)
    client = client_of(carol)
    link = re.search(r'href="([^"]*)">Request a waiver', page_of(client, PolicyCheck.objects.get()))
    assert link
    form = text_of(client.get(link[1].replace("&amp;", "&")))
    assert "Please waive: loss &lt; 0.1. Reason:" in form
