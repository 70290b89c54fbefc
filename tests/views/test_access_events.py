"""Sign-ins, uses of tokens and downloads are recorded after the answer, and never fail it."""

from __future__ import annotations

import hashlib
import inspect
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM, Actor
from boards.access.address_hashes import address_hash
from boards.access.after_answer import after_answer
from boards.first_sign_in import one_time_link_path
from boards.models import ApiToken, AuditEvent, OneTimeLink, RegisteredModel, SiteChain, User
from boards.queries.facts.accounts.account_permissions import account_permissions
from boards.registry.accounts.tokens import create_token, revoke_token, service_account
from boards.registry.accounts.users import (
    create_sign_in_link,
    create_user,
    record_user_change,
    set_password,
)
from boards.registry.artifacts.artifacts import set_artifact, store_blob
from boards.registry.artifacts.run_files import store_run_file
from boards.registry.database import DatabaseRegistry
from obeya.artifacts.manifest import FileEntry
from obeya.records import Channel
from obeya.tokens import Scope
from tests.offenders import every_case
from tests.views.page_text import text_of

pytestmark = pytest.mark.django_db

PASSWORD = "a long sentence 7"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"
CONTENT = b"0123456789"


@pytest.fixture
def events() -> Callable[[], list[tuple[str, str, dict[str, Any]]]]:
    """Return the action, the actor and the data of each access event since the last call."""
    seen = [0]

    def read() -> list[tuple[str, str, dict[str, Any]]]:
        rows = AuditEvent.objects.filter(pk__gt=seen[0]).order_by("pk").select_related("actor")
        found = [(row.action, row.actor.username if row.actor else "", row.data) for row in rows]
        seen[0] = AuditEvent.objects.order_by("pk").values_list("pk", flat=True).last() or 0
        return found

    return read


@contextmanager
def without_table(name: str) -> Iterator[None]:
    """Let every statement that uses the table fail."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO elsewhere")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {name}")


def token_of(user: User) -> str:
    _, text = create_token(
        user=user, name="CI", scopes=["read"], actor=Actor(user, Channel.PAGE), at=timezone.now()
    )
    return text


def test_each_way_to_sign_in_is_recorded(alice: User, events: Any) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    link = one_time_link_path(alice, actor=SYSTEM)
    created = events()[-1][2]
    form = {"username": "alice", "password": PASSWORD}
    at_home = {"address": address_hash(HOME)}
    signed_in = ("user.signed_in", "alice", at_home)
    for path in ("/sign-in/", "/admin/login/"):
        assert Client(REMOTE_ADDR=HOME).post(path, form).status_code == 302
        assert events() == [signed_in], path
    client = Client(REMOTE_ADDR=HOME)
    client.get(link)
    assert events() == []
    assert client.post(link).status_code == 302
    used = at_home | {"link_digest": created["link_digest"]}
    assert events() == [("user.link_used", "alice", used), signed_in]
    # Used up: no one signs in.
    assert client.post(link).status_code == 403
    assert events() == []


def test_failed_sign_ins_are_recorded_once_on_every_page(alice: User, events: Any) -> None:
    events()
    failed = {"user": str(alice.uid), "address": address_hash(HOME)}
    form = {"username": "alice", "password": "wrong"}
    for path in ("/sign-in/", "/admin/login/", *(["/sign-in/"] * 10)):
        Client(REMOTE_ADDR=HOME).post(path, form)
    assert events() == [("user.sign_in_failed", "", failed)]


def test_a_sign_in_succeeds_if_its_event_cannot_be_written(
    alice: User, events: Any, caplog: pytest.LogCaptureFixture
) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    token = token_of(alice)
    events()
    with without_table("boards_sitechain"):
        form = {"username": "alice", "password": PASSWORD}
        assert Client().post("/sign-in/", form).status_code == 302
        assert Client().post("/sign-in/", form | {"password": "wrong"}).status_code == 200
        me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200
    assert events() == []
    failed = "Work after the answer failed."
    assert [record.message for record in caplog.records].count(failed) == 3
    # It was not taken for recorded: the next use is.
    Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert [action for action, *_ in events()] == ["api_token.used_from_new_address"]


def test_tokens_links_and_permissions_do_not_change_without_their_event(
    alice: User, victor: User
) -> None:
    actor, at = Actor(alice, Channel.PAGE), timezone.now()
    token, _ = create_token(user=alice, name="CI", scopes=["read"], actor=actor, at=at)
    service_account(username="ci", scopes=[Scope.READ], actor=actor, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TRIGGER no_event BEFORE INSERT ON {AuditEvent._meta.db_table} "
            "BEGIN SELECT RAISE(ABORT, 'no event'); END"
        )

    def stored() -> list[Any]:
        groups = User.groups.through
        tables = (ApiToken, OneTimeLink, User, groups, SiteChain)
        return [list(table._default_manager.order_by("pk").values()) for table in tables]

    def by_admin() -> None:
        before = account_permissions(victor)
        with transaction.atomic():
            victor.groups.clear()
            record_user_change(
                user=victor, made=False, fields=("groups",), before=before, actor=actor, at=at
            )

    before = stored()
    who: dict[str, Any] = {"actor": actor, "at": at}
    with every_case() as case:
        for write in (
            lambda: create_token(user=alice, name="more", scopes=["read"], **who),
            lambda: revoke_token(uid=token.uid, **who),
            lambda: create_sign_in_link(user=victor, **who),
            lambda: create_user(username="dora", group="viewer", **who),
            lambda: set_password(user=victor, password=PASSWORD, **who),
            lambda: service_account(username="ci", scopes=[Scope.ADMIN], **who),
            by_admin,
        ):
            with case(inspect.getsource(write)):
                with pytest.raises(IntegrityError, match="no event"):
                    write()
                assert stored() == before


def test_nothing_is_written_before_the_answer_was_sent(rf: Any) -> None:
    request, written = rf.get("/"), []
    after_answer(request, lambda: written.append("first"))
    after_answer(request, lambda: written.append("second"))
    assert written == []
    request.close()
    assert written == ["first", "second"]


def test_the_first_use_of_a_token_from_an_address_is_recorded(alice: User, events: Any) -> None:
    token = token_of(alice)
    basic = b64encode(f"alice:{token}".encode()).decode()
    mlflow = "/api/2.0/mlflow/registered-models/search"
    events()
    for address, path, header, channel in (
        (HOME, "/api/v1/me", f"Bearer {token}", "api"),
        (HOME, "/api/v1/models", f"Bearer {token}", ""),
        (HOME, mlflow, f"Bearer {token}", ""),
        (ELSEWHERE, mlflow, f"Basic {basic}", "mlflow"),
        (ELSEWHERE, "/api/v1/me", f"Bearer {token}", ""),
        (HOME, "/api/v1/me", "Bearer obeya_unknown", ""),
    ):
        Client(REMOTE_ADDR=address).get(path, headers={"Authorization": header})
        found = events()
        assert [(actor, data["address"]) for _, actor, data in found] == (
            [("alice", address_hash(address))] if channel else []
        )
        if channel:
            assert AuditEvent.objects.latest("pk").channel == channel


def test_a_use_of_a_known_address_costs_no_statement(
    alice: User, django_assert_num_queries: Any
) -> None:
    header = {"Authorization": f"Bearer {token_of(alice)}"}
    Client().get("/api/v1/", headers=header)
    # The token itself, and nothing else.
    with django_assert_num_queries(1):
        assert Client().get("/api/v1/", headers=header).status_code == 200


# --- Downloads ------------------------------------------------------------------------------------


@pytest.fixture
def files(registry: DatabaseRegistry, alice: User) -> dict[str, tuple[str, dict[str, str]]]:
    """Store a file of a version and one of a run; return their paths, with headers, by channel."""
    actor, at = Actor(alice, Channel.PAGE), timezone.now()
    registry.register_model("resnet50")
    blob = store_blob(body=BytesIO(CONTENT), size=len(CONTENT), actor=actor, at=at)
    set_artifact(
        name="resnet50", version=1, files=[FileEntry("w/a.bin", blob.sha256)], actor=actor, at=at
    )
    store_run_file(path="e/r/a.bin", body=BytesIO(CONTENT), size=len(CONTENT), actor=actor, at=at)
    header = {"Authorization": f"Bearer {token_of(alice)}"}
    Client().get("/api/v1/me", headers=header)
    uid = RegisteredModel.objects.get().uid
    here = "/api/2.0/mlflow-artifacts/artifacts"
    return {
        "page": ("/models/resnet50/versions/1/files/w/a.bin", {}),
        "api": ("/api/v1/models/resnet50/versions/1/artifact/files/w/a.bin", header),
        "mlflow": (f"{here}/versions/{uid}/1/w/a.bin", header),
        "run": (f"{here}/e/r/a.bin", header),
    }


def test_downloads_are_recorded_if_the_setting_says_so(
    files: Any, alice: User, client_of: Any, events: Any, settings: Any
) -> None:
    client = client_of(alice)
    digest, uid = hashlib.sha256(CONTENT).hexdigest(), str(RegisteredModel.objects.get().uid)
    for is_set in (False, True):
        settings.OBEYA_RECORD_DOWNLOADS = is_set
        with every_case() as case:
            for channel, (path, headers) in files.items():
                with case(f"{channel} {is_set}"):
                    events()
                    assert client.get(path, headers=headers).getvalue() == CONTENT
                    found = events()
                    if not is_set:
                        assert found == []
                        continue
                    ((action, actor, data),) = found
                    event = AuditEvent.objects.latest("pk")
                    of = {} if channel == "run" else {"model": uid, "version": 1}
                    assert data == {**of, "sha256": digest, "bytes": 10}
                    assert (actor, event.channel) == (
                        "alice",
                        "mlflow" if channel == "run" else channel,
                    )
                    assert action == (
                        "model_version.artifact_downloaded" if of else "run_file.downloaded"
                    )
                    # On another chain it would be a change of the model.
                    assert event.model is None
                    assert event.texts.get().text == (
                        "e/r/a.bin" if channel == "run" else "w/a.bin"
                    )


def test_only_responses_with_content_are_downloads(
    files: Any, alice: User, client_of: Any, events: Any, settings: Any
) -> None:
    settings.OBEYA_RECORD_DOWNLOADS = True
    client, (path, headers) = client_of(alice), files["page"]
    etag = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    events()
    with every_case() as case:
        for method, more, status, sent in (
            ("HEAD", {}, 200, None),
            ("GET", {"If-None-Match": etag}, 304, None),
            ("GET", {"Range": "bytes=20-"}, 416, None),
            ("GET", {"Range": "bytes=2-4"}, 206, 3),
        ):
            with case((method, more)):
                answer = client.generic(method, path, headers=headers | more)
                assert answer.status_code == status
                # A response ends when it was read to its end.
                assert len(answer.getvalue()) == (sent or 0)
                assert [data["bytes"] for *_, data in events()] == ([sent] if sent else [])


# --- The audit page -------------------------------------------------------------------------------


def test_the_log_shows_access_events_readably(
    files: Any, alice: User, client_of: Any, settings: Any
) -> None:
    settings.OBEYA_RECORD_DOWNLOADS = True
    client = client_of(alice)
    for path, headers in (files["page"], files["run"]):
        assert client.get(path, headers=headers).getvalue() == CONTENT
    browser = Client()
    browser.post(one_time_link_path(alice, actor=SYSTEM))
    for name in ("alice", "nobody"):
        browser.post("/sign-in/", {"username": name, "password": "wrong"})
        Client().post("/sign-in/", {"username": name, "password": "wrong"})
    with every_case() as case:
        for action, sentence in {
            "user.signed_in": "alice signed in",
            "user.link_used": "alice used a sign-in link",
            "user.sign_in_failed": "system refused a sign-in for alice",
            "api_token.used_from_new_address": "alice used an API token from a new address",
            "model_version.artifact_downloaded": "downloaded a file of the version resnet50 v1",
            "run_file.downloaded": "alice downloaded a file of a run",
        }.items():
            with case(action):
                page = " ".join(text_of(client.get("/audit/", {"action": action})).split())
                words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
                assert sentence in words, words[-1500:]
        with case("unknown"):
            page = text_of(client.get("/audit/", {"action": "user.sign_in_failed"}))
            assert "no account has the name that was entered" in page
            assert "nobody" not in page
    assert OneTimeLink.objects.exists()
