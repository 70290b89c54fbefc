"""The board's counts, cards and lamps, and the number of statements that it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from boards.access.actors import SYSTEM, Actor
from boards.models import Metric, ModelVersion, RegisteredModel
from boards.queries.board import board_columns as board_module
from boards.queries.board.board_columns import (
    PAGE,
    Lamp,
    Reason,
    board,
    cards_of,
    column_page,
    stage_counts,
)
from boards.queries.search.board_filter import BoardFilter
from boards.registry.catalog.catalog import configure_model, delete_model, delete_version
from boards.registry.catalog.metrics import define_metric, log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.database import DatabaseRegistry
from boards.registry.policies.policies import set_policy
from boards.registry.transitions.transitions import transition_stage
from obeya import metrics as core
from obeya.comparison import DiffOutcome
from obeya.metrics import Direction, MetricDefinition, Scale
from obeya.policy.bounds import Comparison
from obeya.policy.policy import PromotionPolicy
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.guardrails import Guardrail
from obeya.transitions.intent import TransitionIntent

DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = Stage
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
ALL = BoardFilter()

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]


def register(name="resnet50", **metrics):
    return register_version(draft=VersionDraft(model=name, metrics=metrics), actor=SYSTEM, at=NOON)


def move(version, *stages, name="resnet50", at=NOON):
    for stage in stages:
        transition_stage(
            name=name, version=version, intent=TransitionIntent(to_stage=stage), actor=SYSTEM, at=at
        )


def guard(policy, name=None):
    set_policy(policy=policy, name=name, actor=SYSTEM, at=NOON)


def card(number=1, model="resnet50", board_filter=ALL):
    cards = [card for column in board(board_filter).columns for card in column.cards]
    (found,) = [card for card in cards if (card.model, card.number) == (model, number)]
    return found


def headlines(number=1, **more):
    return [metric.definition.name for metric in card(number, **more).metrics]


def make_many(count, *, models=7):
    """Insert rows for versions of several models in all stages, with metrics and champions."""
    rows = RegisteredModel.objects.bulk_create(
        RegisteredModel(name=f"model {n}", created_at=NOON, updated_at=NOON)
        for n in range(min(models, count))
    )
    versions = ModelVersion.objects.bulk_create(
        ModelVersion(
            model=rows[n % len(rows)],
            number=n // len(rows) + 1,
            stage=list(Stage)[n % 4].value,
            created_at=NOON,
            updated_at=NOON,
            stage_entered_at=NOON + timedelta(seconds=n),
        )
        for n in range(count)
    )
    Metric.objects.bulk_create(
        Metric(version=version, name=name, value=version.pk % 7, logged_at=NOON)
        for version in versions
        for name in ("accuracy", "f1", "loss")
    )
    for model in rows:
        mine = [version for version in versions if version.model_id == model.pk]
        for stage in Stage:
            held = sum(version.stage == stage.value for version in mine)
            setattr(model, f"{stage.value}_count", held)
        model.champion = next((v for v in mine if v.stage == "production"), None)
        model.save()
    return versions


# --- Columns and counts ---------------------------------------------------------------------------


def test_every_version_is_in_the_column_of_its_stage_the_latest_first():
    for _ in range(4):
        register()
    move(2, STAGING, PRODUCTION)
    move(3, STAGING, at=NOON + timedelta(hours=1))
    move(4, ARCHIVED, at=NOON + timedelta(hours=2))

    columns = {column.stage: column for column in board(ALL).columns}
    assert list(columns) == list(Stage)
    assert {stage: [card.number for card in column.cards] for stage, column in columns.items()} == {
        DEVELOPMENT: [1],
        STAGING: [3],
        PRODUCTION: [2],
        ARCHIVED: [4],
    }
    assert board(ALL).count == 4


def test_deleted_versions_and_models_are_not_on_the_board():
    for name in ("resnet50", "resnet50", "bert"):
        register(name)
    delete_version(name="resnet50", version=1, actor=SYSTEM, at=NOON)
    delete_model(name="bert", actor=SYSTEM, at=NOON)
    (column, *_) = board(ALL).columns
    assert [(card.model, card.number) for card in column.cards] == [("resnet50", 2)]
    assert (column.count, board(ALL).count) == (1, 1)


def test_a_column_counts_all_its_versions_and_shows_one_page_of_them():
    make_many(4 * PAGE + 40)
    for column in board(ALL).columns:
        assert column.count == PAGE + 10
        assert len(column.cards) == PAGE
        assert column.next_cursor


def test_an_empty_board_has_four_empty_columns():
    for column in board(ALL).columns:
        assert (column.count, column.cards, column.next_cursor) == (0, (), None)


@pytest.mark.parametrize(
    ("board_filter", "count"),
    [
        (ALL, 8),
        (BoardFilter(model="model 1"), 1),
        (BoardFilter(model="nothing"), 0),
        (BoardFilter(text="model"), 8),
        (BoardFilter(text="v3"), 2),
        (BoardFilter(owner="ada"), 0),
    ],
    ids=str,
)
def test_counts_are_those_of_a_recount(board_filter, count):
    make_many(32)
    counts = stage_counts(board_filter)
    for stage in Stage:
        rows = board_filter.apply(ModelVersion.objects.filter(stage=stage.value, deleted_at=None))
        assert counts[stage] == (rows.count(), False)
    assert counts[DEVELOPMENT][0] == count


@pytest.mark.parametrize(("cap", "expected"), [(7, (7, True)), (8, (8, False)), (9, (8, False))])
def test_a_count_under_a_filter_stops_at_the_cap_and_says_so(cap, expected, monkeypatch):
    make_many(32)
    monkeypatch.setattr(board_module, "COUNT_CAP", cap)
    filtered = BoardFilter(text="model")
    assert set(stage_counts(filtered).values()) == {expected}
    assert board(filtered).count_is_capped is expected[1]


def test_counts_without_a_filter_are_never_capped(monkeypatch):
    make_many(32)
    monkeypatch.setattr(board_module, "COUNT_CAP", 1)
    for board_filter in (ALL, BoardFilter(model="model 1")):
        assert not board(board_filter).count_is_capped
    assert board(ALL).count == 32


@pytest.mark.parametrize(
    "board_filter", [ALL, BoardFilter(text="model", model="model 1")], ids=["all", "filtered"]
)
def test_the_board_takes_as_many_statements_for_a_thousand_versions_as_for_one(board_filter):
    guard(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 3))
    guard(PromotionPolicy(PRODUCTION).require_metric("f1", Comparison.GTE, 3))
    taken = []
    for count in (2, 50, 1_200):
        ModelVersion.objects.exclude(pk=None).update(deleted_at=NOON)
        RegisteredModel.objects.update(deleted_at=NOON, champion=None)
        make_many(count)
        with CaptureQueriesContext(
            connection,
        ) as statements:
            board(board_filter)
        taken.append(len(statements))
    assert len(set(taken)) == 1
    assert taken[0] <= 18


def test_the_next_page_takes_as_many_statements_as_any():
    make_many(1_200)
    for after in (None, board_module.Cursor(NOON + timedelta(seconds=600), 0)):
        with CaptureQueriesContext(connection) as statements:
            cards, _ = column_page(ALL, STAGING, after)
        assert len(cards) == PAGE
        assert len(statements) == 9


def test_after_a_move_the_cards_come_moved_first_without_the_deleted():
    versions = [register() for _ in range(4)]
    delete_version(name="resnet50", version=2, actor=SYSTEM, at=NOON)
    model = versions[0].model_id
    assert [card.number for card in cards_of(model, 4, [2, 1, 10**6], ALL)] == [4, 1]
    assert [card.number for card in cards_of(model, 2, [3], ALL)] == [3]


def test_after_a_move_only_the_version_moved_is_shown_whatever_the_filter():
    versions = [register() for _ in range(3)]
    only_third = BoardFilter(text="v3")
    cards = cards_of(versions[0].model_id, 1, [2, 3], only_third)
    assert [card.number for card in cards] == [1, 3]


def test_a_card_describes_its_version(django_user_model):
    ada = django_user_model.objects.create(username="ada", is_superuser=True)
    row = register_version(
        draft=VersionDraft(model="resnet50", label="1.0.0"), actor=Actor(ada, Channel.CLI), at=NOON
    )
    shown = card()
    assert (shown.pk, shown.model, shown.number, shown.label) == (row.pk, "resnet50", 1, "1.0.0")
    assert (shown.stage, shown.revision, shown.owner) == (DEVELOPMENT, 1, "ada")
    assert shown.stage_entered_at == NOON
    assert (shown.champion, shown.is_champion) == (None, False)


# --- Lamps ----------------------------------------------------------------------------------------


def test_a_version_that_would_pass_has_a_lamp_that_says_so():
    register(accuracy=0.95)
    guard(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.9))
    assert (card().lamp, card().lamp_text) == (Lamp.PASSES, "Ready for Staging")


def test_a_version_that_lacks_only_approvals_needs_attention():
    register(accuracy=0.95)
    policy = PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
    guard(policy.require_approvals(2))
    shown = card()
    assert (shown.lamp, shown.lamp_text) == (Lamp.ATTENTION, "Passes, needs 2 approvals")
    assert (shown.approvals_given, shown.approvals_required) == (0, 2)
    guard(policy.require_approvals(1))
    assert card().lamp_text == "Passes, needs approval"


def test_a_version_that_fails_says_how_often_and_why():
    register(accuracy=0.8)
    policy = PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.9)
    guard(policy.require_approvals(2))
    shown = card()
    assert (shown.lamp, shown.lamp_text) == (Lamp.FAILS, "Fails 1 requirement")
    assert shown.lamp_reasons == (Reason("accuracy is 0.8; required: ≥ 0.9.", "accuracy ≥ 0.9"),)
    guard(policy.require_metric("f1", Comparison.GT, 0))
    assert card().lamp_text == "Fails 2 requirements"
    assert "f1 was not measured" in card().lamp_reasons[1].sentence


def test_without_a_policy_for_the_next_stage_the_lamp_is_empty():
    register()
    guard(PromotionPolicy(PRODUCTION).require_metric("accuracy", Comparison.GTE, 0.9))
    assert (card().lamp, card().lamp_text) == (Lamp.NONE, "No policy")
    move(1, STAGING)
    assert card().lamp is Lamp.FAILS


def test_without_a_next_stage_the_lamp_shows_the_current_stage():
    for _ in range(3):
        register()
    move(1, STAGING, PRODUCTION)
    move(2, STAGING, PRODUCTION, at=NOON + timedelta(hours=1))
    move(3, ARCHIVED)
    assert [(card(n).lamp, card(n).lamp_text) for n in (1, 2, 3)] == [
        (Lamp.NONE, "In Production"),
        (Lamp.PASSES, "Champion"),
        (Lamp.NONE, "Archived"),
    ]
    assert [card(n).champion for n in (1, 2, 3)] == [2, 2, 2]
    assert card(2).is_champion


def test_the_lamp_uses_the_model_policy_before_the_default_policy():
    register(accuracy=0.8)
    register("bert", accuracy=0.8)
    guard(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.9))
    guard(PromotionPolicy(STAGING).require_metric("accuracy", Comparison.GTE, 0.7), "resnet50")
    assert card().lamp is Lamp.PASSES
    assert card(model="bert").lamp is Lamp.FAILS


# --- Headline metrics -----------------------------------------------------------------------------


def test_by_default_a_card_shows_the_first_two_metrics_by_name():
    register(zeta=1, beta=2, alpha=3)
    assert headlines() == ["alpha", "beta"]


def test_headlines_come_from_model_then_site_then_the_policy_of_production(settings):
    register(zeta=1, beta=2, alpha=3, gamma=4)
    guard(
        PromotionPolicy(PRODUCTION)
        .require_metric("zeta", Comparison.GTE, 0)
        .require_metric("zeta", Comparison.LTE, 9)
        .require_metric("gamma", Comparison.GTE, 0)
        .require_metric("beta", Comparison.GTE, 0)
    )
    assert headlines() == ["zeta", "gamma"]
    settings.OBEYA_HEADLINE_METRICS = ["beta"]
    assert headlines() == ["beta"]
    configure_model(name="resnet50", headline_metrics=("gamma", "missing"), actor=SYSTEM, at=NOON)
    assert headlines() == ["gamma", "missing"]
    assert [metric.value for metric in card().metrics] == [4, None]
    configure_model(name="resnet50", headline_metrics=(), actor=SYSTEM, at=NOON)
    assert headlines() == ["beta"]


def test_models_with_and_without_headlines_can_be_mixed():
    register(zeta=1, alpha=2)
    register("bert", zeta=1, alpha=2)
    configure_model(name="bert", headline_metrics=("zeta",), actor=SYSTEM, at=NOON)
    assert headlines() == ["alpha", "zeta"]
    assert headlines(model="bert") == ["zeta"]


# --- The difference to the champion ---------------------------------------------------------------


def update_champion(**metrics):
    """Make version 1 of resnet50 its champion."""
    register(**metrics)
    move(1, STAGING, PRODUCTION)


def diff(number=2):
    return card(number).metrics[0].diff


def test_a_metric_is_compared_with_the_champions():
    update_champion(accuracy=0.90)
    register(accuracy=0.95)
    register(accuracy=0.85)
    assert diff().difference == pytest.approx(0.05)
    assert diff().outcome is DiffOutcome.BETTER
    assert diff(3).outcome is DiffOutcome.WORSE
    assert diff().percent_change == pytest.approx(100 * 0.05 / 0.9)


def test_lower_may_be_better():
    update_champion(loss=0.5)
    register(loss=0.4)
    assert diff().outcome is DiffOutcome.BETTER
    define_metric(definition=MetricDefinition("loss", Direction.HIGHER), actor=SYSTEM, at=NOON)
    assert diff().outcome is DiffOutcome.WORSE


def test_a_difference_within_noise_is_marked():
    definition = MetricDefinition("top1", Direction.HIGHER, "%", Scale.PERCENT)
    define_metric(definition=definition, actor=SYSTEM, at=NOON)
    update_champion(top1=core.Metric("top1", 80.0, samples=1_000))
    register(top1=core.Metric("top1", 81.0, samples=1_000))
    register(top1=core.Metric("top1", 90.0, samples=1_000))
    assert diff().outcome is DiffOutcome.WITHIN_NOISE
    assert diff(3).outcome is DiffOutcome.BETTER


def test_values_of_different_datasets_are_not_compared():
    update_champion(top1=core.Metric("top1", 80.0, dataset="val"))
    register(top1=core.Metric("top1", 81.0, dataset="test"))
    assert diff().outcome is DiffOutcome.NOT_COMPARABLE
    assert diff().difference is None


def test_a_card_shows_no_difference_without_a_champion_value():
    update_champion(accuracy=0.9)
    register(f1=0.9)
    configure_model(name="resnet50", headline_metrics=("accuracy", "f1"), actor=SYSTEM, at=NOON)
    assert [metric.diff for metric in card(1).metrics] == [None, None]
    assert [metric.diff for metric in card(2).metrics] == [None, None]
    log_metrics(name="resnet50", version=2, metrics={"accuracy": 0.9}, actor=SYSTEM, at=NOON)
    assert card(2).metrics[0].diff.outcome is DiffOutcome.EQUAL


def test_a_champion_of_another_model_is_ignored():
    update_champion(accuracy=0.9)
    register("bert", accuracy=0.95)
    assert card(1, model="bert").metrics[0].diff is None
    assert card(1, model="bert").champion is None


def test_the_champion_is_used_even_if_the_filter_hides_it():
    update_champion(accuracy=0.9)
    register(accuracy=0.95)
    shown = card(2, board_filter=BoardFilter(text="v2"))
    assert shown.champion == 1
    assert shown.metrics[0].diff.outcome is DiffOutcome.BETTER


def test_a_card_shows_that_a_guardrail_is_breached():
    registry = DatabaseRegistry(actor=None)
    registry.register_model("resnet50")
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        registry.transition_stage("resnet50", 1, stage)
    registry.set_guardrail("resnet50", Guardrail("errors", Comparison.LTE, 0.1))
    registry.report_live_metric("resnet50", "errors", 0.2)
    (card,) = board(BoardFilter()).columns[2].cards
    assert (card.is_breached, card.lamp, card.lamp_text) == (
        True,
        Lamp.FAILS,
        "Champion, alert",
    )
    registry.report_live_metric("resnet50", "errors", 0.05)
    (card,) = board(BoardFilter()).columns[2].cards
    assert (card.is_breached, card.lamp_text) == (False, "Champion")
