"""Parse JSON bodies strictly: refuse what is not JSON, and what parsers may read differently."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from obeya.errors import InvalidInput


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object in a body, by RFC 8259: no NaN, no duplicate members.

    Raises:
        InvalidInput: it is not JSON, or not an object.
    """
    try:
        document = json.loads(body, object_pairs_hook=_members, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidInput("The body is nested too deeply.", field="body") from None
    except UnicodeDecodeError:
        raise InvalidInput("The body is not UTF-8.", field="body") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            field="body",
        ) from None
    except ValueError:
        # Python's limit for the digits of a whole number.
        raise InvalidInput(
            "The body contains a number with too many digits.", field="body"
        ) from None
    if not isinstance(document, dict):
        raise InvalidInput("The body must be a JSON object.", field="body")
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise InvalidInput(f"Duplicate member “{name[:64]}”.", field=name[:64])
        members[name] = value
    return members


def _no_constant(constant: str) -> NoReturn:
    raise InvalidInput(f"{constant} is not valid JSON. Numbers must be finite.", field="body")
