"""The comparison as CSV: `/compare.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.models import User
from boards.registry.catalog.metrics import define_metric
from boards.registry.database import DatabaseRegistry
from obeya import Metric, MetricDefinition
from obeya.records import Channel

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User], Client]


def lines_of(answer: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_a_line_for_each_metric_and_challenger_with_all_digits(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    measured = Metric("accuracy", 0.30000000000000004, 500, 0.01, "test")
    registry.register_model("a", metrics={"accuracy": 0.2, "loss": 0.0})
    registry.register_model("a", metrics={"accuracy": measured, "loss": 0.5})
    registry.register_model("b", metrics={"accuracy": 0.2, "extra": -1.0})
    answer = client_of(alice).get("/compare.csv?v=a:1&v=a:2&v=b:1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == ('attachment; filename="compare-a-v1-a-v2-b-v1.csv"')
    lines = lines_of(answer)
    assert [(line["metric"], line["version"], line["outcome"]) for line in lines] == [
        ("accuracy", "a:2", "better"),
        ("accuracy", "b:1", "equal"),
        ("extra", "b:1", "only_b"),
        ("loss", "a:2", "worse"),
        ("loss", "b:1", "only_a"),
    ]
    assert lines[0] == {
        "metric": "accuracy",
        "version": "a:2",
        "value": "0.30000000000000004",
        "baseline": "a:1",
        "baseline_value": "0.2",
        "difference": repr(0.30000000000000004 - 0.2),
        "percent_change": repr(100 * ((0.30000000000000004 - 0.2) / 0.2)),
        "outcome": "better",
        "direction": "higher",
        "unit": "",
        "dataset": "test",
        "samples": "500",
        "standard_error": "0.01",
    }
    # A number can begin with a minus; a percent change that is undefined is empty.
    assert lines[2]["value"] == "-1.0"
    assert (lines[3]["difference"], lines[3]["percent_change"]) == ("0.5", "")
    assert (lines[4]["value"], lines[4]["baseline_value"]) == ("", "0.0")


def test_the_same_address_gives_the_same_comparison(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    for accuracy in (0.2, 0.3):
        registry.register_model("a", metrics={"accuracy": accuracy, "same": 1.0})
    query = "v=a:1&v=a:2&baseline=1&differences=1"
    (line,) = lines_of(client_of(alice).get(f"/compare.csv?{query}"))
    assert (line["metric"], line["version"], line["baseline"]) == ("accuracy", "a:1", "a:2")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, text: str
) -> None:
    for dataset in ("", text):
        registry.register_model(text, metrics={text: Metric(text, -1.0, dataset=dataset)})
    answer = client_of(alice).get("/compare.csv", {"v": [f"{text}:1", f"{text}:2"]})
    (line,) = lines_of(answer)
    assert line["metric"] == line["dataset"] == f"'{text}"
    assert (line["version"], line["baseline"]) == (f"'{text}:2", f"'{text}:1")
    assert line["value"] == "-1.0"


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1"])
def test_a_cell_that_begins_with_a_tab_or_a_line_break_is_no_formula(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, text: str
) -> None:
    for _ in range(2):
        registry.register_model("a", metrics={"f1": 1.0})
    define_metric(
        definition=MetricDefinition("f1"), actor=Actor(alice, Channel.PYTHON), at=timezone.now()
    )
    # The registry refuses control characters in names; another program could write them.
    models.MetricDefinition.objects.update(unit=text)
    answer = client_of(alice).get("/compare.csv?v=a:1&v=a:2")
    lines = csv.DictReader(io.StringIO(answer.content.decode(), newline=""))
    assert [line["unit"] for line in lines] == [f"'{text}"]


@pytest.mark.parametrize("name", ['a"; filename="x.exe', "../a", "模型", "x" * 250, "a\\b"])
def test_the_file_name_is_plain_for_any_model_names(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User, name: str
) -> None:
    name = name.replace("/", "\N{DIVISION SLASH}")
    for _ in range(2):
        registry.register_model(name, metrics={"f1": 1.0})
    answer = client_of(alice).get("/compare.csv", {"v": [f"{name}:1", f"{name}:2"]})
    disposition = answer["Content-Disposition"]
    start, end = 'attachment; filename="compare-', '.csv"'
    assert disposition.startswith(start)
    assert disposition.endswith(end)
    middle = disposition[len(start) : -len(end)]
    assert middle
    assert len(middle) <= 80
    assert set(middle) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._")


def test_a_comparison_requires_two_versions(
    registry: DatabaseRegistry, client_of: ClientOf, alice: User
) -> None:
    registry.register_model("a")
    for query in ("", "?v=a:1"):
        answer = client_of(alice).get(f"/compare.csv{query}")
        assert answer.status_code == 400
        assert "at least two versions" in answer.content.decode()
