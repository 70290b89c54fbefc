"""The page on settings lists every variable."""

from __future__ import annotations

import ast
import re

from registry_site.cli import _options
from tests.docs.pages import ROOT, text_of

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
    text = text_of("docs/settings.md")
    return re.findall(rf"^\| `({VARIABLE.pattern})` \|", text, re.MULTILINE)


def test_every_variable_is_in_the_table_once():
    assert sorted(variables_documented()) == sorted(variables_read())


def test_every_option_sets_a_variable_that_is_read():
    assert set((_options._DATABASE | _options._SERVER).values()) <= variables_read()
