"""The admin: read-only lists of every table, and actions that use the write path."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from boards import models
from boards.access.actors import SYSTEM, Actor
from boards.first_sign_in import one_time_link_path
from boards.models import AuditEvent, ModelVersion, RegisteredModel, User
from boards.registry.accounts.tokens import create_token
from boards.registry.artifacts.artifacts import set_artifact
from boards.registry.artifacts.run_files import store_run_file
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from boards.registry.transitions.checks import record_policy_check
from boards.registry.verification import verify_new_events
from boards.registry.webhooks.deliveries import (
    Attempt,
    Outcome,
    lease_due,
    publish_heads,
    record_attempts,
)
from boards.registry.webhooks.endpoints import create_webhook
from obeya import Comparison, PromotionPolicy, Stage
from obeya.aliases.governed import GovernedAlias
from obeya.artifacts.manifest import FileEntry
from obeya.metrics import MetricDefinition
from obeya.records import Action, Channel
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.limits import WipLimit
from obeya.webhooks.endpoints import Subscription, Target
from tests.offenders import every_case
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]
VERSIONS = "/admin/boards/modelversion/"
MODELS = "/admin/boards/registeredmodel/"
HIDDEN = {
    models.OneTimeLink,
    models.IdempotentRequest,
    models.PasswordAttempts,
    models.FailedSignIns,
    models.TokenAddress,
    models.Installation,
}
SHOWN = [model for model in apps.get_app_config("boards").get_models() if model not in HIDDEN]
READ_ONLY = [model for model in SHOWN if model is not User]


@pytest.fixture
def filled(registry: DatabaseRegistry, alice: User) -> DatabaseRegistry:
    """Register a version in Staging that fails a policy, with tags, an alias and a check."""
    now = datetime.now(UTC)
    actor = Actor(alice, Channel.CLI)
    registry.register_model(
        "a<script>", metrics={"accuracy": 0.8}, tags={"k": "<script>alert(1)</script>"}
    )
    registry.set_tag("a<script>", "team", "vision")
    registry.set_alias("a<script>", "best", 1)
    registry.transition_stage("a<script>", 1, Stage.STAGING, reason="Go")
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION).require_metric("accuracy", Comparison.GT, 0.9)
    )
    record_policy_check(name="a<script>", version=1, actor=actor, at=now)
    define_metric(definition=MetricDefinition("accuracy"), actor=actor, at=now)
    verify_new_events(actor=actor, at=now)
    return registry


@pytest.fixture
def governed(filled: DatabaseRegistry) -> DatabaseRegistry:
    """Add a row to every other table: a request with an approval, a waiver, an alert, a limit."""
    registry, name, now = filled, "a<script>", datetime.now(UTC)
    registry.set_wip_limit(WipLimit(Stage.PRODUCTION, 3))
    registry.set_governed_alias(GovernedAlias("next", Stage.STAGING), name)
    registry.waive(
        name, 1, ["accuracy > 0.9"], reason="<script>", expires_at=now + timedelta(days=1)
    )
    registry.transition_stage(name, 1, Stage.PRODUCTION)
    registry.set_guardrail(name, Guardrail("errors", Comparison.LTE, 0.1))
    registry.report_live_metric(name, "errors", 0.5)
    registry.register_model(name)
    registry.request_transition(name, 2, reason="<script>")
    bob = User.objects.create(username="bob", is_superuser=True)
    DatabaseRegistry(actor=bob).approve(name, 2, comment="<script>")
    create_token(user=bob, name="<script>", scopes=["read"], actor=SYSTEM, at=now)
    sender = Actor(bob, Channel.PAGE)
    file = store_run_file(path="a b", body=io.BytesIO(b"x"), size=1, actor=sender, at=now)
    entry = FileEntry("script", file.blob.sha256)
    set_artifact(name=name, version=2, files=[entry], actor=sender, at=now)
    create_webhook(
        name="<script>",
        target=Target.WEBHOOK,
        address="https://ci.example.org/<script>",
        subscription=Subscription(),
        actor=sender,
        at=now,
    )
    answered = Outcome(milliseconds=7, status_code=500, response="<script>alert(1)</script>")
    for leased in lease_due(limit=9, per_webhook=9, seconds=60, at=datetime.now(UTC)):
        record_attempts([Attempt(leased=leased, outcome=answered, made_at=now)])
    publish_heads(at=now)
    return registry


def address(model: type[Model], page: str, *arguments: object) -> str:
    return reverse(f"admin:boards_{model._meta.model_name}_{page}", args=arguments)


def act(client: Client, path: str, action: str, *rows: Model, **more: str) -> str:
    posted = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    answer = client.post(path, posted, follow=True)
    assert answer.status_code == 200
    return text_of(answer)


def test_every_table_but_the_hidden_ones_is_registered() -> None:
    registered = {m for m in admin.site._registry if m._meta.app_label == "boards"}
    assert registered == set(SHOWN)
    assert Group in admin.site._registry


def test_every_list_and_page_opens_for_an_administrator_without_inline_code_or_deletion(
    governed: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    with every_case() as case:
        for model in SHOWN:
            row = model._default_manager.first()
            assert row is not None
            for path in (address(model, "changelist"), address(model, "change", row.pk)):
                with case(path):
                    answer = client.get(path)
                    assert answer.status_code == 200
                    page = text_of(answer)
                    inline = r"\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)[^>]*>\s*[^\s<]"
                    assert not re.search(inline, page)
                    assert "<script>alert" not in page
                    assert "delete_selected" not in page


def test_nothing_opens_for_a_viewer(
    governed: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    lists = [address(model, "changelist") for model in SHOWN]
    with every_case() as case:
        client = client_of(victor)
        for path in lists:
            with case(f"viewer {path}"):
                assert client.get(path).status_code == 302
        victor.is_staff = True
        victor.save(update_fields=["is_staff"])
        client = client_of(victor)
        for path in lists:
            with case(f"staff {path}"):
                assert client.get(path).status_code == 403


def test_nothing_can_be_added_changed_or_deleted(
    governed: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    with every_case() as case:
        for model in READ_ONLY:
            rows = model._default_manager.order_by("pk")
            row, before = rows.first(), list(rows.values())
            assert row is not None
            with case(model.__name__):
                add, change = address(model, "add"), address(model, "change", row.pk)
                assert client.get(add).status_code == 403
                assert client.post(add, {}).status_code == 403
                assert client.post(change, {"stage": "production"}).status_code == 403
                delete = address(model, "delete", row.pk)
                assert client.post(delete, {"post": "yes"}).status_code == 403
                client.post(
                    address(model, "changelist"),
                    {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
                )
                assert list(rows.all().values()) == before


def test_accounts_are_not_deleted(alice: User, victor: User, client_of: ClientOf) -> None:
    path = address(User, "delete", victor.pk)
    assert client_of(alice).post(path, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=victor.pk).exists()


def test_only_a_superuser_grants_permissions_or_changes_a_superuser(
    alice: User, victor: User, client_of: ClientOf
) -> None:
    victor.is_staff = True
    victor.save(update_fields=["is_staff"])
    victor.groups.add(Group.objects.get(name="administrator"))
    client = client_of(victor)
    assert client.post(address(User, "change", alice.pk), {"username": "x"}).status_code == 403
    password = f"/admin/boards/user/{alice.pk}/password/"
    assert client.get(password).status_code == 403
    page = text_of(client.get(address(User, "change", victor.pk)))
    assert 'name="is_superuser"' not in page
    assert 'name="groups"' not in page


# --- Permissions and passwords --------------------------------------------------------------------


def account_form(user: User, **changed: object) -> dict[str, object]:
    """Return the form data of an account's admin page, with these changes."""
    flags = {f: "on" for f in ("is_active", "is_staff", "is_superuser") if getattr(user, f)}
    groups = list(user.groups.values_list("pk", flat=True))
    form = {"username": user.username, "email": user.email, "groups": groups, **flags, **changed}
    return {name: value for name, value in form.items() if value is not None}


def group(name: str) -> Group:
    return Group.objects.get(name=name)


def test_groups_can_be_seen_and_neither_added_changed_nor_deleted(
    alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    viewer = group("viewer")
    page = "/admin/auth/group/"
    assert "view_registry" in text_of(client.get(page))
    assert client.get(f"{page}{viewer.pk}/change/").status_code == 200
    before = set(Group.objects.values_list("name", "permissions"))
    promote = Permission.objects.get(codename="promote").pk
    form = {"name": "viewer", "permissions": [promote]}
    assert client.post(f"{page}{viewer.pk}/change/", form).status_code == 403
    assert client.post(f"{page}add/", {"name": "other"}).status_code == 403
    gone = group("approver").pk
    assert client.post(f"{page}{gone}/delete/", {"post": "yes"}).status_code == 403
    assert set(Group.objects.values_list("name", "permissions")) == before


def test_added_and_removed_groups_are_logged_by_name(
    alice: User, victor: User, client_of: ClientOf
) -> None:
    groups = [group("approver").pk, group("promoter").pk]
    promote = Permission.objects.get(codename="promote").pk
    form = account_form(victor, groups=groups, user_permissions=[promote], is_staff="on")
    assert client_of(alice).post(address(User, "change", victor.pk), form).status_code == 302
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor) == ("user.changed", alice)
    assert event.data == {
        "user": str(victor.uid),
        "fields": ["groups", "is_staff", "user_permissions"],
        "groups_added": ["approver", "promoter"],
        "groups_removed": ["viewer"],
        "permissions_added": ["boards.promote"],
        "is_staff": True,
    }
    page = text_of(client_of(alice).get("/audit/?action=user.changed"))
    assert "groups added" in page
    assert "approver" in page


def test_the_password_of_another_is_an_event_and_ends_their_links(
    alice: User, victor: User, client_of: ClientOf
) -> None:
    link = one_time_link_path(victor, actor=SYSTEM)
    path = f"/admin/boards/user/{victor.pk}/password/"
    client = client_of(alice)
    new = {"usable_password": "true", "password1": "a long sentence 7"}
    before = AuditEvent.objects.count()
    assert client.post(path, {**new, "password2": "other"}).status_code == 200
    assert AuditEvent.objects.count() == before
    posted = {**new, "password2": "a long sentence 7", "set-password": "Set"}
    assert client.post(path, posted).status_code == 302
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor, event.channel) == ("user.changed", alice, "page")
    assert event.data == {"user": str(victor.uid), "fields": ["password"]}
    assert Client().post(link).status_code == 403
    gone = {"usable_password": "false", "unset-password": "Disable"}
    assert client.post(path, gone).status_code == 302
    victor.refresh_from_db()
    assert not victor.has_usable_password()
    assert AuditEvent.objects.count() == before + 2


def test_a_password_of_an_unknown_account_changes_nothing(alice: User, client_of: ClientOf) -> None:
    before = AuditEvent.objects.count()
    assert client_of(alice).post("/admin/boards/user/999/password/", {}).status_code == 404
    assert AuditEvent.objects.count() == before


def test_an_account_created_in_the_admin_is_one_event(alice: User, client_of: ClientOf) -> None:
    passwords = {"password1": "a long sentence 7", "password2": "a long sentence 7"}
    form = {"username": "nora", "usable_password": "true", **passwords}
    before = AuditEvent.objects.count()
    assert client_of(alice).post("/admin/boards/user/add/", form).status_code == 302
    event = AuditEvent.objects.latest("pk")
    nora = User.objects.get(username="nora")
    assert AuditEvent.objects.count() == before + 1
    assert (event.action, event.data) == (
        "user.created",
        {
            "user": str(nora.uid),
            "fields": ["password", "username"],
            "is_active": True,
            "is_staff": False,
            "is_superuser": False,
        },
    )


@pytest.mark.parametrize("name", ["victor", "VICTOR"])
def test_a_name_that_is_taken_is_an_error_of_its_field(
    name: str, alice: User, victor: User, client_of: ClientOf
) -> None:
    form = {"username": name, "usable_password": "false"}
    answer = client_of(alice).post("/admin/boards/user/add/", form)
    assert answer.status_code == 200
    assert "A user with that username already exists." in text_of(answer)
    assert User.objects.filter(username__iexact=name).count() == 1


def test_a_similar_name_of_an_account_is_refused_without_an_override(
    alice: User, victor: User, client_of: ClientOf
) -> None:
    form = {"username": "v\u0456ctor", "usable_password": "false"}
    answer = client_of(alice).post("/admin/boards/user/add/", form)
    assert "looks like the existing “victor”. It contains U+0456" in text_of(answer)
    assert "Use the existing one.<" in text_of(answer)


@pytest.mark.parametrize("name", ["system", "SYSTEM"])
def test_no_account_takes_the_name_of_the_registry_itself(
    name: str, alice: User, victor: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    passwords = {"password1": "a long sentence 7", "password2": "a long sentence 7"}
    made = client.post(
        "/admin/boards/user/add/", {"username": name, "usable_password": "true", **passwords}
    )
    renamed = client.post(address(User, "change", victor.pk), account_form(victor, username=name))
    for answer in (made, renamed):
        assert answer.status_code == 200
        assert "is reserved for the registry itself" in text_of(answer)
    assert not User.objects.filter(username__iexact="system").exists()


# --- Actions --------------------------------------------------------------------------------------


def test_the_move_goes_through_the_write_path(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    filled.log_metrics("a<script>", 1, {"accuracy": 0.95})
    version = ModelVersion.objects.get()
    page = act(client_of(alice), VERSIONS, "move_to_production", version, reason="Ship it")
    assert "Moved a&lt;script&gt; v1 from Staging to Production." in page
    version.refresh_from_db()
    assert version.stage == "production"
    event = AuditEvent.objects.filter(action="model_version.stage_transitioned").latest("pk")
    assert event.actor == alice
    assert event.channel == "page"
    assert event.texts.get().text == "Ship it"


def test_a_refusal_is_shown_and_nothing_moves(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    filled.register_model("b")
    first, second = ModelVersion.objects.order_by("pk")
    client = client_of(alice)
    page = act(client, VERSIONS, "move_to_production", first, second)
    assert "Could not move a&lt;script&gt; v1. accuracy is 0.8; required: &gt; 0.9." in page
    assert (
        "Could not move b v1. Development to Production is not allowed: it skips Staging." in page
    )
    assert [v.stage for v in ModelVersion.objects.order_by("pk")] == ["staging", "development"]
    assert AuditEvent.objects.filter(action="model_version.transition_refused").count() == 1


def test_a_deleted_version_never_moves_the_one_that_reuses_its_name_and_number(
    registry: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    registry.register_model("x")
    registry.delete_model("x")
    registry.register_model("x")
    registry.register_model("y")
    registry.delete_version("y", 1)
    gone, new, deleted = ModelVersion.objects.order_by("pk")
    page = act(client_of(alice), VERSIONS, "move_to_staging", gone, deleted)
    assert "Could not move x v1. The version was deleted." in page
    assert "Could not move y v1. The version was deleted." in page
    new.refresh_from_db()
    assert new.stage == "development"


def test_an_administrator_without_the_promote_permission_is_refused(
    filled: DatabaseRegistry, victor: User, client_of: ClientOf
) -> None:
    victor.is_staff = True
    victor.save(update_fields=["is_staff"])
    administer = models.User._meta.apps.get_model("auth", "Permission").objects.get(
        codename="administer"
    )
    victor.user_permissions.add(administer)
    page = act(client_of(victor), VERSIONS, "move_to_archived", ModelVersion.objects.get())
    assert "victor does not have permission to move versions" in page
    assert ModelVersion.objects.get().stage == "staging"


def test_too_many_selected_versions_are_refused(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boards.admin.catalog.ACTION_MAX", 1)
    filled.register_model("b")
    page = act(client_of(alice), VERSIONS, "move_to_archived", *ModelVersion.objects.all())
    assert "Select at most 1 rows at a time. Nothing was changed." in page
    assert not ModelVersion.objects.filter(stage="archived").exists()


def test_hiding_asks_for_confirmation_and_goes_through_the_write_path(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    version = ModelVersion.objects.get()
    client = client_of(alice)
    question = act(client, VERSIONS, "hide", version)
    assert "Yes, delete 1" in question
    assert "a&lt;script&gt; v1" in question
    version.refresh_from_db()
    assert version.deleted_at is None
    assert "Deleted a&lt;script&gt; v1." in act(client, VERSIONS, "hide", version, sure="1")
    version.refresh_from_db()
    assert version.deleted_at is not None
    assert AuditEvent.objects.filter(action="model_version.deleted").count() == 1


def test_hiding_a_hidden_model_keeps_the_one_that_reuses_its_name(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    old = RegisteredModel.objects.get()
    act(client, MODELS, "hide", old, sure="1")
    filled.register_model("a<script>")
    act(client, MODELS, "hide", old, sure="1")
    assert RegisteredModel.objects.filter(deleted_at=None).count() == 1
    assert AuditEvent.objects.filter(action="registered_model.deleted").count() == 1


def test_the_log_shows_action_labels_and_filters_by_each(
    filled: DatabaseRegistry, alice: User, client_of: ClientOf
) -> None:
    client, path = client_of(alice), "/admin/boards/auditevent/"
    moved = "model version.stage transitioned"
    page = text_of(client.get(path, {"action__exact": "model_version.stage_transitioned"}))
    assert f'<td class="field-action_words">{moved}</td>' in page
    assert page.count('class="field-action_words"') == 1
    for action in Action:
        assert f'?action__exact={action.value}">{action.value.replace("_", " ")}</a>' in page
    assert "By action" in page
    event = AuditEvent.objects.get(action="model_version.stage_transitioned")
    assert moved in text_of(client.get(address(AuditEvent, "change", event.pk)))
    assert client.get(path, {"action__exact": "no.such"}).status_code == 200
    assert client.get(path, {"o": "4"}).status_code == 200


@pytest.mark.parametrize("path", [VERSIONS, MODELS, "/admin/boards/auditevent/"])
def test_a_list_takes_the_same_statements_for_any_number_of_rows(
    path: str,
    filled: DatabaseRegistry,
    alice: User,
    client_of: ClientOf,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    client = client_of(alice)
    for number in range(30):
        filled.register_model(f"m{number}")
    with django_assert_max_num_queries(8):
        client.get(path)
