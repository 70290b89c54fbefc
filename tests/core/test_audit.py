"""The canonical form of events and the hash chain."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from obeya.audit.chain import (
    GENESIS,
    NESTING_MAX,
    AuditEvent,
    Link,
    UnreadableText,
    event_hash,
    first_broken_link,
    read_canonical_text,
    text_digest,
)
from obeya.records import Action, Channel
from tests.unreadable_texts import UNREADABLE, Change, with_member

CHAIN = "5f0c0e57-3a3b-4e0c-9a44-0d6f1d0a7b11"
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def event(**changes: object) -> AuditEvent:
    made = AuditEvent(
        chain=CHAIN,
        sequence=1,
        occurred_at=NOON,
        recorded_at=NOON,
        actor="someone",
        channel=Channel.API,
        action=Action.VERSION_REGISTERED,
        previous_hash=GENESIS,
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
def test_an_unchanged_chain_verifies(length: int) -> None:
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


@given(st.integers(1, 6), st.data())
def test_any_repeated_event_is_found(length: int, data: st.DataObject) -> None:
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    links.insert(data.draw(st.integers(0, length)), links[place])
    assert first_broken_link(CHAIN, links) is not None
    renumbered = [replace(link, sequence=n) for n, link in enumerate(links, 1)]
    assert first_broken_link(CHAIN, renumbered) is not None


@given(st.integers(1, 6), st.data())
def test_an_event_rewritten_with_a_matching_hash_breaks_the_next_link_or_the_head(
    length: int, data: st.DataObject
) -> None:
    links = chain(length)
    known = head(links)
    place = data.draw(st.integers(0, length - 1))
    record = json.loads(links[place].canonical_text)
    text = links[place].canonical_text.replace(f'"n":{record["data"]["n"]}', '"n":99')
    links[place] = replace(links[place], canonical_text=text, hash=event_hash(text))
    broken = first_broken_link(CHAIN, links, head=known)
    assert broken is not None
    assert broken.sequence == min(place + 2, length)


@given(st.integers(1, 6), st.data())
def test_a_tail_cut_anywhere_is_found_against_the_head(length: int, data: st.DataObject) -> None:
    links = chain(length)
    kept = data.draw(st.integers(0, length - 1))
    broken = first_broken_link(CHAIN, links[:kept], head=head(links))
    assert broken is not None
    assert broken.sequence == kept + 1


def test_more_events_than_the_head_knows_are_found() -> None:
    links = chain(3)
    broken = first_broken_link(CHAIN, links, head=head(links[:2]))
    assert broken is not None
    assert broken.sequence == 3


def test_an_empty_chain_has_the_genesis_for_its_head() -> None:
    assert GENESIS == "0" * 64
    assert first_broken_link(CHAIN, [], head=(0, GENESIS)) is None
    assert first_broken_link(CHAIN, [], head=(1, "f" * 64)) is not None


def test_a_cut_tail_is_seen_only_against_a_head() -> None:
    links = chain(3)
    assert first_broken_link(CHAIN, links[:2]) is None
    broken = first_broken_link(CHAIN, links[:2], head=head(links))
    assert broken is not None
    assert "its head has length 3" in str(broken)


def test_a_rewritten_end_is_seen_against_the_head() -> None:
    links = chain(2)
    text = event(sequence=2, previous_hash=links[0].hash, data={"other": 1}).canonical_text()
    forged = [links[0], Link(2, text, event_hash(text))]
    assert first_broken_link(CHAIN, forged) is None
    assert first_broken_link(CHAIN, forged, head=head(links)) is not None


def test_an_event_of_another_chain_does_not_pass() -> None:
    assert first_broken_link("another", chain(1)) is not None


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "{", "[" * 100_000, "9" * 10_000], ids=lambda text: text[:4]
)
def test_a_text_that_is_not_a_record_is_a_broken_link(text: str) -> None:
    broken = first_broken_link(CHAIN, [Link(1, text, event_hash(text))])
    assert broken is not None
    assert broken.sequence == 1


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_text_is_one_outcome_and_a_broken_link(change: Change) -> None:
    first, second = chain(2)
    text = change(second.canonical_text)
    with pytest.raises(UnreadableText) as raised:
        read_canonical_text(text)
    broken = first_broken_link(CHAIN, [first, Link(2, text, event_hash(text))])
    assert broken is not None
    assert (broken.sequence, broken.problem) == (2, str(raised.value))


@pytest.mark.parametrize("member", ["chain", "previous_hash"])
def test_an_invalid_id_is_shown_in_printable_form(member: str) -> None:
    text = with_member(chain(1)[0].canonical_text, member, '"\\u0000\\u001b[2J' + "x" * 500 + '"')
    broken = first_broken_link(CHAIN, [Link(1, text, event_hash(text))])
    assert broken is not None
    assert str(broken).isprintable()
    assert len(str(broken)) < 200


def nested(depth: int) -> object:
    data: object = 1
    for _ in range(depth):
        data = [data]
    return data


def test_the_registry_writes_no_text_nested_too_deeply_to_read() -> None:
    # The event and its data are two levels.
    deepest = event(data={"x": nested(NESTING_MAX - 2)}).canonical_text()
    assert read_canonical_text(deepest)["data"] == {"x": nested(NESTING_MAX - 2)}
    with pytest.raises(ValueError, match="nested"):
        event(data={"x": nested(NESTING_MAX - 1)}).canonical_text()


@pytest.mark.parametrize("text", ["[" * 1_000, '"[{' * 1_000, "\\[" * 1_000, '\\"[' * 1_000])
def test_brackets_in_strings_and_small_objects_do_not_count_as_nesting(text: str) -> None:
    data = {text: text, "many": [{"x": [1]}] * 1_000}
    assert read_canonical_text(event(data=data).canonical_text())["data"] == data


def test_whole_numbers_that_are_floats_can_be_read() -> None:
    text = event(data={"x": 1e20, "y": -1e300}).canonical_text()
    assert read_canonical_text(text)["data"] == {"x": 1e20, "y": -1e300}


def test_a_text_that_is_not_unicode_is_a_broken_link() -> None:
    assert first_broken_link(CHAIN, [Link(1, "\ud800", GENESIS)]) is not None


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


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, {1, 2}, "\ud800"])
def test_values_outside_json_are_refused(value: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError) as error:
        event(data={"value": value}).canonical_text()
    assert isinstance(error.value, ValueError)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        max_size=4,
    )
)
def test_the_canonical_form_is_complete_and_unique(
    data: dict[str, object],
) -> None:
    text = event(data=data).canonical_text()
    # A JSON reader that follows the specification reads every number as a 64-bit float.
    assert json.loads(text, parse_int=float)["data"] == data
    turned = dict(reversed(data.items()))
    assert event(data=turned).canonical_text() == text


def test_members_are_sorted_by_utf_16_code_units() -> None:
    text = event(data={"\ufb33": 1, "\U0001f600": 2, "z": 3}).canonical_text()
    assert '"data":{"z":3,"\U0001f600":2,"\ufb33":1}' in text


def test_every_action_has_a_label() -> None:
    sentences = [action.sentence for action in Action]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)


def test_free_text_is_stored_as_a_hash() -> None:
    text = event(texts={"reason": "Ask Ada."}).canonical_text()
    assert "Ada" not in text
    assert text_digest("Ask Ada.") in text
