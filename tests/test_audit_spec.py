"""The worked example of docs/audit.md, recomputed from the document."""

from __future__ import annotations

import hashlib
import io
import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from boards.triggers import _POSTGRESQL, _SQLITE
from obeya.audit import chain as audit
from obeya.audit.export import ExportedEvent, verify_export
from obeya.records import Action, Channel
from obeya.stages import Stage

DOCUMENT = (Path(__file__).parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```\w+ ([\w ]+)\n(.*)\n```$", DOCUMENT, re.MULTILINE))
EVENTS = [BLOCKS[f"event {number}"] for number in (1, 2, 3)]
HASHES = [BLOCKS[f"hash {number}"] for number in (1, 2, 3)]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@pytest.mark.parametrize("place", range(3))
def test_each_event_has_the_hash_that_the_document_gives(place: int) -> None:
    assert sha256(EVENTS[place]) == HASHES[place]


def test_each_event_follows_the_one_before_it() -> None:
    assert BLOCKS["genesis"] == "0" * 64
    previous = [json.loads(event)["previous_hash"] for event in EVENTS]
    assert previous == [BLOCKS["genesis"], *HASHES[:-1]]
    assert [json.loads(event)["sequence"] for event in EVENTS] == [1, 2, 3]
    assert len({json.loads(event)["chain"] for event in EVENTS}) == 1


def test_the_digest_is_that_of_the_reason() -> None:
    digest = sha256(BLOCKS["reason 3"])
    assert digest == BLOCKS["digest 3"]
    assert json.loads(EVENTS[2])["texts"] == {"reason": digest}


def test_the_length_in_the_text_is_that_of_the_example() -> None:
    assert f"({len(EVENTS[1].encode())} bytes)" in DOCUMENT


@pytest.mark.parametrize("text", EVENTS)
def test_the_program_writes_the_example_in_the_same_bytes(text: str) -> None:
    record = json.loads(text)
    written = {"name": BLOCKS["name 1"], "reason": BLOCKS["reason 3"]}
    texts = {role: written[role] for role in record["texts"]}
    event = audit.AuditEvent(
        **{
            **{key: value for key, value in record.items() if key != "format"},
            "occurred_at": datetime.fromisoformat(record["occurred_at"]),
            "recorded_at": datetime.fromisoformat(record["recorded_at"]),
            "channel": Channel(record["channel"]),
            "action": Action(record["action"]),
            "from_stage": record["from_stage"] and Stage(record["from_stage"]),
            "to_stage": record["to_stage"] and Stage(record["to_stage"]),
            "texts": texts,
        }
    )
    assert event.canonical_text() == text
    assert audit.event_hash(text) == sha256(text)


def test_the_program_verifies_the_example_and_finds_a_change_and_a_cut() -> None:
    chain = json.loads(EVENTS[0])["chain"]
    links = [
        audit.Link(number, text, digest)
        for number, (text, digest) in enumerate(zip(EVENTS, HASHES, strict=True), 1)
    ]
    head = (3, HASHES[-1])
    assert audit.first_broken_link(chain, links, head=head) is None
    changed = audit.Link(2, EVENTS[1].replace("0.95", "0.96"), HASHES[1])
    broken = audit.first_broken_link(chain, [links[0], changed, links[2]], head=head)
    assert broken is not None
    assert broken.sequence == 2
    assert audit.first_broken_link(chain, links[:2]) is None
    assert audit.first_broken_link(chain, links[:2], head=head) is not None


def test_the_line_of_an_export_is_what_the_program_writes_and_verifies() -> None:
    line = json.loads(BLOCKS["line 3"])
    event = ExportedEvent(
        **{key: value for key, value in line.items() if key != "not_hashed"},
        **line["not_hashed"],
    )
    assert event.line == BLOCKS["line 3"]
    assert event.canonical_text == EVENTS[2]
    assert verify_export(io.BytesIO(event.line.encode())).holds
    members = re.findall(r"^\| `(\w+)` \|", DOCUMENT.split("\n## Exports")[1], re.MULTILINE)
    assert members == list(line)


def test_the_document_names_every_field_action_channel_and_trigger() -> None:
    fields = re.findall(r"^\| `(\w+)` \| (?:string|number|object)", DOCUMENT, re.MULTILINE)
    assert fields == sorted(json.loads(EVENTS[0]))
    for action in Action:
        assert f"| `{action.value}` |" in DOCUMENT
    for channel in Channel:
        assert f"`{channel.value}`" in DOCUMENT
    for trigger in (*_SQLITE, *_POSTGRESQL):
        assert f"`{trigger}`" in DOCUMENT
