"""Metric definitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from boards import models
from boards.access.actors import Actor
from boards.queries.facts.records import definitions
from boards.registry.catalog.metrics import define_metric
from obeya.errors import InvalidInput, NotAllowed
from obeya.metrics import Direction, MetricDefinition, Scale
from obeya.records import Channel

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
TOP1 = MetricDefinition(
    name="top1",
    direction=Direction.HIGHER,
    unit="%",
    scale=Scale.PERCENT,
    title="Top-1",
    description="On ImageNet.",
)


@pytest.fixture
def define(alice):
    def make(definition, *, by=alice, at=NOON):
        define_metric(definition=definition, actor=Actor(by, Channel.PAGE), at=at)

    return make


def test_a_definition_is_stored_with_one_event_of_the_registrys_chain(define, new_events, alice):
    define(TOP1)

    (event,) = new_events()
    assert (event.action, event.actor, event.model) == ("metric_definition.set", alice, None)
    values = {
        "direction": "higher",
        "unit": "%",
        "scale": "percent",
        "title": "Top-1",
        "description": "On ImageNet.",
    }
    assert event.data == {"metric": "top1", "old": None, "new": values}
    assert definitions() == {"top1": TOP1}


def test_a_definition_that_changes_keeps_the_old_one_in_its_event(define, new_events):
    define(TOP1)
    new_events()
    define(MetricDefinition("top1", Direction.LOWER), at=NOON + timedelta(hours=1))

    (event,) = new_events()
    assert event.data["old"]["direction"] == "higher"
    assert event.data["new"]["direction"] == "lower"
    assert definitions() == {"top1": MetricDefinition("top1", Direction.LOWER)}
    assert models.MetricDefinition.objects.get().updated_at == NOON + timedelta(hours=1)


def test_the_same_definition_again_writes_nothing(define, whole_database):
    define(TOP1)
    before = whole_database()
    define(TOP1)
    assert whole_database() == before


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        (MetricDefinition(""), "metric"),
        (MetricDefinition("x" * 251), "metric"),
        (MetricDefinition("top1", unit="x" * 25), "unit"),
        (MetricDefinition("top1", unit="\x00"), "unit"),
        (MetricDefinition("top1", description="\x00"), "description"),
        (MetricDefinition("top1", title="x" * 41), "title"),
        (MetricDefinition("top1", description="x" * 100_001), "description"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_an_invalid_definition_is_refused(definition, field, define, whole_database):
    before = whole_database()
    with pytest.raises(InvalidInput) as refused:
        define(definition)
    assert refused.value.field == field
    assert whole_database() == before


def test_a_promoter_cannot_define_metrics(define, peter, whole_database):
    before = whole_database()
    with pytest.raises(NotAllowed):
        define(TOP1, by=peter)
    assert whole_database() == before
