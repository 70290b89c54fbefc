"""The `ModelRegistry` contract: its methods and the arguments that they accept."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from obeya import InMemoryRegistry, ModelRegistry
from obeya.errors import InvalidInput
from obeya.metrics import Metric
from obeya.values import NUMBER_MAX, as_metrics, as_tags, version_number

METHODS = [name for name, _ in inspect.getmembers(ModelRegistry, inspect.isfunction)]
METHODS = [name for name in METHODS if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_the_in_memory_registry_has_the_methods_of_the_contract(name: str) -> None:
    ours, contract = getattr(InMemoryRegistry, name), getattr(ModelRegistry, name)
    assert inspect.signature(ours) == inspect.signature(contract)


def test_no_method_takes_an_actor_or_a_time() -> None:
    for name in METHODS:
        parameters = inspect.signature(getattr(ModelRegistry, name)).parameters
        assert not {"actor", "at", "clock"} & set(parameters)


def test_plain_numbers_become_metrics_and_metrics_stay_what_they_are() -> None:
    measured = Metric("auc", 0.9, 1_000, 0.01, "holdout")
    assert as_metrics({"accuracy": 1, "auc": measured}) == {
        "accuracy": Metric("accuracy", 1.0),
        "auc": measured,
    }
    assert as_metrics(None) == as_metrics({}) == {}


def test_metric_names_are_stored_in_nfc() -> None:
    assert list(as_metrics({" pre\u0301cision ": 0.9})) == ["précision"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"": 0.9}, "cannot be empty"),
        ({5: 0.9}, "must be text"),
        ({"a": math.nan}, "finite"),
        ({"a": "0.9"}, "must be a number"),
        ({"a": None}, "must be a number"),
        ({"a": Metric("b", 1.0)}, "“b” is given as “a”"),
        ({"é": 1.0, "e\u0301": 2.0}, "Duplicate metric “é”"),
        ({"a": 1.0, " a": 1.0}, "Duplicate metric “a”"),
        ({f"m{n}": 1.0 for n in range(1_001)}, "At most 1,000"),
    ],
    ids=range(9),
)
def test_invalid_metrics_are_refused(values: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        as_metrics(values)


def test_a_thousand_metrics_can_be_logged_together() -> None:
    assert len(as_metrics({f"m{n}": 1.0 for n in range(1_000)})) == 1_000


def test_tags_are_normalised() -> None:
    assert as_tags({" te\u0301am ": "nlp", "empty": ""}) == {"téam": "nlp", "empty": ""}
    assert as_tags(None) == {}


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"": "x"}, "cannot be empty"),
        ({"k": 5}, "must be text"),
        ({"k": "x" * 100_001}, "100,000"),
        ({"é": "x", "e\u0301": "y"}, "Duplicate tag “é”"),
    ],
    ids=range(4),
)
def test_invalid_tags_are_refused(tags: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        as_tags(tags)


@pytest.mark.parametrize("number", [1, 2, NUMBER_MAX])
def test_a_version_number_is_a_whole_number_from_1(number: int) -> None:
    assert version_number(number) == number


@pytest.mark.parametrize("number", [0, -1, NUMBER_MAX + 1, True, 1.0, "1", None, math.nan])
def test_any_other_version_number_is_refused_with_a_true_message(number: Any) -> None:
    with pytest.raises(InvalidInput, match="whole number from 1 to 2,147,483,647") as error:
        version_number(number)
    assert error.value.field == "version"
