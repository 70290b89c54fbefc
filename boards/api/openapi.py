"""Parts of the OpenAPI document that cannot be derived from the functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boards.api.guard import KEY_MAX
from boards.api.problems import PROBLEM_JSON
from boards.api.schemas.basics import Problem

Document = dict[str, Any]

# Reads that can answer 304, and writes that can be limited to the revision in If-Match.
CACHED = frozenset({"get_model", "get_model_policy", "get_site_policy", "get_version"})
CONDITIONAL = frozenset(
    {
        "change_model",
        "change_version",
        "change_webhook",
        "delete_alias",
        "delete_model",
        "delete_model_tag",
        "delete_version",
        "delete_version_tag",
        "log_metrics",
        "set_alias",
        "set_artifact",
        "set_model_policy",
        "set_model_tag",
        "set_site_policy",
        "set_version_tag",
        "transition_version",
    }
)
_ETAG = {
    "ETag": {"description": "The revision. Send it as If-Match.", "schema": {"type": "string"}}
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Repeat a request safely: with the same key and body it runs only once.",
    "schema": {"type": "string", "maxLength": KEY_MAX},
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag of an earlier response: 412 if the object has changed since.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of an earlier response: 304 if the object has not changed since.",
    "schema": {"type": "string"},
}


def completed(document: Document) -> Document:
    """Return the document with the parts common to many operations.

    These are problems, preconditions, idempotency keys and names.
    """
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    for method, operation in operations(document):
        name = operation["operationId"]
        operation["summary"] = name.replace("_", " ").capitalize()
        parameters = operation.setdefault("parameters", [])
        responses = {str(status): response for status, response in operation["responses"].items()}
        if method == "post":
            parameters.append(_IDEMPOTENCY_KEY)
        if name in CONDITIONAL:
            parameters.append(_IF_MATCH)
        if name in CACHED:
            parameters.append(_IF_NONE_MATCH)
            responses["200"]["headers"] = _ETAG
            responses["304"] = {"description": "Not changed since."}
        responses["4XX"] = _problem("The request was refused. Nothing was changed.")
        responses["503"] = _problem("The database is busy or unavailable. Try again.")
        operation["responses"] = responses
    return document


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield each operation of the document with its method, in lower case."""
    for path in document["paths"].values():
        yield from path.items()


def _problem(sentence: str) -> Document:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": sentence, "content": {PROBLEM_JSON: {"schema": schema}}}
