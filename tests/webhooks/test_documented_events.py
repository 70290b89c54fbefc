"""Every event type has a documented example with the members of a real message."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from obeya.webhooks.endpoints import TEST, TYPES
from scripts.webhook_events import OUTPUT, messages

pytestmark = pytest.mark.django_db

EXAMPLE = re.compile(r"^## (\S+)\n\n```json\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def shape(value: Any) -> Any:
    """Return the members and their types, recursively."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_every_type_has_an_example_with_the_shape_of_a_real_message() -> None:
    told = {kind: json.loads(block) for kind, block in EXAMPLE.findall(OUTPUT.read_text("utf-8"))}
    assert set(told) == {*TYPES, TEST}
    real = messages()
    assert set(real) == set(told)
    for kind, message in real.items():
        assert shape(message) == shape(told[kind]), f"{kind}: run `make webhook-events`"
        assert message["type"] == kind
