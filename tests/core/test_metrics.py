"""Metrics: values, directions, percent change and noise."""

from __future__ import annotations

import math
from fractions import Fraction

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
def test_a_value_that_is_not_a_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be a number"):
        Metric("accuracy", value)  # type: ignore[arg-type]  # what a program may send


@pytest.mark.parametrize("samples", [0, -1, 2**53, True, 1.5])
def test_an_invalid_sample_count_is_refused(samples: object) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        Metric("accuracy", 0.9, samples)  # type: ignore[arg-type]  # what a program may send


@pytest.mark.parametrize("error", [-0.1, math.nan, math.inf])
def test_an_invalid_standard_error_is_refused(error: float) -> None:
    with pytest.raises(InvalidInput):
        Metric("accuracy", 0.9, standard_error=error)


@pytest.mark.parametrize(
    ("value", "stored"),
    [(25_557_032, 25_557_032.0), (Fraction(1, 4), 0.25), (2**53 + 1, 2.0**53), (-0.0, 0.0)],
)
def test_any_real_number_is_stored_as_a_float(value: float, stored: float) -> None:
    metric = Metric("params", value, standard_error=value)
    assert (metric.value, type(metric.value)) == (stored, float)
    assert (metric.standard_error, type(metric.standard_error)) == (stored, float)


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, -1.7976931348623157e308])
def test_the_largest_and_smallest_floats_are_valid(value: float) -> None:
    assert Metric("m", value).value == value


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("accuracy", Direction.HIGHER),
        ("test/f1_score", Direction.HIGHER),
        ("imagenet_top1", Direction.HIGHER),
        ("ROC-AUC", Direction.HIGHER),
        ("samples_per_second", Direction.HIGHER),
        ("gpu_samples_per_s", Direction.HIGHER),
        ("Images per sec", Direction.HIGHER),
        ("seconds_per_sample", Direction.LOWER),
        ("tokens_per_set", Direction.UNKNOWN),
        ("hyper_sigma", Direction.UNKNOWN),
        ("per", Direction.UNKNOWN),
        ("val_loss", Direction.LOWER),
        ("latency_p99_ms", Direction.LOWER),
        ("error_rate", Direction.LOWER),
        ("accuracy_drop", Direction.LOWER),
        ("temperature", Direction.UNKNOWN),
        ("classes", Direction.UNKNOWN),
        ("maple", Direction.UNKNOWN),
        ("", Direction.UNKNOWN),
        ("名前", Direction.UNKNOWN),
    ],
)
def test_whole_words_of_a_name_imply_its_direction(name: str, direction: Direction) -> None:
    assert known_direction(name) is direction


def test_the_short_title_is_the_title_or_the_name() -> None:
    assert MetricDefinition("imagenet_top1", title="Top-1").short_title == "Top-1"
    assert MetricDefinition("imagenet_top1").short_title == "imagenet_top1"


def test_a_definition_overrides_the_name() -> None:
    defined = {"accuracy": MetricDefinition("accuracy", Direction.LOWER)}
    assert definition_for("accuracy", defined).direction is Direction.LOWER
    assert definition_for("f1", defined).direction is Direction.HIGHER


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [(50, 55, 10), (50, 45, -10), (-50, -45, 10), (-50, 50, 200), (0, 0, 0), (0, 1, None)],
)
def test_percent_change_of_ordinary_values(a: float, b: float, change: float | None) -> None:
    assert percent_change(a, b) == (None if change is None else pytest.approx(change))


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (80.0, 81.2, 1.5),
        (0.1, 0.3, 200),
        (-4, -5, -25),
        (-0.0, 0.0, 0),
        (0.0, -1.0, None),
        (0.0, 5e-324, None),
        (5e-324, 0.0, -100),
        (5e-324, 1.0, None),
        (1e-300, 1e10, None),
        (-1.7e308, 1.7e308, 200),
        (1.7e308, -1.7e308, -200),
        (1.0, 1.7e308, None),
    ],
)
def test_percent_change_at_the_edges(a: float, b: float, change: float | None) -> None:
    assert percent_change(a, b) == (None if change is None else pytest.approx(change))


@given(finite, finite)
def test_percent_change_is_undefined_only_from_0_and_beyond_the_range(a: float, b: float) -> None:
    undefined = percent_change(a, b) is None
    if a == 0:
        assert undefined == (b != 0)
    elif undefined:
        assert abs(Fraction(b) - Fraction(a)) / abs(Fraction(a)) > Fraction(10) ** 306
    else:
        assert abs(Fraction(b) - Fraction(a)) / abs(Fraction(a)) < Fraction(10) ** 307


@given(finite, finite)
def test_percent_change_is_finite_or_undefined_and_has_the_sign_of_the_difference(
    a: float, b: float
) -> None:
    change = percent_change(a, b)
    if change is None:
        return
    assert math.isfinite(change)
    assert (change > 0, change < 0) == (b > a, b < a)


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


def test_a_stated_standard_error_overrides_the_formula() -> None:
    stated = Metric("accuracy", 0.8, samples=100, standard_error=0.01)
    assert standard_error(stated, Scale.FRACTION) == 0.01


def test_two_values_differ_within_noise_up_to_1_96_standard_errors() -> None:
    a = Metric("m", 10.0, standard_error=3.0)
    noise = 1.96 * 5
    inside = Metric("m", 10.0 + noise * 0.999, standard_error=4.0)
    outside = Metric("m", 10.0 + noise * 1.001, standard_error=4.0)
    assert within_noise(a, inside, Scale.NONE)
    assert not within_noise(a, outside, Scale.NONE)


def test_a_difference_of_exactly_1_96_standard_errors_is_not_noise() -> None:
    a = Metric("m", 0.0, standard_error=3.0)
    assert not within_noise(a, Metric("m", 1.96 * 5.0, standard_error=4.0), Scale.NONE)


@pytest.mark.parametrize(("samples", "noise"), [(1_000, True), (2_000, False)])
@pytest.mark.parametrize(("scale", "unit"), [(Scale.FRACTION, 1), (Scale.PERCENT, 100)])
def test_accuracies_of_90_and_92_percent_differ_on_2_000_samples_but_not_on_1_000(
    samples: int, noise: bool, scale: Scale, unit: int
) -> None:
    # 1.96 times the root of 0.09/n + 0.0736/n is 0.0251 for n = 1,000 and 0.0177 for n = 2,000.
    a, b = (Metric("accuracy", p * unit, samples) for p in (0.90, 0.92))
    assert within_noise(a, b, scale) == noise


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_proportion_of_none_or_all_has_no_error(p: float) -> None:
    assert standard_error(Metric("accuracy", p, samples=10), Scale.FRACTION) == 0
    assert standard_error(Metric("accuracy", 100 * p, samples=10), Scale.PERCENT) == 0


def test_equal_values_with_no_error_are_not_called_noise() -> None:
    a = Metric("m", 1.0, standard_error=0.0)
    assert not within_noise(a, a, Scale.NONE)


def test_without_both_standard_errors_nothing_is_noise() -> None:
    a = Metric("m", 1.0, standard_error=1.0)
    assert not within_noise(a, Metric("m", 1.01), Scale.NONE)


@given(finite, finite, st.floats(0, 1.7e308), st.floats(0, 1e6))
def test_noise_is_symmetric(a: float, b: float, error_a: float, error_b: float) -> None:
    first = Metric("m", a, standard_error=error_a)
    second = Metric("m", b, standard_error=error_b)
    assert within_noise(first, second, Scale.NONE) == within_noise(second, first, Scale.NONE)
