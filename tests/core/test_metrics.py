"""Metrics: values, directions, percent change and noise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.errors import InvalidInput
from obeya.metrics import (
    Direction,
    Metric,
    MetricDefinition,
    Scale,
    definition_for,
    known_direction,
    percent_change,
    standard_error,
    within_noise,
)

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput, match="finite"):
        Metric("accuracy", value)


@pytest.mark.parametrize("value", ["0.9", None, True, [1]])
def test_a_value_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be a number"):
        Metric("accuracy", value)  # type: ignore[arg-type]  # what a program may send


@pytest.mark.parametrize("samples", [0, -1, 2**53, True, 1.5])
def test_a_number_of_samples_that_cannot_be_is_refused(samples: object) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        Metric("accuracy", 0.9, samples)  # type: ignore[arg-type]  # what a program may send


@pytest.mark.parametrize("error", [-0.1, math.nan, math.inf])
def test_a_standard_error_that_cannot_be_is_refused(error: float) -> None:
    with pytest.raises(InvalidInput):
        Metric("accuracy", 0.9, standard_error=error)


def test_a_whole_number_is_a_value() -> None:
    assert Metric("params", 25_557_032).value == 25_557_032.0


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("accuracy", Direction.HIGHER),
        ("test/f1_score", Direction.HIGHER),
        ("imagenet_top1", Direction.HIGHER),
        ("ROC-AUC", Direction.HIGHER),
        ("samples_per_second", Direction.HIGHER),
        ("val_loss", Direction.LOWER),
        ("latency_p99_ms", Direction.LOWER),
        ("error_rate", Direction.LOWER),
        ("accuracy_drop", Direction.LOWER),
        ("temperature", Direction.UNKNOWN),
        ("classes", Direction.UNKNOWN),
        ("maple", Direction.UNKNOWN),
    ],
)
def test_a_name_tells_its_direction_by_whole_words(name: str, direction: Direction) -> None:
    assert known_direction(name) is direction


def test_a_definition_goes_before_the_name() -> None:
    defined = {"accuracy": MetricDefinition("accuracy", Direction.LOWER)}
    assert definition_for("accuracy", defined).direction is Direction.LOWER
    assert definition_for("f1", defined).direction is Direction.HIGHER


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [(50, 55, 10), (50, 45, -10), (-50, -45, 10), (-50, 50, 200), (0, 0, 0), (0, 1, None)],
)
def test_percent_change_of_ordinary_values(a: float, b: float, change: float | None) -> None:
    assert percent_change(a, b) == (None if change is None else pytest.approx(change))


@given(finite, finite)
def test_percent_change_is_finite_or_undefined_and_has_the_sign_of_the_difference(
    a: float, b: float
) -> None:
    change = percent_change(a, b)
    if change is None:
        return
    assert math.isfinite(change)
    if b > a:
        assert change >= 0
    if b < a:
        assert change <= 0
    if a == b:
        assert change == 0


@given(st.floats(1e-3, 1e3), st.floats(-0.9, 10))
def test_percent_change_undoes_a_relative_step(a: float, step: float) -> None:
    change = percent_change(a, a * (1 + step))
    assert change == pytest.approx(100 * step, abs=1e-6)


def test_the_standard_error_of_a_proportion() -> None:
    fraction = Metric("accuracy", 0.8, samples=100)
    assert standard_error(fraction, Scale.FRACTION) == pytest.approx(0.04)
    percent = Metric("accuracy", 80.0, samples=100)
    assert standard_error(percent, Scale.PERCENT) == pytest.approx(4.0)
    assert standard_error(fraction, Scale.NONE) is None
    assert standard_error(Metric("accuracy", 1.5, samples=100), Scale.FRACTION) is None
    assert standard_error(Metric("accuracy", 0.8), Scale.FRACTION) is None


def test_a_stated_standard_error_goes_before_the_formula() -> None:
    stated = Metric("accuracy", 0.8, samples=100, standard_error=0.01)
    assert standard_error(stated, Scale.FRACTION) == 0.01


def test_two_values_differ_within_noise_up_to_1_96_standard_errors() -> None:
    a = Metric("m", 10.0, standard_error=3.0)
    noise = 1.96 * 5
    inside = Metric("m", 10.0 + noise * 0.999, standard_error=4.0)
    outside = Metric("m", 10.0 + noise * 1.001, standard_error=4.0)
    assert within_noise(a, inside, Scale.NONE)
    assert not within_noise(a, outside, Scale.NONE)


def test_without_both_errors_nothing_is_noise() -> None:
    a = Metric("m", 1.0, standard_error=1.0)
    assert not within_noise(a, Metric("m", 1.01), Scale.NONE)


@given(finite, finite, st.floats(0, 1e6), st.floats(0, 1e6))
def test_noise_is_the_same_seen_from_either_side(
    a: float, b: float, error_a: float, error_b: float
) -> None:
    first = Metric("m", a, standard_error=error_a)
    second = Metric("m", b, standard_error=error_b)
    assert within_noise(first, second, Scale.NONE) == within_noise(second, first, Scale.NONE)
