"""The fields of a request, from its query string or its JSON body, in the protocol's types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from boards.json_object import json_object
from boards.mlflow_protocol.errors import ProtocolError, invalid
from obeya.errors import NotFound
from obeya.values import NUMBER_MAX

_DIGITS_MAX = 20
_SHOWN = 256
_HINT = "See the API docs for more information about request parameters."


class Given:
    """The fields of a request. Unknown fields are ignored, as in MLflow.

    `site` is the URL of this server as the client knows it.

    Every method raises `ProtocolError` for a value of another type than the protocol defines.
    """

    def __init__(self, fields: Mapping[str, Any], *, site: str = "") -> None:
        self._fields = fields
        self.site = site

    @classmethod
    def by(cls, request: HttpRequest) -> Given:
        """Return the query string of a GET that has one, else the body.

        Raises:
            ProtocolError: the content type of the body is not JSON.
            InvalidInput: the body is not a JSON object.
        """
        if request.method in ("GET", "HEAD") and (request.GET or not request.body):
            return cls(
                {key: values if values[1:] else values[0] for key, values in request.GET.lists()},
                site=request.build_absolute_uri("/"),
            )
        if request.body and request.content_type != "application/json":
            raise invalid("Bad Request. Content-Type must be one of ['application/json'].")
        fields = json_object(request.body) if request.body else {}
        return cls(fields, site=request.build_absolute_uri("/"))

    def text(self, field: str) -> str:
        """Return a text, "" if it is missing."""
        value = self._fields.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _wrong(field, value)
        return value

    def has(self, field: str) -> bool:
        """Return whether the field was sent with a value."""
        return self._fields.get(field) is not None

    def shown(self, field: str) -> str:
        """Return what was sent for a field, of any type, for an error message."""
        return str(self._fields.get(field, ""))[:_SHOWN]

    def required(self, field: str) -> str:
        """Return a text that must not be missing or empty."""
        text = self.text(field)
        if not text:
            raise invalid(f"Missing value for required parameter '{field}'. {_HINT}")
        return text

    def texts(self, field: str) -> list[str]:
        """Return a list of texts; a single field of a query string is a list of one."""
        value = self._fields.get(field)
        if value is None:
            return []
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise _wrong(field, value)
        return listed

    def version(self) -> int:
        """Return the number of a version, which the protocol writes as a string.

        Raises:
            ProtocolError: it is missing, or not a whole number.
            NotFound: no version can have this number.
        """
        value = self._fields.get("version")
        if value is None or value == "":
            raise invalid(f"Missing value for required parameter 'version'. {_HINT}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _wrong("version", value)
        number = _whole(value)
        if number is None:
            raise invalid(f"Parameter 'version' must be an integer, got '{str(value)[:64]}'.")
        if not 0 < number <= NUMBER_MAX:
            raise NotFound(f"There is no version {number}.", what="version")
        return number

    def limit(self, field: str, *, default: int, at_most: int) -> int:
        """Return a number of results, from 1 to `at_most`."""
        value = self._fields.get(field)
        if value is None:
            return default
        number = None if isinstance(value, bool) else _whole(value)
        if number is None:
            raise _wrong(field, value)
        if number < 1:
            raise invalid(
                f"Invalid value for {field}. It must be a positive integer, but got {number}."
            )
        if number > at_most:
            raise invalid(
                f"Invalid value for request parameter {field}. "
                f"It must be at most {at_most}, but got value {number}"
            )
        return number

    def flag(self, field: str) -> bool:
        """Return true or false; false if it is missing."""
        value = self._fields.get(field)
        if value is None:
            return False
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise _wrong(field, value)
        return value

    def tags(self) -> dict[str, str]:
        """Return the tags, sent as a list of objects with a key and a value."""
        value = self._fields.get("tags")
        if value is None:
            return {}
        if not isinstance(value, list):
            raise _wrong("tags", value)
        tags: dict[str, str] = {}
        for tag in value:
            if not isinstance(tag, dict):
                raise _wrong("tags", tag)
            pair = Given(tag)
            # The last one of duplicate keys counts, as if they were set one by one.
            tags[pair.required("key")] = pair.text("value")
        return tags


def _whole(value: object) -> int | None:
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        return None
    digits = value.strip().removeprefix("-").removeprefix("+")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        return None
    return int(value)


def _wrong(field: str, value: object) -> ProtocolError:
    shown = json.dumps(value, ensure_ascii=False)[:64]
    return invalid(
        f"Invalid value {shown} for parameter '{field}' supplied:  Hint: Value was of type "
        f"'{type(value).__name__}'. {_HINT}"
    )
