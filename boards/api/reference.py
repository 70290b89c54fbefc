"""The page that displays the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from boards.api.api import api
from boards.api.openapi import operations

Schema: TypeAlias = Mapping[str, Any]

# Deeper than any document of the API is nested; it stops recursive schemas.
_DEPTH_MAX = 8
_EXAMPLES = {"string": "text", "integer": 1, "number": 0.9, "boolean": True, "null": None}
_BY_FORMAT = {
    "date-time": "2026-03-03T12:00:00Z",
    "uuid": "1b671a64-40d5-491e-99b0-da01ff1f3341",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an operation: in its path, its query or a header."""

    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEntry:
    """One operation, with an example of its call and of its response."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str
    body_name: str
    status: str
    answer: str
    command: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations with the same tag."""

    name: str
    operations: tuple[OperationEntry, ...]

    @property
    def slug(self) -> str:
        """The id of the group's heading, for links."""
        return self.name.lower().replace(" ", "-")


@login_not_required
@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Show every operation of the JSON API, with examples generated from the document's schemas."""
    document = api.get_openapi_schema(path_prefix="/api/v1/")
    base = request.build_absolute_uri("/").rstrip("/")
    context = {
        "section": "api",
        "groups": _groups(document, base),
        "base": base,
        "count": sum(1 for _ in operations(document)),
    }
    return render(request, "api_reference.html", context)


def _groups(document: Schema, base: str) -> tuple[Group, ...]:
    found: dict[str, list[OperationEntry]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = _operation(document, base, path, method, operation)
            found.setdefault(operation["tags"][0], []).append(entry)
    return tuple(Group(name, tuple(entries)) for name, entries in found.items())


def _operation(
    document: Schema, base: str, path: str, method: str, operation: Schema
) -> OperationEntry:
    schemas = document["components"]["schemas"]
    body_schema = _content(operation.get("requestBody", {}))
    body = _json(_example(schemas, body_schema)) if body_schema else ""
    status, answer = next(iter(operation["responses"].items()))
    answer_schema = _content(answer)
    return OperationEntry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        parameters=tuple(_parameters(operation)),
        body=body,
        body_name=_type(body_schema) if body_schema else "",
        status=str(status),
        answer=_json(_example(schemas, answer_schema)) if answer_schema else "",
        command=_command(base, path, method, body),
    )


def _parameters(operation: Schema) -> Iterator[Parameter]:
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        yield Parameter(
            name=parameter["name"],
            place=parameter["in"],
            type=_type(schema),
            required=bool(parameter.get("required")),
            description=parameter.get("description") or schema.get("description", ""),
        )


def _content(part: Schema) -> Schema | None:
    return next((c["schema"] for c in part.get("content", {}).values()), None)


def _type(schema: Schema) -> str:
    """Return a short description of the allowed values."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[several])))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    bounds = [
        f"{sign} {schema[key]}"
        for sign, key in (("≥", "minimum"), ("≤", "maximum"))
        if key in schema
    ]
    return " ".join([str(schema.get("format", kind)), *bounds])


def _example(schemas: Schema, schema: Schema, depth: int = 0) -> Any:
    """Return an example value of a schema."""
    if "$ref" in schema:
        schema = schemas[str(schema["$ref"]).rpartition("/")[2]]
    if depth > _DEPTH_MAX:
        return None
    fixed = [schema.get("const"), schema.get("default"), *schema.get("enum", ())]
    chosen = next((value for value in fixed if value not in (None, "", [], {})), None)
    if chosen is not None:
        return chosen
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return _example(schemas, variants[0], depth + 1)
    if "properties" in schema or schema.get("type") == "object":
        return _object(schemas, schema, depth)
    if schema.get("type") == "array":
        return [_example(schemas, schema.get("items", {}), depth + 1)]
    return _BY_FORMAT.get(schema.get("format", ""), _EXAMPLES.get(str(schema.get("type")), {}))


def _object(schemas: Schema, schema: Schema, depth: int) -> dict[str, Any]:
    members = {
        name: _example(schemas, member, depth + 1)
        for name, member in schema.get("properties", {}).items()
    }
    further = schema.get("additionalProperties")
    if isinstance(further, Mapping) and not members:
        members["name"] = _example(schemas, further, depth + 1)
    return members


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _command(base: str, path: str, method: str, body: str) -> str:
    lines = [f"curl -X {method.upper()} '{base}{path}'", '-H "Authorization: Bearer $OBEYA_TOKEN"']
    if body:
        compact = json.dumps(json.loads(body), ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d '{compact}'"]
    return " \\\n  ".join(lines)
