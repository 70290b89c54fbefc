"""Concurrent writes: which one wins, what the others get, and that nothing is lost.

Every writer is a thread with a separate connection and real transactions.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO

import pytest
from django.db import connections
from django.test import Client

from boards.access.actors import SYSTEM, Actor
from boards.first_sign_in import first_administrator
from boards.models import AuditEvent, ModelVersion, RegisteredModel, RunFile, User
from boards.queries.verification.verification import verify_chains
from boards.registry.accounts.anonymous import AnonymousAccess, anonymous_actor
from boards.registry.accounts.tokens import service_account
from boards.registry.accounts.users import create_sign_in_link, create_user, use_sign_in_link
from boards.registry.artifacts.run_files import store_run_file
from boards.registry.catalog.catalog import rename_model
from boards.registry.catalog.labels import set_alias, set_tag
from boards.registry.catalog.metrics import define_metric, log_metrics
from boards.registry.catalog.registration import register_version, register_versions
from boards.registry.installation import instance_id
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.transitions import transition_stage
from boards.registry.webhooks.endpoints import create_webhook
from obeya.errors import AlreadyExists, NotAllowed, NotFound, RegistryError, SimilarName
from obeya.metrics import Direction, MetricDefinition
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.tokens import Scope
from obeya.transitions.intent import TransitionIntent
from obeya.webhooks.endpoints import Subscription, Target

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_engines]

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ROUNDS = 60


def concurrently(*calls):
    """Run the calls concurrently; return each result, or the registry's error."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        try:
            barrier.wait(timeout=30)
            return call()
        except RegistryError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls, timeout=120))


def register(name="resnet50", **more):
    return register_version(draft=VersionDraft(model=name, **more), actor=SYSTEM, at=NOON)


def move(version, to_stage, *, name="resnet50", by=SYSTEM, **more):
    return transition_stage(
        name=name,
        version=version,
        intent=TransitionIntent(to_stage=to_stage, **more),
        actor=by,
        at=LATER,
    )


def test_of_two_concurrent_moves_one_succeeds_and_the_other_is_a_conflict(carol, peter):
    register()
    for number in range(2, ROUNDS + 2):
        register()
        outcomes = concurrently(
            partial(
                move, number, Stage.STAGING, by=Actor(carol, Channel.PAGE), expected_revision=1
            ),
            partial(
                move, number, Stage.ARCHIVED, by=Actor(peter, Channel.PAGE), expected_revision=1
            ),
        )

        (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
        (won,) = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        row = ModelVersion.objects.get(number=number)
        assert (row.stage, row.revision) == (won.to_stage.value, 2)
        assert (lost.stage, lost.revision) == (won.to_stage, 2)
        moves = AuditEvent.objects.filter(
            version=row, action="model_version.stage_transitioned"
        ).select_related("actor")
        assert [event.actor.username for event in moves] == [won.actor]
    assert verify_chains().broken == ()


def test_without_an_expectation_the_second_move_is_checked_after_the_first(db):
    for number in range(1, 21):
        register()
        outcomes = concurrently(
            *[partial(move, number, Stage.STAGING)] * 2,
        )
        codes = sorted(getattr(outcome, "code", "moved") for outcome in outcomes)
        assert codes == ["invalid_transition", "moved"]


def test_concurrent_replacements_leave_one_version_in_production(db):
    register()
    for number in range(2, 32, 2):
        for added in (number, number + 1):
            register()
            move(added, Stage.STAGING)
        outcomes = concurrently(
            partial(move, number, Stage.PRODUCTION, archive_existing=True),
            partial(move, number + 1, Stage.PRODUCTION, archive_existing=True),
        )

        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        (row,) = ModelVersion.objects.filter(stage="production")
        model = RegisteredModel.objects.get()
        assert model.champion_id == row.pk
        assert model.production_count == 1
    assert verify_chains().broken == ()


def test_concurrent_first_versions_are_versions_1_and_2_of_one_model(db):
    for n in range(ROUNDS // 2):
        rows = concurrently(*[partial(register, f"model {n}")] * 2)
        assert sorted(row.number for row in rows) == [1, 2]
        model = RegisteredModel.objects.get(name=f"model {n}")
        assert (model.development_count, model.last_number) == (2, 2)
        assert Counter(model.events.values_list("action", flat=True)) == {
            "registered_model.registered": 1,
            "model_version.registered": 2,
        }
    assert verify_chains().broken == ()


def test_eight_concurrent_registrations_get_numbers_without_a_gap(db):
    def many():
        return [register().number for _ in range(10)]

    numbers = [number for mine in concurrently(*[many] * 8) for number in mine]
    assert sorted(numbers) == list(range(1, 81))
    model = RegisteredModel.objects.get()
    assert (model.last_number, model.development_count) == (80, 80)
    assert list(model.events.order_by("sequence").values_list("sequence", flat=True)) == list(
        range(1, 82)
    )
    assert verify_chains().broken == ()


def test_a_number_requested_concurrently_is_assigned_once(db):
    for number in range(1, 21):
        outcomes = concurrently(*[partial(register, version=number)] * 2)
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 1
    assert RegisteredModel.objects.get().development_count == 20


def test_of_two_similar_names_created_concurrently_one_is_refused(db):
    for number in range(10):
        outcomes = concurrently(
            partial(register, f"model {number}"), partial(register, f"MODEL {number}")
        )
        assert sum(isinstance(outcome, SimilarName) for outcome in outcomes) == 1
    assert RegisteredModel.objects.count() == 10


def test_batches_that_create_and_use_models_in_any_order_do_not_deadlock(db):
    for number in range(10):
        register(f"m{number}")
        batches = [
            [VersionDraft(model=name) for name in (f"a{number}", f"m{number}", f"z{number}")],
            [VersionDraft(model=name) for name in (f"m{number}", f"b{number}", f"z{number}")],
        ]
        outcomes = concurrently(
            *(
                partial(register_versions, drafts=drafts, actor=SYSTEM, at=NOON)
                for drafts in batches
            )
        )
        assert [len(rows) for rows in outcomes] == [3, 3]


def test_sixteen_concurrent_writes_to_different_models_succeed(db):
    def work(name):
        def run():
            for number in range(1, 6):
                register(name)
                log_metrics(
                    name=name, version=number, metrics={"f1": number}, actor=SYSTEM, at=LATER
                )
                move(number, Stage.STAGING, name=name)

        return run

    outcomes = concurrently(*[work(f"model {n}") for n in range(16)])

    assert outcomes == [None] * 16
    assert RegisteredModel.objects.filter(staging_count=5, chain_length=16).count() == 16
    report = verify_chains()
    assert (report.chains, report.events, report.broken) == (16, 256, ())


def test_concurrent_writes_to_the_registry_form_one_chain(db):
    def policies(stage):
        return lambda: [
            set_policy(
                policy=PromotionPolicy(stage).require_approvals(n % 2), actor=SYSTEM, at=NOON
            )
            for n in range(10)
        ]

    def metric(name):
        return lambda: [
            define_metric(definition=MetricDefinition(name, direction), actor=SYSTEM, at=NOON)
            for direction in (*Direction, *Direction)
        ]

    outcomes = concurrently(
        policies(Stage.STAGING),
        policies(Stage.STAGING),
        policies(Stage.PRODUCTION),
        metric("f1"),
        metric("f1"),
        metric("top1"),
    )

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    report = verify_chains()
    assert (report.chains, report.broken) == (1, ())


def test_of_two_concurrent_policy_edits_one_succeeds(db):
    for n in range(20):
        outcomes = concurrently(
            *[
                partial(
                    set_policy,
                    policy=PromotionPolicy(Stage.STAGING).require_approvals(2 * n + side),
                    expected_revision=n,
                    actor=SYSTEM,
                    at=NOON,
                )
                for side in (1, 2)
            ]
        )
        (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert isinstance(lost, Conflict)
        assert lost.revision == n + 1


def test_concurrent_tags_and_metrics_are_all_stored(db):
    register()
    for n in range(20):
        outcomes = concurrently(
            partial(
                set_tag, name="resnet50", key=f"a {n}", value="x", version=1, actor=SYSTEM, at=LATER
            ),
            partial(
                set_tag, name="resnet50", key=f"b {n}", value="x", version=1, actor=SYSTEM, at=LATER
            ),
            partial(
                log_metrics,
                name="resnet50",
                version=1,
                metrics={f"m {n}": n},
                actor=SYSTEM,
                at=LATER,
            ),
        )
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    row = ModelVersion.objects.get()
    assert (row.tags.count(), row.metrics.count(), row.revision) == (40, 20, 61)
    assert verify_chains().broken == ()


def test_an_alias_set_concurrently_points_to_one_version(db):
    for _ in range(2):
        register()
    for n in range(20):
        concurrently(
            *[
                partial(
                    set_alias,
                    name="resnet50",
                    alias=f"a{n}",
                    version=number,
                    actor=SYSTEM,
                    at=LATER,
                )
                for number in (1, 2)
            ]
        )
    assert RegisteredModel.objects.get().aliases.count() == 20
    assert verify_chains().broken == ()


def test_of_two_concurrent_renames_to_one_name_one_succeeds(db):
    for n in range(ROUNDS // 2):
        for side in ("a", "b"):
            register(f"{side} {n}")
        outcomes = concurrently(
            *[
                partial(rename_model, name=f"{side} {n}", new_name=f"c {n}", actor=SYSTEM, at=LATER)
                for side in ("a", "b")
            ]
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "AlreadyExists",
            "NoneType",
        ]
    assert verify_chains().broken == ()


def test_a_version_registered_while_its_model_is_renamed_is_not_lost(db):
    for n in range(20):
        register(f"old {n}")
        renamed, row = concurrently(
            partial(rename_model, name=f"old {n}", new_name=f"new {n}", actor=SYSTEM, at=LATER),
            partial(register, f"old {n}"),
        )
        assert renamed is None
        # Either it came before the rename, or it created a new model with the old name.
        numbers = {model.name: model.last_number for model in RegisteredModel.objects.all()}
        assert (numbers[f"new {n}"], numbers.get(f"old {n}")) in {(2, None), (1, 1)}
        assert not isinstance(row, (NotFound, AlreadyExists))
    assert verify_chains().broken == ()


def test_an_account_name_requested_concurrently_is_created_once(db):
    for n in range(10):
        outcomes = concurrently(
            *[partial(create_user, username=f"dora{n}", group="viewer", actor=SYSTEM, at=NOON)] * 2
        )
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 1


def anonymous(access=AnonymousAccess.WRITE):
    return anonymous_actor(access=access, channel=Channel.MLFLOW, at=NOON).user


def service(scopes):
    return service_account(username="ci", scopes=scopes, actor=SYSTEM, at=NOON)


@pytest.mark.parametrize(
    ("get", "groups"),
    [
        (anonymous, {"viewer", "contributor", "promoter"}),
        (partial(service, [Scope.READ, Scope.WRITE]), {"viewer", "contributor"}),
        (first_administrator, {"administrator"}),
    ],
    ids=["anonymous", "service account", "first administrator"],
)
def test_an_account_needed_concurrently_is_created_once_and_all_get_it(get, groups):
    outcomes = concurrently(*[get] * 8)

    account = User.objects.get()
    assert outcomes == [account] * 8
    assert set(account.groups.values_list("name", flat=True)) == groups
    actions = Counter(AuditEvent.objects.values_list("action", flat=True))
    assert actions["user.created"] == 1
    assert actions["user.changed"] == (len(groups) > 1)
    assert verify_chains().broken == ()


def test_a_service_account_that_needs_more_groups_concurrently_gets_each_once(db):
    service([Scope.READ])
    outcomes = concurrently(*[partial(service, [Scope.READ, Scope.WRITE])] * 8)
    assert {user.username for user in outcomes} == {"ci"}
    assert AuditEvent.objects.filter(action="user.changed").count() == 1


def test_an_account_name_saved_concurrently_in_the_admin_is_created_once(db):
    root = create_user(username="root", group="administrator", actor=SYSTEM, at=NOON)
    clients = [Client() for _ in range(8)]
    for client in clients:
        client.force_login(root, "django.contrib.auth.backends.ModelBackend")
    form = {"username": "dora", "usable_password": "false"}
    answers = concurrently(
        *[partial(client.post, "/admin/boards/user/add/", form) for client in clients]
    )

    assert Counter(answer.status_code for answer in answers) == {302: 1, 200: 7}
    assert User.objects.filter(username="dora").count() == 1
    assert AuditEvent.objects.filter(action="user.created").count() == 2


def test_a_run_file_stored_concurrently_belongs_to_the_account_that_was_first(carol, peter):
    def store(account, path):
        actor = Actor(account, Channel.MLFLOW)
        return store_run_file(path=path, body=BytesIO(b"x"), size=1, actor=actor, at=NOON)

    for n in range(10):
        outcomes = concurrently(*[partial(store, who, f"run/{n}") for who in (carol, peter)] * 4)
        (owner,) = {row.user for row in outcomes if isinstance(row, RunFile)}
        assert RunFile.objects.get(path=f"run/{n}").user == owner
        assert sum(isinstance(outcome, NotAllowed) for outcome in outcomes) == 4

        # A file and a folder cannot have the same name.
        file, folder = f"file/{n}", f"file/{n}/below"
        outcomes = concurrently(*[partial(store, carol, path) for path in (file, folder)] * 4)
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 4
        assert RunFile.objects.filter(path__startswith=file).count() == 1


def test_an_endpoint_name_requested_concurrently_is_created_once(db):
    new = {"name": "ci", "target": Target.WEBHOOK, "address": "https://ci.example.org/"}
    outcomes = concurrently(
        *[partial(create_webhook, **new, subscription=Subscription(), actor=SYSTEM, at=NOON)] * 8
    )
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 7


def test_the_id_of_the_installation_requested_concurrently_is_created_once(db):
    (found,) = set(concurrently(*[instance_id] * 8))
    assert len(found) == 8
    assert instance_id() == found


def test_a_link_used_concurrently_signs_in_once(carol):
    for _ in range(10):
        token = create_sign_in_link(user=carol, actor=SYSTEM, at=NOON)
        outcomes = concurrently(*[partial(use_sign_in_link, token=token, at=NOON)] * 8)
        assert sum(outcome is not None for outcome in outcomes) == 1


def test_a_log_that_grows_during_verification_is_not_reported_as_broken(db):
    register()
    done = threading.Event()

    def write():
        try:
            for n in range(60):
                set_tag(name="resnet50", key="k", value=str(n), version=1, actor=SYSTEM, at=LATER)
                register(f"model {n}")
                set_policy(
                    policy=PromotionPolicy(Stage.STAGING).require_approvals(n % 2),
                    actor=SYSTEM,
                    at=LATER,
                )
        finally:
            done.set()

    def verify():
        broken = []
        while not done.is_set():
            broken += verify_chains().broken
        return broken

    assert concurrently(write, verify) == [None, []]
