"""Verifying an export of the log with nothing but the file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya.audit import export as chain_export
from obeya.audit.chain import GENESIS, AuditEvent, event_hash
from obeya.audit.export import ExportedEvent, ExportReport, UnreadableExport, verify_export
from obeya.audit.heads import ChainHead
from obeya.records import Action, Channel
from tests.unreadable_texts import UNREADABLE, Change

A, B = "5f0c0e57-3a3b-4e0c-9a44-0d6f1d0a7b11", "a3c1b6f2-8d0e-4f57-9a55-2f1c7c2f9e01"
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
Line = dict[str, Any]


def lines_of(chain: str, length: int) -> list[Line]:
    lines: list[Line] = []
    for sequence in range(1, length + 1):
        previous = lines[-1]["hash"] if lines else GENESIS
        texts = {"reason": f"Because of {sequence} – “so”"}
        text = AuditEvent(
            chain=chain,
            sequence=sequence,
            occurred_at=NOON,
            recorded_at=NOON,
            actor="someone",
            channel=Channel.API,
            action=Action.VERSION_REGISTERED,
            previous_hash=previous,
            texts=texts,
        ).canonical_text()
        event = ExportedEvent(
            chain=chain,
            sequence=sequence,
            canonical_text=text,
            hash=event_hash(text),
            previous_hash=previous,
            texts=texts,
            actor="alice",
            model="resnet50",
        )
        lines.append(json.loads(event.line))
    return lines


def file_of(*lines: Line | str) -> io.BytesIO:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    return io.BytesIO("".join(f"{text}\n" for text in texts).encode())


def verify(*lines: Line | str, **options: Any) -> ExportReport:
    return verify_export(file_of(*lines), **options)


def problems(report: ExportReport) -> list[tuple[str, int]]:
    return [(link.chain, link.sequence) for link in report.broken]


def head_of(lines: list[Line], length: int | None = None) -> ChainHead:
    last = lines[(length or len(lines)) - 1]
    return ChainHead(last["chain"], last["sequence"], last["hash"])


def test_mixed_chains_in_one_file_verify() -> None:
    a, b = lines_of(A, 4), lines_of(B, 3)
    report = verify(a[0], b[0], b[1], a[1], a[2], b[2], a[3])
    assert report.holds
    assert (len(report.parts), report.events) == (2, 7)
    assert all(part.is_whole for part in report.parts.values())


def test_a_partial_chain_is_verified_from_its_first_line() -> None:
    report = verify(*lines_of(A, 6)[2:5])
    assert report.holds
    part = report.parts[A]
    assert (part.first, part.last, part.is_whole) == (3, 5, False)
    assert part.name == "resnet50"


CHANGES: list[tuple[str, Callable[[Line], object], str]] = [
    (
        "text",
        lambda line: line.update(canonical_text=line["canonical_text"].replace("api", "cli")),
        "does not match its stored hash",
    ),
    ("hash", lambda line: line.update(hash="f" * 64), "does not match its stored hash"),
    (
        "previous hash",
        lambda line: line.update(previous_hash="f" * 64),
        "“previous_hash” differs",
    ),
    ("reason", lambda line: line["texts"].update(reason="Because I say so"), "text “reason”"),
    ("text put in", lambda line: line["texts"].update(name="x"), "text “name”"),
    ("half a character", lambda line: line["texts"].update(reason="\ud800"), "text “reason”"),
]


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
@pytest.mark.parametrize("place", [1, 2, 4])
def test_any_change_is_reported_with_its_place(
    change: Callable[[Line], object], says: str, place: int
) -> None:
    lines = lines_of(A, 4)
    change(lines[place - 1])
    report = verify(*lines, *lines_of(B, 2))
    assert problems(report) == [(A, place)]
    assert says in str(report.broken[0])


@given(st.integers(2, 6), st.data())
def test_any_removed_event_except_at_the_ends_is_found(length: int, data: st.DataObject) -> None:
    lines = lines_of(A, length + 1)
    place = data.draw(st.integers(1, length - 1))
    del lines[place]
    assert problems(verify(*lines)) == [(A, place + 1)]


def test_swapped_events_are_found() -> None:
    first, second, third = lines_of(A, 3)
    assert problems(verify(first, third, second)) == [(A, 2)]


def test_a_rewritten_event_does_not_follow_the_one_before_it() -> None:
    lines = lines_of(A, 3)
    text = lines[1]["canonical_text"].replace(lines[0]["hash"], "0" * 64)
    lines[1] |= {"canonical_text": text, "hash": event_hash(text)}
    report = verify(*lines)
    assert problems(report) == [(A, 2)]
    assert "previous hash is not the hash" in str(report.broken[0])


def test_an_event_of_another_chain_is_found() -> None:
    a, b = lines_of(A, 3), lines_of(B, 3)
    report = verify(*a[:2], b[2] | {"chain": A})
    assert problems(report) == [(A, 3)]


def test_an_erased_text_is_counted_and_breaks_nothing() -> None:
    lines = lines_of(A, 2)
    lines[1]["texts"] = {}
    report = verify(*lines)
    assert report.holds
    assert report.erased_texts == 1


def test_gaps_of_a_filtered_export_are_counted_only_on_request() -> None:
    lines = lines_of(A, 9)
    some = [lines[1], lines[2], lines[5], lines[8]]
    assert problems(verify(*some)) == [(A, 4)]
    report = verify(*some, gaps=True)
    assert report.holds
    assert report.parts[A].missing == 4
    some[2]["hash"] = "f" * 64
    assert problems(verify(*some, gaps=True)) == [(A, 6)]


# --- Stored heads ---------------------------------------------------------------------------------


def test_a_stored_head_is_confirmed() -> None:
    lines = lines_of(A, 5)
    heads = (head_of(lines, 3), head_of(lines), ChainHead(B, 0, GENESIS))
    assert verify(*lines, heads=heads).holds
    # Only the hash of the event before the first line is known.
    assert verify(*lines[3:], heads=heads[:2]).holds


def test_a_cut_tail_contradicts_a_stored_head() -> None:
    lines = lines_of(A, 5)
    assert verify(*lines[:3]).holds
    report = verify(*lines[:3], heads=(head_of(lines),))
    assert not report.holds
    assert "the chain ends at event 3" in str(report.kept[0])


def test_a_full_rewrite_contradicts_a_stored_head() -> None:
    lines = lines_of(A, 3)
    report = verify(*lines, heads=(ChainHead(A, 2, "e" * 64),))
    assert [link.sequence for link in report.kept] == [2]
    assert "e" * 64 in str(report.kept[0])


def test_a_head_outside_the_file_is_not_confirmed() -> None:
    lines = lines_of(A, 5)
    report = verify(*lines[3:], heads=(head_of(lines, 2), ChainHead(B, 1, "e" * 64)))
    assert [(link.chain, link.sequence) for link in report.kept] == [(A, 2), (B, 1)]


# --- Files that are not exports -------------------------------------------------------------------

GOOD = lines_of(A, 2)
BAD: list[tuple[str, Line | str, str]] = [
    ("no JSON", "rubbish", "not JSON"),
    ("a blank line", "", "not JSON"),
    ("a list", "[]", "not a JSON object"),
    ("a number", "1", "not a JSON object"),
    ("nested deeply", "[" * 100_000, "not JSON"),
    ("a number that is too long", '{"sequence": ' + "9" * 5_000 + "}", "not JSON"),
    *(
        (f"no {key}", {k: v for k, v in GOOD[1].items() if k != key}, f"“{key}” is missing")
        for key in GOOD[1]
        if key != "not_hashed"
    ),
    ("a text as sequence", GOOD[1] | {"sequence": "2"}, "“sequence” must be a whole number"),
    ("true as sequence", GOOD[1] | {"sequence": True}, "“sequence” must be a whole number"),
    ("sequence 0", GOOD[1] | {"sequence": 0}, "must be 1 or more"),
    ("a huge sequence", GOOD[1] | {"sequence": 2**70}, "must be 1 or more"),
    ("a number as hash", GOOD[1] | {"hash": 1}, "“hash” must be a text"),
    ("texts as list", GOOD[1] | {"texts": []}, "“texts” must be an object"),
    ("a number as text", GOOD[1] | {"texts": {"reason": 1}}, "must contain only texts"),
    ("names as list", GOOD[1] | {"not_hashed": []}, "“not_hashed” must be an object"),
    ("what steers a terminal", GOOD[1] | {"chain": "\x1b[2J"}, "must be the id of a chain"),
    ("an endless chain", GOOD[1] | {"chain": "x" * 65}, "must be the id of a chain"),
    ("the same again", GOOD[0], "comes after event 1"),
]


@pytest.mark.parametrize(("line", "says"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_line_that_is_not_of_an_export_is_reported(line: Line | str, says: str) -> None:
    with pytest.raises(UnreadableExport) as raised:
        verify(GOOD[0], line)
    assert raised.value.line == 2
    assert says in str(raised.value)
    assert str(raised.value).startswith("Line 2: ")


def test_a_file_without_an_event_proves_nothing() -> None:
    with pytest.raises(UnreadableExport, match="no event"):
        verify()


def test_a_line_that_is_too_long_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_export, "LINE_MAX", 4 << 20)
    with pytest.raises(UnreadableExport, match="longer than 4 MiB"):
        verify(GOOD[0], "x" * (5 << 20))


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(UnreadableExport, match="not UTF-8"):
        verify_export(io.BytesIO(b"\xff\xfe{\x00}\x00\n"))


@pytest.mark.parametrize("text", ["[]", "1", "{}", '{"texts": 1}', "\ud800"])
def test_a_valid_hash_of_invalid_content_breaks_only_its_chain(text: str) -> None:
    line = GOOD[0] | {"canonical_text": text}
    if text != "\ud800":
        line["hash"] = event_hash(text)
    assert problems(verify(line)) == [(A, 1)]


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("fits", [True, False], ids=["hash fits", "old hash"])
def test_an_unreadable_event_is_named_and_the_rest_is_verified(
    change: Change, *, fits: bool
) -> None:
    a, b = lines_of(A, 3), lines_of(B, 3)
    text = change(a[1]["canonical_text"])
    a[1] |= {"canonical_text": text} | ({"hash": event_hash(text)} if fits else {})
    report = verify(*a, *b)
    assert problems(report) == [(A, 2)]
    assert (report.events, report.parts[B].broken) == (6, None)


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused_with_a_message(content: bytes) -> None:
    with pytest.raises(UnreadableExport):
        verify_export(io.BytesIO(content))


SOME = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD[0])), SOME)
def test_any_member_is_read_or_refused_with_a_message(member: str, value: object) -> None:
    try:
        report = verify(json.dumps(GOOD[0] | {member: value}))
    except UnreadableExport:
        return
    assert report.events == 1
