"""Logging metrics: new values, replaced values, and the event."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from boards.access.actors import Actor
from boards.models import Metric, ModelVersion
from boards.registry.catalog.catalog import delete_version
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from obeya import metrics as core
from obeya.errors import InvalidInput, NotAllowed, NotFound
from obeya.records import Channel, VersionDraft

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def resnet50(alice):
    register_version(
        draft=VersionDraft(model="resnet50", metrics={"accuracy": 0.9}),
        actor=Actor(alice, Channel.CLI),
        at=NOON,
    )


@pytest.fixture
def log(alice):
    def make(metrics, *, name="resnet50", version=1, by=alice, at=LATER):
        return log_metrics(
            name=name, version=version, metrics=metrics, actor=Actor(by, Channel.API), at=at
        )

    return make


def test_new_and_replaced_metrics_are_one_event_with_old_and_new(log, new_events, carol):
    row = log(
        {
            "accuracy": 0.95,
            "f1": core.Metric("f1", 0.8, samples=100, standard_error=0.01, dataset="test"),
        },
        by=carol,
    )

    (event,) = new_events()
    assert event.action == "model_version.metrics_logged"
    assert (event.actor, event.channel, event.version) == (carol, "api", row)
    assert event.data == {
        "metrics": {
            "accuracy": {"old": {"value": 0.9}, "new": {"value": 0.95}},
            "f1": {
                "old": None,
                "new": {"value": 0.8, "samples": 100, "standard_error": 0.01, "dataset": "test"},
            },
        }
    }
    stored = Metric.objects.get(name="f1")
    assert (stored.samples, stored.standard_error, stored.dataset) == (100, 0.01, "test")
    assert stored.logged_at == LATER
    assert ModelVersion.objects.get().revision == row.revision == 2


def test_logging_existing_values_writes_nothing(log, whole_database):
    before = whole_database()
    assert log({"accuracy": 0.9}).revision == 1
    assert log({}).revision == 1
    assert whole_database() == before


def test_only_what_changed_enters_the_event(log, new_events):
    log({"f1": 0.5})
    new_events()
    log({"accuracy": 0.9, "f1": 0.6})
    (event,) = new_events()
    assert list(event.data["metrics"]) == ["f1"]


def test_a_replaced_value_drops_the_old_sample_count(log):
    log({"f1": core.Metric("f1", 0.5, samples=10, dataset="test")})
    log({"f1": 0.5})
    stored = Metric.objects.get(name="f1")
    assert (stored.samples, stored.dataset) == (None, "")


def test_the_stage_and_its_time_stay(log):
    log({"f1": 0.5})
    row = ModelVersion.objects.get()
    assert (row.stage, row.stage_entered_at, row.updated_at) == ("development", NOON, LATER)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "0.9", None, 10**400])
def test_a_value_that_is_not_finite_is_refused_and_leaves_nothing(value, log, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput):
        log({"f1": 0.5, "accuracy": value})
    assert whole_database() == before


@pytest.mark.parametrize("value", [1.7976931348623157e308, -5e-324, 0.1 + 0.2])
def test_floats_are_stored_exactly(value, log):
    log({"f1": value})
    assert Metric.objects.get(name="f1").value == value


@pytest.mark.parametrize("where", [{"name": "nothing"}, {"version": 2}], ids=str)
def test_an_unknown_version_cannot_be_measured(where, log, whole_database):
    before = whole_database()
    with pytest.raises(NotFound):
        log({"f1": 0.5}, **where)
    assert whole_database() == before


def test_a_deleted_version_cannot_be_measured(log, alice):
    delete_version(name="resnet50", version=1, actor=Actor(alice, Channel.API), at=LATER)
    with pytest.raises(NotFound):
        log({"f1": 0.5})


def test_a_viewer_cannot_log_metrics(log, victor, whole_database):
    before = whole_database()
    with pytest.raises(NotAllowed):
        log({"f1": 0.5}, by=victor)
    assert whole_database() == before
