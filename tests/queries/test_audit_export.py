"""Exports of the audit log as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from boards.access.actors import SYSTEM, Actor
from boards.models import AuditEvent, AuditText, RegisteredModel, SiteChain
from boards.queries.audit import audit_export
from boards.queries.audit.audit_export import ExportForm, export_lines
from boards.queries.audit.audit_filter import AuditFilter
from boards.queries.audit.audit_page import scope_of
from boards.queries.verification.verification_state import chain_heads
from boards.registry.accounts.users import create_user
from boards.registry.database import DatabaseRegistry
from obeya import Stage
from obeya.audit.export import ExportReport, verify_export
from obeya.audit.heads import ChainHead
from obeya.errors import InvalidInput
from obeya.records import Channel

pytestmark = [pytest.mark.django_db, pytest.mark.both_engines]

START = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def registry() -> DatabaseRegistry:
    alice = create_user(username="alice", group="administrator", actor=SYSTEM, at=START)
    made = DatabaseRegistry(actor=Actor(alice, Channel.CLI), clock=lambda: START)
    for name in ("résumé", "n"):
        made.register_model(name, description="=1+1")
        made.transition_stage(name, 1, Stage.STAGING, reason="=HYPERLINK(…)\nand “more”")
        made.transition_stage(name, 1, Stage.PRODUCTION)
    return made


def export(form: ExportForm, chosen: AuditFilter | None = None) -> str:
    return "".join(export_lines(form, chosen or AuditFilter()))


def verify(text: str, heads: tuple[ChainHead, ...] = (), *, gaps: bool = False) -> ExportReport:
    return verify_export(io.BytesIO(text.encode()), heads=heads, gaps=gaps)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- JSON Lines -----------------------------------------------------------------------------------


def test_the_whole_log_verifies_from_its_export_alone() -> None:
    report = verify(export(ExportForm.JSON_LINES), tuple(chain_heads()))
    assert report.holds
    assert report.events == AuditEvent.objects.count()
    assert all(part.is_whole for part in report.parts.values())
    assert {part.name for part in report.parts.values()} == {None, "résumé", "n"}
    assert str(SiteChain.objects.get().uid) in report.parts


def test_a_line_contains_what_verification_needs_and_marks_what_is_not_hashed() -> None:
    lines = [json.loads(line) for line in export(ExportForm.JSON_LINES).splitlines()]
    event = AuditEvent.objects.get(model__name="résumé", to_stage="staging")
    (line,) = [line for line in lines if line["hash"] == event.hash]
    assert line == {
        "chain": str(RegisteredModel.objects.get(name="résumé").uid),
        "sequence": 3,
        "canonical_text": event.canonical_text,
        "hash": event.hash,
        "previous_hash": event.previous_hash,
        "texts": {"reason": "=HYPERLINK(…)\nand “more”"},
        "not_hashed": {"actor": "alice", "model": "résumé"},
    }


def test_a_model_filter_exports_whole_chains_and_other_filters_leave_gaps() -> None:
    of_model = export(ExportForm.JSON_LINES, AuditFilter(model="n"))
    assert verify(of_model, tuple(chain_heads("n"))).parts.keys() == {
        str(RegisteredModel.objects.get(name="n").uid)
    }
    staging = export(ExportForm.JSON_LINES, AuditFilter(stage=Stage.STAGING))
    report = verify(staging, gaps=True)
    assert report.holds
    assert report.events == 4


def test_an_export_with_an_erased_text_verifies(registry: DatabaseRegistry) -> None:
    AuditText.objects.filter(role="reason").delete()
    report = verify(export(ExportForm.JSON_LINES))
    assert report.holds
    assert report.erased_texts == 2


def test_events_during_an_export_are_not_included(
    registry: DatabaseRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "CHUNK", 2)
    heads, count = tuple(chain_heads()), AuditEvent.objects.count()
    lines = export_lines(ExportForm.JSON_LINES, AuditFilter())
    text = next(lines)
    registry.register_model("résumé")
    text += "".join(lines)
    report = verify(text, heads)
    assert report.holds
    assert report.events == count


# --- CSV ------------------------------------------------------------------------------------------


def test_a_row_has_the_text_of_the_page() -> None:
    found = rows(export(ExportForm.CSV, AuditFilter(model="résumé")))
    assert [row["action"].partition(".")[2] for row in found] == [
        "registered",
        "registered",
        "stage_transitioned",
        "stage_transitioned",
        "set",  # the alias “champion”
    ]
    move, last = found[-2:]
    assert (move["actor"], move["channel"], move["model"], move["version"]) == (
        "alice",
        "cli",
        "résumé",
        "1",
    )
    assert (move["from_stage"], move["to_stage"]) == ("staging", "production")
    assert move["occurred_at"] == "2026-03-03T12:00:00.000000Z"
    assert last["hash"] == RegisteredModel.objects.get(name="résumé").chain_hash
    assert last["sequence"] == "5"


def test_no_cell_is_a_formula(registry: DatabaseRegistry) -> None:
    registry.register_model("@sum", tags={"=x": "+1"})
    found = rows(export(ExportForm.CSV))
    assert {row["reason"] for row in found} == {"", "'=HYPERLINK(…)\nand “more”"}
    assert {"'@sum"} <= {row["model"] for row in found}
    for row in found:
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=x"])
def test_a_cell_is_escaped_by_its_first_character(text: str) -> None:
    AuditText.objects.filter(role="reason").update(text=text)
    found = {row["reason"] for row in csv.DictReader(export(ExportForm.CSV).splitlines(True))}
    assert found == {"", f"'{text}"}


@pytest.mark.parametrize("text", ["x=1", "'=1", " =1"])
def test_other_cells_are_left_as_they_are(text: str) -> None:
    AuditText.objects.filter(role="reason").update(text=text)
    assert {row["reason"] for row in rows(export(ExportForm.CSV))} == {"", text}


# --- Both formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", list(ExportForm))
@pytest.mark.parametrize("chunk", [1, 3, 1_000])
def test_chunks_join_without_gap_or_repetition(
    form: ExportForm, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "CHUNK", chunk)
    for chosen in (AuditFilter(), AuditFilter(stage=Stage.STAGING)):
        text = export(form, chosen)
        found = (
            [row["hash"] for row in rows(text)]
            if form is ExportForm.CSV
            else [json.loads(line)["hash"] for line in text.splitlines()]
        )
        events = AuditEvent.objects.order_by("occurred_at", "pk")
        if chosen.stage:
            events = events.filter(to_stage="staging") | events.filter(from_stage="staging")
        assert found == list(events.values_list("hash", flat=True))


@pytest.mark.parametrize("form", list(ExportForm))
def test_an_export_contains_only_its_scope(form: ExportForm, registry: DatabaseRegistry) -> None:
    registry.register_model("n")
    text = "".join(export_lines(form, AuditFilter(), scope_of("n", 2)))
    assert len(text.splitlines()) == (2 if form is ExportForm.CSV else 1)


def test_an_unknown_name_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidInput, match="no account"):
        export_lines(ExportForm.CSV, AuditFilter(actor="nobody"))


def test_a_chunk_takes_two_statements(
    django_assert_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    lines = export_lines(ExportForm.JSON_LINES, AuditFilter())
    with django_assert_num_queries(4):
        export(ExportForm.JSON_LINES)
    assert len(list(lines)) == AuditEvent.objects.count()
