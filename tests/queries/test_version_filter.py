"""Filters and orderings on real rows, compared with what the core defines."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boards.access.actors import SYSTEM, Actor
from boards.models import Metric, ModelVersion, User
from boards.queries.facts.records import version_records
from boards.queries.search.version_filter import condition
from boards.queries.search.version_list import list_versions
from boards.registry.catalog.catalog import delete_version
from boards.registry.catalog.labels import set_alias
from boards.registry.catalog.metrics import log_metrics
from boards.registry.catalog.registration import register_version
from boards.registry.transitions.transitions import transition_stage
from obeya.errors import InvalidInput
from obeya.filters.expressions import (
    Ago,
    And,
    Day,
    Field,
    Has,
    MetricName,
    MetricTerm,
    Moment,
    Not,
    NumberTerm,
    Operator,
    Or,
    StageTerm,
    TagKey,
    TextTerm,
    TimeTerm,
)
from obeya.filters.language import parse_filter
from obeya.filters.ordering import Ordering, OrderingTerm, parse_ordering
from obeya.policy.bounds import Comparison
from obeya.records import Channel, VersionDraft
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from tests.examples import examples

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=7)
HOUR = timedelta(hours=1)

TEXTS = ["a", "A", "ab", "a%", "_", "\\", "é", "e", "", "ada", "resnet", "vit", "x1", "None"]
NUMBERS = [-1.0, 0.0, 0.5, 0.5 * (1 + 5e-10), 1.0, 2.0]


@pytest.fixture(autouse=True)
def versions(db):
    """Register twelve versions of three models that differ in every field of the language."""
    owners = [
        Actor(User.objects.create(username=name, is_superuser=True), Channel.CLI)
        for name in ("ada", "A")
    ]
    for place in range(12):
        name = ("resnet", "vit", "a%")[place % 3]
        number = register_version(
            draft=VersionDraft(
                model=name,
                label=("", "a", "A", "", "_", "é", "ab", "", "a%", "x1", "", "")[place],
                tags={
                    key: value
                    for every, key, value in ((2, "k", "a"), (3, "k2", ""), (4, "a=b", "AB"))
                    if place % every == 0
                },
                metrics={
                    name: value
                    for every, name, value in (
                        (2, "auc", NUMBERS[place // 2]),
                        (3, "loss", -NUMBERS[place // 3]),
                    )
                    if place % every == 0
                },
                description=("", "a\\b", "ABC")[place % 3],
                artifact_path=("", "s3://a")[place % 2],
                source_run=("x1", "")[place % 2],
            ),
            actor=(*owners, SYSTEM)[place % 3],
            at=NOON + place // 2 * HOUR,
        ).number
        if place % 4 == 0:
            for alias in ("a", "ab")[: 1 + place // 8]:
                set_alias(name=name, alias=f"{alias}{place}", version=number, actor=SYSTEM, at=NOON)
        if place % 5 == 1:
            transition_stage(
                name=name,
                version=number,
                intent=TransitionIntent(to_stage=Stage.STAGING),
                actor=SYSTEM,
                at=NOON + timedelta(days=1),
            )
    register_version(draft=VersionDraft(model="vit", metrics={"auc": 1}), actor=SYSTEM, at=NOON)
    delete_version(name="vit", version=5, actor=SYSTEM, at=NOON)


def rows():
    return ModelVersion.objects.filter(deleted_at=None).select_related("model", "owner")


def found(expression):
    return sorted(str(v) for v in version_records(rows().filter(condition(expression, now=NOW))))


def meant(expression):
    return sorted(str(v) for v in version_records(rows()) if expression.matches(v, NOW))


texts = st.sampled_from(TEXTS)
signs = st.sampled_from([o for o in Operator if not o.isalpha()])
text_subjects = st.one_of(
    st.sampled_from([field for field in Field if field.is_text]),
    st.builds(TagKey, st.sampled_from(["k", "k2", "a=b", "none"])),
)
metric_names = st.sampled_from(["auc", "loss", "none"])
whens = st.one_of(
    st.builds(Day, st.dates(NOON.date(), NOON.date() + timedelta(days=2))),
    st.builds(lambda hours: Moment(NOON + hours * HOUR), st.integers(-1, 25)),
    st.builds(Ago, st.integers(140, 170), st.just("h")),
)
equals = st.sampled_from([Operator.EQ, Operator.NE])
lists = st.lists(texts, min_size=1, max_size=3).map(tuple)
terms = st.one_of(
    st.builds(MetricTerm, metric_names, signs, st.sampled_from(NUMBERS)),
    st.builds(TextTerm, text_subjects, equals, st.tuples(texts)),
    st.builds(TextTerm, text_subjects, st.just(Operator.CONTAINS), st.tuples(texts.filter(bool))),
    st.builds(TextTerm, text_subjects, st.just(Operator.IN), lists),
    st.builds(NumberTerm, signs, st.tuples(st.sampled_from([1, 2, 3, 2**31 - 1]))),
    st.builds(NumberTerm, st.just(Operator.IN), st.just((1, 3, 2**31 - 1))),
    st.builds(StageTerm, equals, st.tuples(st.sampled_from(Stage))),
    st.builds(StageTerm, st.just(Operator.IN), st.just((Stage.STAGING, Stage.ARCHIVED))),
    st.builds(TimeTerm, st.sampled_from([f for f in Field if f.is_time]), signs, whens),
    st.builds(
        Has,
        st.one_of(
            st.builds(MetricName, metric_names),
            text_subjects.filter(lambda subject: subject is not Field.MODEL),
        ),
    ),
)
expressions = st.recursive(
    terms,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(And, st.lists(parts, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(parts, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(expressions)
def test_a_query_finds_the_rows_that_the_core_matches(expression):
    assert found(expression) == meant(expression)


@settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-2, 2))
def test_number_equality_is_the_same_in_queries_and_policies(number, further):
    stored = number + further * abs(number) * 0.5e-9
    if abs(stored) > 1.7e308:
        return
    Metric.objects.filter(name="auc", version__number=1).update(value=stored)
    equal = bool(found(MetricTerm("auc", Operator.EQ, number)))
    assert equal == any(
        Comparison.EQ.holds(value, number)
        for value in Metric.objects.filter(name="auc").values_list("value", flat=True)
    )
    assert found(MetricTerm("auc", Operator.NE, number)) == meant(
        MetricTerm("auc", Operator.NE, number)
    )


def test_a_filter_takes_one_statement_and_gives_each_version_once():
    expression = parse_filter(
        "(has alias or has tags.k or metrics.auc > 0) and not (metrics.loss > 5 or owner = bob) "
        'and model in ("resnet", "vit", "a%") and (label contains "a" or has metrics.auc)'
    )
    with CaptureQueriesContext(connection) as statements:
        pks = list(rows().filter(condition(expression, now=NOW)).values_list("pk", flat=True))
    assert len(statements) == 1
    assert len(pks) == len(set(pks)) > 0


# --- Orderings -----------------------------------------------------------------------------------

SUBJECTS = [
    MetricName("auc"),
    MetricName("loss"),
    MetricName("none"),
    Field.CREATED,
    Field.UPDATED,
    Field.ENTERED,
    Field.MODEL,
    Field.VERSION,
]
orderings = st.lists(
    st.builds(OrderingTerm, st.sampled_from(SUBJECTS), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda term: term.subject,
).map(lambda terms: Ordering(tuple(terms)))


def sort_key(subject, version):
    if isinstance(subject, MetricName):
        return version.metrics.get(subject.name)
    return {
        Field.CREATED: version.created_at,
        Field.UPDATED: version.updated_at,
        Field.ENTERED: version.stage_entered_at,
        Field.MODEL: version.model,
        Field.VERSION: version.version,
    }[subject]


def sorted_by(ordering):
    by_age = list(version_records(rows().order_by("pk")))
    result = by_age[::-1] if ordering.terms[-1].descending else by_age
    for term in reversed(ordering.terms):
        # Sorting is stable, also in reverse.
        known = [v for v in result if sort_key(term.subject, v) is not None]
        unknown = [v for v in result if sort_key(term.subject, v) is None]
        subject = term.subject
        known.sort(key=lambda v, s=subject: sort_key(s, v), reverse=term.descending)
        result = known + unknown
    return [str(version) for version in result]


def all_pages(limit, **asked):
    names, after = [], ""
    while True:
        page = list_versions(now=NOW, after=after, limit=limit, **asked)
        assert len(page.versions) <= limit
        names += [str(version) for version in page.versions]
        if page.next_cursor is None:
            return names
        assert page.versions
        after = page.next_cursor


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(orderings, st.integers(1, 5))
def test_pages_cover_every_version_once_in_the_requested_order(ordering, limit):
    assert all_pages(limit, ordering=ordering) == sorted_by(ordering)


def test_pages_are_filtered():
    expression = parse_filter("metrics.auc >= 0.5")
    ordering = parse_ordering("metrics.auc desc, created")
    shown = all_pages(2, expression=expression, ordering=ordering)
    assert sorted(shown) == meant(expression)
    assert shown == [name for name in sorted_by(ordering) if name in shown]


def test_versions_are_newest_first_by_default():
    newest = list_versions(now=NOW, limit=1).versions[0]
    assert newest.created_at == max(v.created_at for v in version_records(rows()))
    assert len(all_pages(5)) == 12


def test_a_page_takes_as_many_statements_for_one_version_as_for_many():
    ordering = parse_ordering("metrics.auc desc, metrics.loss, created")

    def statements(limit):
        with CaptureQueriesContext(connection) as caught:
            list_versions(
                now=NOW,
                limit=limit,
                ordering=ordering,
                expression=parse_filter("has tags.k or not has tags.none"),
            )
        return len(caught)

    assert statements(11) == statements(8) == 5
    assert statements(1) <= 5


def test_a_cursor_of_another_ordering_is_refused():
    auc, loss = parse_ordering("metrics.auc desc"), parse_ordering("metrics.loss desc")
    cursor = list_versions(now=NOW, ordering=auc, limit=1).next_cursor
    assert list_versions(now=NOW, ordering=auc, limit=1, after=cursor).versions
    for other in (loss, parse_ordering("metrics.auc"), parse_ordering("metrics.auc desc, version")):
        with pytest.raises(InvalidInput, match="another order") as refused:
            list_versions(now=NOW, ordering=other, after=cursor)
        assert refused.value.field == "cursor"


def forged(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def test_a_forged_cursor_is_refused():
    ordering = parse_ordering("metrics.auc, model, created")
    cursor = list_versions(now=NOW, ordering=ordering, limit=1).next_cursor
    digest, values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert list_versions(now=NOW, ordering=ordering, after=forged([digest, values])).versions
    auc, model, created, pk = values
    for document in (
        {},
        [digest],
        [digest, values, pk],
        [digest, values[:3]],
        [digest, {}],
        [digest, [auc, model, created, "1"]],
        [digest, [auc, model, created, 2**63]],
        [digest, [auc, model, created, True]],
        [digest, [float("nan"), model, created, pk]],
        [digest, [float("inf"), model, created, pk]],
        [digest, ["1", model, created, pk]],
        [digest, [auc, None, created, pk]],
        [digest, [auc, "a\x00", created, pk]],
        [digest, [auc, "\ud800", created, pk]],
        [digest, [auc, model, None, pk]],
        [digest, [auc, model, -1, pk]],
        [digest, [auc, model, 10**30, pk]],
    ):
        with pytest.raises(InvalidInput) as refused:
            list_versions(now=NOW, ordering=ordering, after=forged(document))
        assert refused.value.field == "cursor"
    for text in ("x", "é", "W1tb", "=", cursor[:-8], forged([[]] * 3), "[" * 5000):
        with pytest.raises(InvalidInput) as refused:
            list_versions(now=NOW, ordering=ordering, after=text)
        assert refused.value.field == "cursor"


def test_a_version_that_moves_up_meanwhile_is_not_shown_again():
    ordering = parse_ordering("metrics.auc desc")
    first = list_versions(now=NOW, ordering=ordering, limit=2)
    last = first.versions[-1]
    log_metrics(name=last.model, version=last.version, metrics={"auc": 99}, actor=SYSTEM, at=NOW)
    rest = list_versions(now=NOW, ordering=ordering, after=first.next_cursor, limit=50)
    assert not {str(v) for v in first.versions} & {str(v) for v in rest.versions}
    assert len(first.versions) + len(rest.versions) == 12


def test_the_time_of_the_last_change_is_known_of_versions_that_are_read():
    version = version_records(rows().filter(number=1))[0]
    assert version.updated_at is not None
    # This field says when a version changed, not what it is.
    assert replace(version, updated_at=None) == version
