"""The documents agree with the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from obeya.filters.expressions import Field, Operator
from obeya.filters.language import is_filter, parse_filter
from obeya.filters.ordering import parse_ordering
from obeya.filters.tokens import FilterError
from registry_site.cli import _options

ROOT = Path(__file__).parents[1]
VARIABLE = re.compile(r"OBEYA_[A-Z_]+|DATABASE_URL")


def variables_read() -> set[str]:
    """Return the variables that registry_site reads through registry_site.environment."""
    names = set()
    for path in (ROOT / "registry_site").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "env"
            ):
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
                names.add(node.args[0].value)
    return names


def variables_documented() -> list[str]:
    text = (ROOT / "docs" / "settings.md").read_text()
    return re.findall(rf"^\| `({VARIABLE.pattern})` \|", text, re.MULTILINE)


def test_every_variable_is_in_the_table_once():
    assert sorted(variables_documented()) == sorted(variables_read())


def test_every_option_sets_a_variable_that_is_read():
    assert set((_options._DATABASE | _options._SERVER).values()) <= variables_read()


# --- Filters --------------------------------------------------------------------------------------

FILTERS = (ROOT / "docs" / "filters.md").read_text()


def examples(language: str) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", FILTERS, re.MULTILINE | re.DOTALL)
    assert blocks
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("example", examples("filter"))
def test_every_example_of_a_filter_is_one(example):
    assert parse_filter(example)
    assert is_filter(example)


@pytest.mark.parametrize("example", examples("ordering"))
def test_every_example_of_an_order_is_one(example):
    assert parse_ordering(example)


@pytest.mark.parametrize("example", examples("refused"))
def test_every_example_of_what_is_refused_is_refused(example):
    with pytest.raises(FilterError):
        parse_filter(example)


def test_the_table_of_fields_says_what_each_goes_with():
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


def test_what_the_text_on_filters_says_in_passing_is_so():
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
