"""The page on filters says which filters and orders there are."""

from __future__ import annotations

import re

import pytest

from obeya.filters.expressions import Field, Operator
from obeya.filters.language import is_filter, parse_filter
from obeya.filters.ordering import parse_ordering
from obeya.filters.tokens import FilterError
from tests.docs.pages import all_blocks, text_of

FILTERS = text_of("docs/filters.md")


def examples(language: str) -> list[str]:
    lines = [line for block in all_blocks(language) for line in block.text.splitlines()]
    assert lines
    return lines


def refused_examples() -> list[str]:
    """Return the first cells of the table that gives the reason of each refusal."""
    found = re.findall(r"^\| `([^`]+)` \| [^|]+ \|$", FILTERS, re.MULTILINE)
    assert found
    return found


@pytest.mark.parametrize("example", examples("filter"))
def test_every_example_of_a_filter_is_valid(example):
    assert parse_filter(example)
    assert is_filter(example)


@pytest.mark.parametrize("example", examples("ordering"))
def test_every_example_of_an_order_is_valid(example):
    assert parse_ordering(example)


@pytest.mark.parametrize("example", refused_examples())
def test_every_invalid_example_is_refused(example):
    with pytest.raises(FilterError):
        parse_filter(example)


def test_the_table_of_fields_lists_the_operators_of_each():
    rows = re.findall(r"^\| `([\w.]+)`[^|]*\|[^|]*\| ([^|]+) \|$", FILTERS, re.MULTILINE)
    table = {field: set(re.findall(r"`([^`]+)`", operators)) for field, operators in rows}
    assert set(table) == {"metrics.NAME", "tags.KEY", *(field.value for field in Field)}
    values = {"stage": "staging", "version": "1", "created": "2026-03-03"}
    values |= dict.fromkeys(("updated", "entered"), values["created"])
    for field, operators in table.items():
        value = values.get(field, "1")
        for operator in Operator:
            stated = f"({value})" if operator is Operator.IN else value
            if operator.value in operators:
                assert parse_filter(f"{field} {operator.value} {stated}")
            else:
                with pytest.raises(FilterError):
                    parse_filter(f"{field} {operator.value} {stated}")


def test_other_statements_about_filters_are_true():
    for filter_in_text in (
        "metrics.auc != 0.9",
        'tags.team != "x"',
        "not metrics.auc > 0.9",
        'label != "rc1"',
        'alias != "champion"',
        "updated < 7d",
    ):
        assert f"`{filter_in_text}`" in FILTERS
        assert parse_filter(filter_in_text)
    assert not is_filter("resnet50 v3")
