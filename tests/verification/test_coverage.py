"""Each column is compared with the log, or listed with the reason why not; so is each action."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.db.models import Model

from boards.queries.verification.coverage import (
    ALL,
    UNCOVERED,
    UNCOVERED_APPS,
    compared_columns,
    documented_lines,
)
from obeya.audit.replay.replay import EFFECTS, WITHOUT_ROWS
from obeya.records import Action

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def columns_of(model: type[Model]) -> set[str]:
    fields = (*model._meta.local_fields, *model._meta.local_many_to_many)
    return {field.name for field in fields if not field.primary_key or field.name != "id"}


def test_every_column_is_compared_or_listed_with_the_reason():
    missing, twice, unknown = [], [], []
    for model in apps.get_models():
        if model._meta.proxy or model._meta.app_label in UNCOVERED_APPS:
            continue
        columns, compared = columns_of(model), compared_columns(model)
        listed = UNCOVERED.get(model, {})
        covered = columns if ALL in listed else compared | set(listed)
        missing += [f"{model.__name__}.{name}" for name in sorted(columns - covered)]
        twice += [f"{model.__name__}.{name}" for name in sorted(compared & set(listed))]
        unknown += [f"{model.__name__}.{name}" for name in set(listed) - columns - {ALL}]
        assert ALL not in listed or not compared
    # Its value alone says nothing: it is compared as a part of the findings.
    assert (missing, twice, unknown) == ([], ["ModelVersion.artifact_inspector"], [])
    assert all(reason for columns in UNCOVERED.values() for reason in columns.values())


def test_the_documentation_lists_the_columns_that_are_not_compared():
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index("| rows | table | columns | why not |") + 2
    assert lines[start : start + len(documented_lines())] == documented_lines()
    assert lines[start + len(documented_lines())] == ""


def test_every_action_changes_rows_or_is_listed_with_the_reason():
    assert set(EFFECTS) | set(WITHOUT_ROWS) == set(Action)
    assert not set(EFFECTS) & set(WITHOUT_ROWS)
    assert all(WITHOUT_ROWS.values())
