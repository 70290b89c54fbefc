"""The board's filter: matching, refusals, and the round trip through its URL."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from boards.access.actors import SYSTEM, Actor
from boards.models import ModelVersion, User
from boards.queries.search.board_filter import (
    CONDITION_MAX,
    CONDITIONS_MAX,
    EXPRESSION_MAX,
    BoardFilter,
    MetricCondition,
)
from boards.registry.catalog.catalog import delete_version
from boards.registry.catalog.registration import register_version
from obeya import names
from obeya.errors import InvalidInput
from obeya.policy.bounds import Comparison
from obeya.policy.tag_text import tag_text
from obeya.records import Channel, VersionDraft

pytestmark = pytest.mark.both_engines

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def versions(db):
    """Register five versions of three models, with two owners."""
    owners = {
        name: Actor(User.objects.create(username=name, is_superuser=True), Channel.CLI)
        for name in ("ada", "bob")
    }

    def register(name, owner, label="", tags=None, **metrics):
        register_version(
            draft=VersionDraft(model=name, label=label, tags=tags, metrics=metrics),
            actor=owners[owner],
            at=NOON,
        )

    register("resnet50", "ada", "1.0.0", {"family": "resnet", "gpu": ""}, top1=76.1, size=25)
    register("resnet50", "bob", "2.0.0-rc1", {"family": "resnet v2"}, top1=80.5, size=25)
    register("resnet50", "ada", top1=80)
    register("100%_sure", "bob", tags={"gpu": "a100"}, loss=-0.5)
    register("100 resnets", "ada", "v3")


def matching(**lists):
    values = {name: [value] if isinstance(value, str) else value for name, value in lists.items()}
    rows = BoardFilter.parse(values).apply(ModelVersion.objects.filter(deleted_at=None))
    return sorted(f"{row.model.name} v{row.number}" for row in rows.select_related("model"))


RESNET = ["resnet50 v1", "resnet50 v2", "resnet50 v3"]


def test_an_empty_filter_lets_everything_through():
    assert len(matching()) == 5
    assert not BoardFilter.parse({})
    assert BoardFilter.parse({"q": [" "], "tag": [""], "metric": ["  "]}) == BoardFilter()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("resnet50", RESNET),
        ("RESNET50", RESNET),
        ("  net50  ", RESNET),
        ("resnet", ["100 resnets v1", *RESNET]),
        ("rc1", ["resnet50 v2"]),
        ("2.0", ["resnet50 v2"]),
        ("resnet50 1.0", ["resnet50 v1"]),
        ("v1", ["100 resnets v1", "100%_sure v1", "resnet50 v1"]),
        ("V2", ["resnet50 v2"]),
        ("v3", ["100 resnets v1", "resnet50 v3"]),
        ("resnet50 v3", ["resnet50 v3"]),
        ("v99", []),
        ("v9999999999999", []),
        ("nothing", []),
    ],
)
def test_every_word_is_in_the_name_or_the_label_or_is_the_number(text, found):
    assert matching(q=text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("100%", ["100%_sure v1"]),
        ("%", ["100%_sure v1"]),
        ("_", ["100%_sure v1"]),
        ("0_", []),
        ("res%50", []),
        ("\\", []),
        ("'", []),
        ("*", []),
        ("[r]", []),
    ],
)
def test_wildcards_in_the_search_are_literal(text, found):
    assert matching(q=text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metrics.top1 >= 80 and metrics.size <= 25", ["resnet50 v2"]),
        ('tags.family = "resnet"', ["resnet50 v1"]),
        ('tags.family contains "RESNET" or has tags.gpu', ["100%_sure v1", *RESNET[:2]]),
        ("not has metrics.top1", ["100 resnets v1", "100%_sure v1"]),
        ("model = resnet50 and version > 1 and owner = ada", ["resnet50 v3"]),
        ("model = nothing", []),
        ("not model = nothing and label = v3", ["100 resnets v1"]),
        ("name contains '%'", ["100%_sure v1"]),
        ("created > 3000d and stage != archived and label = ''", ["100%_sure v1", "resnet50 v3"]),
    ],
)
def test_a_search_with_a_comparison_is_a_filter(text, found):
    assert matching(q=text) == found


def test_a_filter_in_the_search_goes_with_the_other_fields():
    assert matching(q="metrics.top1 > 0", owner="ada", tag="family") == ["resnet50 v1"]


def test_model_and_owner_are_exact_names():
    assert matching(model="resnet50") == RESNET
    assert matching(model="resnet") == matching(model="RESNET50") == []
    assert matching(owner="ada") == ["100 resnets v1", "resnet50 v1", "resnet50 v3"]
    assert matching(owner="ad") == matching(owner="Ada") == []


def test_a_tag_is_a_pair_or_only_a_key():
    assert matching(tag="family=resnet") == ["resnet50 v1"]
    assert matching(tag="family=resnet v2") == ["resnet50 v2"]
    assert matching(tag="family") == ["resnet50 v1", "resnet50 v2"]
    assert matching(tag="gpu") == ["100%_sure v1", "resnet50 v1"]
    assert matching(tag="gpu=") == ["resnet50 v1"]
    assert matching(tag="gpu=a") == matching(tag="fam") == []


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("top1 > 80", [2]),
        ("top1 >= 80", [2, 3]),
        ("top1 ≥ 80", [2, 3]),
        ("top1 < 80", [1]),
        ("top1 <= 80", [1, 3]),
        ("top1 ≤ 80", [1, 3]),
        ("top1 = 80", [3]),
        ("top1 == 80", [3]),
        ("top1 = 80.00000001", [3]),
        ("top1 = 80.001", []),
        ("top1>=8e1", [2, 3]),
        ("top1 > -1", [1, 2, 3]),
        ("Top1 > 0", []),
    ],
)
def test_a_metric_is_compared_with_a_number(condition, found):
    assert matching(metric=condition) == [f"resnet50 v{number}" for number in found]


def test_a_negative_number_compares_as_one():
    assert matching(metric="loss = -0.5") == matching(metric="loss < -0.4") == ["100%_sure v1"]
    assert matching(metric="loss < -0.6") == []


def test_all_conditions_must_match():
    assert matching(q="resnet", owner="ada", tag=["family", "gpu"], metric="top1 > 70") == [
        "resnet50 v1"
    ]
    assert matching(metric=["top1 > 80", "size <= 25"]) == ["resnet50 v2"]
    assert matching(tag=["family=resnet", "family=resnet v2"]) == []


def test_deleted_versions_are_excluded():
    delete_version(name="resnet50", version=1, actor=SYSTEM, at=NOON)
    assert matching(model="resnet50") == ["resnet50 v2", "resnet50 v3"]


@pytest.mark.parametrize(
    ("lists", "field"),
    [
        ({"q": ["x" * (names.MODEL_NAME_MAX + 1)]}, "q"),
        ({"q": ["a\x00"]}, "q"),
        ({"q": ["stage = live"]}, "q"),
        ({"q": ["accuracy >= 0.9"]}, "q"),
        ({"q": ["has label".ljust(EXPRESSION_MAX) + "x"]}, "q"),
        ({"q": ["label = 'a\x00'"]}, "q"),
        ({"model": ["x" * (names.MODEL_NAME_MAX + 1)]}, "model"),
        ({"model": ["a/b"]}, "model"),
        ({"owner": ["\x00"]}, "owner"),
        ({"tag": ["=resnet"]}, "tag"),
        ({"tag": ["x" * (names.TAG_KEY_MAX + 1)]}, "tag"),
        ({"tag": ["x=" + "y" * (names.TAG_VALUE_MAX + 1)]}, "tag"),
        ({"tag": ['""']}, "tag"),
        ({"tag": ['"a"="\\ud800"']}, "tag"),
        ({"metric": ["x" * CONDITION_MAX + " > 1"]}, "metric"),
        ({"tag": ["a\x00=b"]}, "tag"),
        ({"tag": ["a"] * (CONDITIONS_MAX + 1)}, "tag"),
        ({"metric": ["top1"]}, "metric"),
        ({"metric": ["top1 >"]}, "metric"),
        ({"metric": ["> 5"]}, "metric"),
        ({"metric": ["top1 > high"]}, "metric"),
        ({"metric": ["top1 > nan"]}, "metric"),
        ({"metric": ["top1 > inf"]}, "metric"),
        ({"metric": ["top1 > 1e999"]}, "metric"),
        ({"metric": ["top1 ! 5"]}, "metric"),
        ({"metric": ["top1 > 5\x00"]}, "metric"),
        ({"metric": ["top1 > 1"] * (CONDITIONS_MAX + 1)}, "metric"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_filter_is_refused_with_its_field(lists, field):
    with pytest.raises(InvalidInput) as refused:
        BoardFilter.parse(lists)
    assert refused.value.field == field


def test_the_last_of_repeated_single_values_is_used():
    assert BoardFilter.parse({"model": ["a", "b"]}).model == "b"


def test_a_filter_is_restored_from_its_url():
    lists = {
        "q": ["100% v3 é&="],
        "model": ["a+b"],
        "owner": ["ada"],
        "tag": ["family=resnet=50", "gpu", "empty="],
        "metric": ["top1 >= 80", "loss<-0.5", "x = 1e-12"],
    }
    parsed = BoardFilter.parse(lists)
    assert parsed
    assert not parsed.only_model
    again = BoardFilter.parse(parse_qs(parsed.query_string, keep_blank_values=True))
    assert again == parsed


def test_a_filter_in_the_search_is_restored_from_its_url_as_typed():
    typed = "metrics.top1>=80  AND tags.`a=b` != 'é & \"'"
    parsed = BoardFilter.parse({"q": [typed]})
    assert parsed.text == typed
    assert not parsed.only_model
    assert BoardFilter.parse(parse_qs(parsed.query_string)) == parsed


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("accuracy >= 0.9", MetricCondition("accuracy", Comparison.GTE, 0.9)),
        ("  a=b  >=  3 ", MetricCondition("a=b", Comparison.GTE, 3.0)),
        ("p99 latency<1e2", MetricCondition("p99 latency", Comparison.LT, 100.0)),
    ],
)
def test_a_condition_is_a_metric_a_comparison_and_a_number(text, condition):
    assert MetricCondition.parse(text) == condition
    assert MetricCondition.parse(str(condition)) == condition


def test_model_counts_are_used_only_if_just_the_model_is_filtered():
    assert BoardFilter(model="resnet50").only_model
    assert BoardFilter().only_model
    for more in ({"text": "x"}, {"owner": "x"}, {"tags": (("x", None),)}):
        assert not BoardFilter(model="resnet50", **more).only_model


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("team", "vision"),
        ("family", "x" * 5000),
        ("x" * names.TAG_KEY_MAX, "y"),
        ("a=b", "c"),
        ("a=b", None),
        ("a=b=", ""),
        ("a", "=b="),
        ("a", " padded "),
        ("a", " "),
        ("a", ""),
        ("a", "two\nlines"),
        ("a", 'say "so"'),
        ('"a"', '"b"'),
        ('"a"', None),
        ("\\", "\\"),
        ("é", "🍒"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_every_valid_tag_is_found_by_its_link(key, value):
    register_version(
        draft=VersionDraft(model="tagged", tags={key: value or ""}), actor=SYSTEM, at=NOON
    )
    query = BoardFilter(tags=((key, value),)).query_string
    assert matching(**parse_qs(query, keep_blank_values=True)) == ["tagged v1"]
    # The field of the form contains one line.
    assert "\n" not in tag_text(key, value)


@pytest.mark.parametrize("length", [201, names.MODEL_NAME_MAX])
def test_a_model_is_found_however_long_its_name(length):
    name = "m" * length
    register_version(draft=VersionDraft(model=name), actor=SYSTEM, at=NOON)
    assert matching(model=name) == matching(q=name) == [f"{name} v1"]


def test_combining_marks_match_the_stored_form():
    composed, combining = "caf\u00e9", "cafe\u0301"
    register_version(
        draft=VersionDraft(model=composed, tags={composed: composed}, metrics={composed: 1}),
        actor=SYSTEM,
        at=NOON,
    )
    for lists in (
        {"model": combining},
        {"q": combining},
        {"tag": f"{combining}={combining}"},
        {"metric": f"{combining} > 0"},
    ):
        assert matching(**lists) == [f"{composed} v1"]
    assert matching(model="e\u0301" * names.MODEL_NAME_MAX) == []


def test_unstorable_text_is_not_reported_as_too_long():
    for lists in ({"q": ["a\x00"]}, {"model": ["a\x00"]}, {"tag": ["a\x00"]}, {"owner": ["\x00"]}):
        with pytest.raises(InvalidInput) as refused:
            BoardFilter.parse(lists)
        assert "cannot be stored" in str(refused.value)
