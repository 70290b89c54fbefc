"""The filter language: parsing, error messages and evaluation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
from obeya.filters.language import NESTING_MAX, TERMS_MAX, is_filter, parse_filter
from obeya.filters.ordering import NEWEST_FIRST, Ordering, OrderingTerm, parse_ordering
from obeya.filters.tokens import FILTER_MAX, FilterError
from obeya.metrics import Metric
from obeya.records import ModelVersion
from obeya.stages import Stage

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ENTERED = datetime(2026, 3, 3, 12, tzinfo=UTC)

VERSION = ModelVersion(
    model="ResNet50",
    version=7,
    stage=Stage.PRODUCTION,
    revision=4,
    created_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
    stage_entered_at=ENTERED,
    label="2.0.0-rc1",
    measurements={
        "top1": Metric("top1", 80.4),
        "loss": Metric("loss", -0.5),
        "z": Metric("z", 0.0),
    },
    tags={"family": "resnet", "a=b": "", "Größe": "50"},
    aliases=("champion", "eu"),
    artifact_path="s3://models/resnet",
    description="Trained on\nImageNet.",
    owner="ada",
    updated_at=datetime(2026, 3, 9, 12, tzinfo=UTC),
)
# Filters that match `VERSION`; each is tested with and without `not`.
TRUE = [
    "metrics.top1 >= 80",
    "metrics.top1 > 8e1",
    "metrics.top1 = 80.4",
    "metrics.top1 == 80.40000000001",
    "metrics.top1 != 80",
    "metrics.loss < -.4",
    "metrics.loss ≤ -0.5",
    "metrics.z = 0",
    'metrics."top1" ≥ 80',
    "METRICS.top1 > 1",
    'tags.family = "resnet"',
    "tags.family = resnet",
    "tags.family != 'ResNet'",
    "tags.family contains 'RES'",
    'tags.family in ("vit", "resnet")',
    "tags.`a=b` = ''",
    "tags.\"a=b\" != 'x'",
    "tags.Größe = 50",
    "tags.Gro\u0308ße = 50",
    "has metrics.loss",
    "has tags.`a=b`",
    "has label and has alias and HAS owner AND has description and has artifact_uri",
    "not has source_run",
    'model = "ResNet50"',
    "name contains resnet",
    "model != resnet50",
    "version = 7",
    "version = v7",
    "version in (1, 7)",
    "version > 6 and version >= 7 and version < 8 and version <= 7 and version != 8",
    "stage = PRODUCTION",
    "stage != archived",
    'stage in (staging, "Production")',
    "owner = ada",
    "alias = eu",
    "alias != staging",
    "alias contains CHAMP",
    'alias in ("x", "champion")',
    "label contains 'RC'",
    'description contains "on\\nimage"',
    'artifact_uri contains "://"',
    'source_run = ""',
    "created = 2026-03-01",
    "created < 2026-03-02 and created >= 2026-03-01 and created <= 2026-03-01",
    "created > 2026-02-28",
    "created != 2026-03-02",
    "created = 2026-03-01T09:00Z",
    "created = '2026-03-01 10:00:00+01:00'",
    "entered >= 7d and entered <= 7d and entered > 8d and entered < 6D",
    "entered > 1w and entered < 1w or entered >= 168h",
    "updated > 24h or updated <= 1440m",
    "metrics.top1 > 80 or metrics.none > 0 and metrics.none > 0",
    "(metrics.none > 0 or metrics.top1 > 80) and not (owner = bob)",
]
FALSE = [
    "metrics.none > 0",
    "metrics.none != 0",
    "metrics.Top1 > 0",
    "metrics.top1 != 80.4",
    "tags.none != 'x'",
    "tags.none contains x",
    "has tags.none",
    "alias != eu",
    "owner != ada",
    "created > 2026-03-01",
    "metrics.top1 > 80 and metrics.none > 0 or owner = bob",
    "label = 2.0.0",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_filters_match(text):
    assert parse_filter(text).matches(VERSION, NOW)
    assert not parse_filter(f"not ({text})").matches(VERSION, NOW)


@pytest.mark.parametrize("text", FALSE)
def test_false_filters_do_not_match(text):
    assert not parse_filter(text).matches(VERSION, NOW)
    assert parse_filter(f"not ({text})").matches(VERSION, NOW)


def test_and_binds_more_than_or_and_not_more_than_and():
    a, b, c = (Has(TagKey(key)) for key in "abc")
    assert parse_filter("has tags.a or has tags.b and not has tags.c") == Or((a, And((b, Not(c)))))
    assert parse_filter("(has tags.a or has tags.b) and has tags.c") == And((Or((a, b)), c))


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "empty"),
        ("   ", 3, "empty"),
        ("accuracy > 3", 0, "“accuracy” is not a field"),
        ("accuracy > 3", 0, "metrics.accuracy"),
        ("model = 'x' and family = 'y'", 16, "“family” is not a field"),
        ("label > 3", 6, "“>” cannot be used with label; use =, !=, contains or in."),
        ("metrics.x in (1)", 10, "“in” cannot be used with metrics.x"),
        ("metrics.x", 9, "Found the end where =, !=, >, >=, < or <= was expected."),
        ("metrics.x >", 11, "Found the end where a number, such as 80 or 0.9, was expected."),
        ("metrics.x > high", 12, "Found “high” where a number"),
        ("metrics.x > '3'", 12, "where a number"),
        ("metrics.x > 1e999", 12, "“1e999” is too large"),
        ("metrics.x > nan", 12, "where a number"),
        ("metrics.x > 1 tags.y = 2", 14, "Found “tags.y” where and, or or the end was expected."),
        ("metrics. x > 1", 9, "a name right after metrics."),
        ('tags."" = 1', 5, "cannot be empty"),
        ("tags." + "k" * 251 + " = 1", 0, "at most 250 characters"),
        ("(has label", 10, "Found the end where and, or or ) was expected."),
        ("has label)", 9, "Found “)” where and, or or the end was expected."),
        ("()", 1, "Found “)” where a field"),
        ("has label and", 13, "Found the end where a field"),
        ("and has label", 0, "Found “and” where a field"),
        ("has model", 4, "Every version has a model"),
        ("label = 'a", 8, "Found “'a” without the quote that ends it."),
        ("label = `a`", 8, "Found “`a`” where a text in quotes was expected."),
        ("label = and", 8, "Found “and” where a text in quotes was expected."),
        (r"label = 'a\x'", 10, r"Found “\x” where one of"),
        ("label ! 3", 6, "Found “!” where != was expected."),
        ("label = 'a\x00'", 10, "cannot be stored"),
        ("label = 'a\ud800'", 10, "cannot be stored"),
        ("label contains ''", 15, "the text to look for"),
        ("label in 'a'", 9, "a list in parentheses"),
        ("label in ('a' 'b')", 14, "Found “'b'” where , or ) was expected."),
        ("stage = live", 8, "“live” is not a stage. The stages are Development, Staging"),
        ("version = 1.5", 10, "Found “1.5” where a version's number"),
        ("version = 0", 10, "whole number from 1"),
        ("version = 9999999999", 10, "whole number from 1"),
        ("version = " + "9" * 4000, 10, "where a version's number"),
        ("created > soon", 10, "Found “soon” where a time"),
        ("created > 2026-02-30", 10, "Found “2026-02-30” where a time"),
        ("created > 0001-01-01", 10, "where a time"),
        ("created > 2026-01-01T25:00", 10, "where a time"),
        ("created > 9999-12-31T23:59-01:00", 10, "where a time"),
        ("created = 7d", 10, "Write created > 7d"),
        ("created > 999999999w", 10, "over 100 years ago"),
        ("created > " + "9" * 4_000 + "m", 10, "over 100 years ago"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_error_has_its_position_and_the_found_and_expected_text(text, position, said):
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    assert said in str(refused.value)
    assert refused.value.position == position
    assert refused.value.field == "filter"


def test_an_error_shows_the_place_in_a_long_text():
    text = "has label and " * 20 + "foo > 3" + " and has label" * 20
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    before, at, after = refused.value.excerpt
    assert at == "foo"
    assert before.startswith("…")
    assert after.endswith("…")
    assert len(before + at + after) < 100
    assert text[refused.value.position : refused.value.end] == "foo"


def test_length_terms_and_nesting_are_bounded():
    at_most = " or ".join(["has label"] * TERMS_MAX)
    assert len(parse_filter(at_most).parts) == TERMS_MAX
    nested = "(" * NESTING_MAX + "has label" + ")" * NESTING_MAX
    assert parse_filter(nested) == Has(Field.LABEL)
    listed = ", ".join(["1"] * TERMS_MAX)
    assert len(parse_filter(f"version in ({listed})").numbers) == TERMS_MAX
    assert parse_filter("has label".ljust(FILTER_MAX))
    for text, said in (
        (f"{at_most} or has label", "64 terms"),
        (f"version in ({listed}, 1)", "64 terms"),
        (f"({nested})", "16 levels"),
        ("not " * 17 + "has label", "16 levels"),
        ("(" * 4_000, "16 levels"),
        ("has label".ljust(FILTER_MAX + 1), "4,096"),
    ):
        with pytest.raises(FilterError, match=said):
            parse_filter(text)


# --- Round trips ---------------------------------------------------------------------------------

nasty = st.sampled_from(["and", 'say "so"', "it's \"", "\\", "a=b", "é 1", "x\ny", "`", "(", "3"])
texts = st.one_of(nasty, st.text(st.sampled_from("ab \"'\\`\n\t=é🍒"), max_size=12))
name_texts = texts.map(lambda text: " ".join(text.split())).filter(bool)
signs = st.sampled_from([o for o in Operator if not o.isalpha()])
text_subjects = st.one_of(
    st.sampled_from([field for field in Field if field.is_text]), st.builds(TagKey, name_texts)
)
days = st.dates(date(1970, 1, 1), date(9989, 12, 31))
moments = st.datetimes(datetime(1970, 1, 1), datetime(9989, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
terms = st.one_of(
    st.builds(MetricTerm, name_texts, signs, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(
        TextTerm,
        text_subjects,
        st.sampled_from([Operator.EQ, Operator.NE]),
        st.tuples(texts),
    ),
    st.builds(TextTerm, text_subjects, st.just(Operator.CONTAINS), st.tuples(texts.filter(bool))),
    st.builds(
        TextTerm,
        text_subjects,
        st.just(Operator.IN),
        st.lists(texts, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(NumberTerm, signs, st.tuples(st.integers(1, 2**31 - 1))),
    st.builds(
        NumberTerm,
        st.just(Operator.IN),
        st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        StageTerm,
        st.sampled_from([Operator.EQ, Operator.NE]),
        st.tuples(st.sampled_from(Stage)),
    ),
    st.builds(
        TimeTerm,
        st.sampled_from([field for field in Field if field.is_time]),
        signs,
        st.one_of(st.builds(Day, days), st.builds(Moment, moments)),
    ),
    st.builds(
        TimeTerm,
        st.just(Field.CREATED),
        st.sampled_from([Operator.GT, Operator.LTE]),
        st.builds(Ago, st.integers(0, 5000), st.sampled_from("mhdw")),
    ),
    st.builds(
        Has,
        st.one_of(
            st.builds(MetricName, name_texts),
            st.builds(TagKey, name_texts),
            st.sampled_from([field for field in Field if field.may_be_missing]),
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
    max_leaves=8,
)


@given(expressions)
def test_every_expression_is_read_back_from_its_text(expression):
    text = str(expression)
    assert "\n" not in text
    assert parse_filter(text) == expression
    assert is_filter(text)


pieces = st.sampled_from(
    [
        *"()<>=!,.\"'`\\ \n",
        *("and ", "or ", "not ", "in ", "contains ", "has ", "metrics.", "tags.", "label ", "7d "),
        *("stage = production ", "metrics.x > 1 ", "model in ('a', \"b\") ", "2026-03-03 "),
    ]
)


@given(st.one_of(st.text(), st.lists(st.one_of(pieces, st.text(max_size=3))).map("".join)))
@example("\\" * FILTER_MAX)
@example('"' + "\\" * (FILTER_MAX - 1))
@example("a" * FILTER_MAX)
@example(" " * FILTER_MAX)
@example("(" * FILTER_MAX)
@example("not " * (FILTER_MAX // 4))
@example("created > " + "1" * 4_000 + "d")
@example("'" * (FILTER_MAX - 1))
@example("\U0001d15e" * FILTER_MAX)
def test_any_text_is_parsed_or_refused_with_a_filter_error(text):
    assert is_filter(text) in (True, False)
    for parse in (parse_filter, parse_ordering):
        read = read_or_refusal(parse, text)
        if isinstance(read, FilterError):
            assert 0 <= read.position <= read.end <= len(text)
            assert str(read)
        else:
            assert parse(str(read)) == read


def read_or_refusal(parse, text):
    try:
        return parse(text)
    except FilterError as error:
        return error


# --- Search words or a filter --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "metrics.auc > 0.9",
        "metrics.auc >",
        'metrics."top 1" >= 80',
        "stage=production",
        "model contains resnet",
        "label contains 'x",
        "stage in (staging",
        "has label",
        "not has tags.family",
        "(has metrics.x",
        "accuracy >= 80",
        "resnet loss<0.5",
        "x and owner = ada",
    ],
)
def test_a_comparison_makes_a_filter(text):
    assert is_filter(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resnet50 v3",
        "model",
        "stage production",
        "label in the box",
        "metrics.auc",
        "has",
        "version has label",
        "model contains",
        "a=b",
        "x = 3",
        "100% v3 é&=",
        "it's > 3",
        "in (x)",
        "->",
        "> 3",
    ],
)
def test_other_text_is_search_words(text):
    assert not is_filter(text)


# --- Orderings -----------------------------------------------------------------------------------


def test_an_ordering_is_up_to_three_subjects_with_their_directions():
    assert parse_ordering("metrics.auc DESC, name") == Ordering(
        (OrderingTerm(MetricName("auc"), descending=True), OrderingTerm(Field.MODEL))
    )
    assert str(parse_ordering(' metrics."top 1" ,created asc,version desc')) == (
        'metrics."top 1" asc, created asc, version desc'
    )
    assert parse_ordering("") == parse_ordering("  ") == NEWEST_FIRST


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("tags.x", 0, "cannot be sorted by tags.x; use metrics.NAME, created"),
        ("stage desc", 0, "cannot be sorted by stage"),
        ("created desc, created", 14, "Duplicate sort field created"),
        ("created, updated, entered, model", 27, "at most 3 fields"),
        ("created up", 8, "Found “up” where a comma or the end was expected."),
        ("created,", 8, "Found the end where a field"),
        ("auc", 0, "metrics.auc"),
    ],
)
def test_an_invalid_ordering_is_refused(text, position, said):
    with pytest.raises(FilterError) as refused:
        parse_ordering(text)
    assert said in str(refused.value)
    assert refused.value.position == position
    assert refused.value.field == "order_by"


def test_an_unknown_time_matches_nothing():
    unknown = replace(VERSION, updated_at=None)
    assert not parse_filter("updated > 1970-01-01").matches(unknown, NOW)
    assert not parse_filter("updated <= 1970-01-01").matches(unknown, NOW)
