"""Unreadable canonical texts, as someone with write access to the database could leave them."""

from __future__ import annotations

import json
from collections.abc import Callable

NESTED = "[" * 100_000 + "]" * 100_000


def with_member(text: str, member: str, value: str) -> str:
    """Return the text with this JSON as a top-level member, otherwise unchanged."""
    record = json.loads(text)
    record[member] = "PLACE"
    return json.dumps(record).replace('"PLACE"', value)


def without(text: str, member: str) -> str:
    record = json.loads(text)
    del record[member]
    return json.dumps(record)


Change = Callable[[str], str]

UNREADABLE: dict[str, Change] = {
    "nested": lambda _: NESTED,
    "nested objects": lambda _: '{"data":' * 100_000 + "1" + "}" * 100_000,
    "nested data": lambda text: with_member(text, "data", f'{{"x":{NESTED}}}'),
    "not closed": lambda text: text + "[" * 100_000,
    "empty": lambda _: "",
    "list": lambda _: "[]",
    "string": lambda _: '"' + "\\u0000" * 9 + '"',
    "long number": lambda text: with_member(text, "version", "9" * 10_000),
    "large number": lambda text: with_member(text, "data", '{"x":' + "9" * 400 + "}"),
    "infinite number": lambda text: with_member(text, "data", '{"x":1e999}'),
    "not a number": lambda text: with_member(text, "data", '{"x":NaN}'),
    "half a character": lambda text: with_member(text, "data", r'{"x":"\ud800"}'),
    "data list": lambda text: with_member(text, "data", "[]"),
    "texts list": lambda text: with_member(text, "texts", "[]"),
    "digest number": lambda text: with_member(text, "texts", '{"reason":1}'),
    "sequence true": lambda text: with_member(text, "sequence", "true"),
    "chain number": lambda text: with_member(text, "chain", "7"),
    "no previous hash": lambda text: without(text, "previous_hash"),
}
"""Changes after which a text cannot be read, by name."""

WRONG_DATA: dict[str, str] = {
    "ids": '{"check":"x","request":[],"user":{},"waiver":7,"check_digest":null}',
    "lists": '{"requirements":7,"refusals":{"a":1},"metrics":{"f1":7},"tags":[],"new":1}',
    "refusals": '{"refusals":[{"kind":"x","code":1,"sentence":null}]}',
    "waiver": '{"waiver":"0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77","expires_at":"never"}',
    "policy": '{"policy":{"requirements":[{}]},"guardrail":{"metric":1,"comparison":2,"bound":3}}',
    "check": '{"check":"0b1b7c1e-62a9-4a0a-8f6e-9d0b5a3f2c77","check_digest":["\\u0000"]}',
}
"""Objects as `data` that the reader accepts and the registry would not write."""
