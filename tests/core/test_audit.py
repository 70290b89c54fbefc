"""The canonical form and the chain."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obeya import InMemoryRegistry, Stage
from obeya.audit import GENESIS, AuditEvent, Link, event_hash, first_broken_link, text_digest
from obeya.records import Action, Channel

CHAIN = "5f0c0e57-3a3b-4e0c-9a44-0d6f1d0a7b11"
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def event(**changes: object) -> AuditEvent:
    made = AuditEvent(
        CHAIN, 1, NOON, NOON, "someone", Channel.API, Action.VERSION_REGISTERED, GENESIS
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def chain(length: int) -> list[Link]:
    links: list[Link] = []
    for sequence in range(1, length + 1):
        previous = links[-1].hash if links else GENESIS
        text = event(
            sequence=sequence, previous_hash=previous, data={"n": sequence, "x": sequence / 7}
        ).canonical_text()
        links.append(Link(sequence, text, event_hash(text)))
    return links


def head(links: list[Link]) -> tuple[int, str]:
    return len(links), links[-1].hash if links else GENESIS


@given(st.integers(0, 8))
def test_a_chain_as_it_was_written_holds(length: int) -> None:
    links = chain(length)
    assert first_broken_link(CHAIN, links, head=head(links)) is None


@given(st.integers(1, 6), st.data())
def test_any_flipped_bit_of_a_text_is_found_where_it_is(length: int, data: st.DataObject) -> None:
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    raw = bytearray(links[place].canonical_text.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    links[place] = replace(links[place], canonical_text=raw.decode("latin-1"))
    broken = first_broken_link(CHAIN, links, head=head(links))
    assert broken is not None
    assert broken.sequence == place + 1


@given(st.integers(1, 6), st.data())
def test_any_changed_hash_is_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    known = head(links)
    links[place] = replace(links[place], hash="f" * 64)
    broken = first_broken_link(CHAIN, links, head=known)
    assert broken is not None
    assert broken.sequence == place + 1


@given(st.integers(1, 6), st.data())
def test_any_removed_event_is_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    known = head(links)
    del links[data.draw(st.integers(0, length - 1))]
    assert first_broken_link(CHAIN, links, head=known) is not None


@given(st.integers(2, 6), st.data())
def test_any_two_swapped_events_are_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    a, b = data.draw(st.lists(st.integers(0, length - 1), min_size=2, max_size=2, unique=True))
    links[a], links[b] = links[b], links[a]
    assert first_broken_link(CHAIN, links) is not None
    renumbered = [replace(link, sequence=n) for n, link in enumerate(links, 1)]
    assert first_broken_link(CHAIN, renumbered) is not None


def test_a_cut_tail_is_seen_only_against_a_head() -> None:
    links = chain(3)
    assert first_broken_link(CHAIN, links[:2]) is None
    broken = first_broken_link(CHAIN, links[:2], head=head(links))
    assert broken is not None
    assert "its head says 3" in str(broken)


def test_a_rewritten_end_is_seen_against_the_head() -> None:
    links = chain(2)
    text = event(sequence=2, previous_hash=links[0].hash, data={"other": 1}).canonical_text()
    forged = [links[0], Link(2, text, event_hash(text))]
    assert first_broken_link(CHAIN, forged) is None
    assert first_broken_link(CHAIN, forged, head=head(links)) is not None


def test_an_event_of_another_chain_does_not_pass() -> None:
    assert first_broken_link("another", chain(1)) is not None


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "{"])
def test_a_text_that_is_no_record_is_a_broken_link_and_no_crash(text: str) -> None:
    assert first_broken_link(CHAIN, [Link(1, text, event_hash(text))]) is not None


def test_the_canonical_form_is_sorted_and_has_no_spaces() -> None:
    text = event(data={"b": 1.0, "a": 1e-7}).canonical_text()
    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).replace("1e-07", "1e-7")
    assert '"data":{"a":1e-7,"b":1}' in text


def test_times_are_utc_to_the_microsecond_whatever_zone_they_came_in() -> None:
    moment = datetime(2026, 3, 3, 14, 5, 9, tzinfo=timezone(timedelta(hours=2)))
    assert (
        '"occurred_at":"2026-03-03T12:05:09.000000Z"' in event(occurred_at=moment).canonical_text()
    )


def test_free_text_is_hashed_and_not_held() -> None:
    text = event(texts={"reason": "Ask Ada."}).canonical_text()
    assert "Ada" not in text
    assert text_digest("Ask Ada.") in text


def test_the_registry_in_memory_keeps_a_chain_that_holds() -> None:
    registry = InMemoryRegistry()
    registry.register_model("a", metrics={"accuracy": 0.9})
    registry.transition_stage("a", 1, Stage.STAGING, reason="good")
    registry.rename_model("a", "b")
    registry.delete_model("b")
    assert registry.verify() == []
