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
# Summaries that are not the words of the operation's id.
SUMMARIES = {
    "change_model": "Update model",
    "change_version": "Update version",
    "change_webhook": "Update webhook endpoint",
    "check_policy": "Run and save policy check",
    "compare": "Compare versions of any models",
    "compare_versions": "Compare two versions of a model",
    "create_webhook": "Create webhook endpoint",
    "define_metric": "Set metric definition",
    "disable_webhook": "Disable webhook endpoint",
    "enable_webhook": "Enable webhook endpoint",
    "find_blob": "Check uploaded content",
    "get_artifact": "List files of a version",
    "get_check": "Get stored policy check",
    "get_index": "Get API index",
    "get_judgement": "Check a move",
    "get_me": "Get current token and account",
    "get_model_policy": "Get policy in force for a model",
    "get_policy_result": "Check version against its policy",
    "get_site_policy": "Get default policy",
    "get_webhook": "Get webhook endpoint",
    "list_deliveries": "List deliveries of an endpoint",
    "list_events": "List audit events",
    "list_heads": "List chain heads",
    "list_model_limits": "List WIP limits of a model",
    "list_model_requests": "List transition requests of a model",
    "list_model_transitions": "List transitions of a model",
    "list_requests": "List transition requests",
    "list_site_limits": "List registry-wide WIP limits",
    "list_tokens": "List your tokens",
    "list_version_requests": "List transition requests of a version",
    "list_version_transitions": "List transitions of a version",
    "list_versions": "List versions of all models",
    "list_versions_of_model": "List versions of a model",
    "list_webhooks": "List webhook endpoints",
    "register_versions": "Register several versions",
    "remove_model_limit": "Remove WIP limit of a model",
    "remove_site_limit": "Remove registry-wide WIP limit",
    "remove_site_policy": "Remove default policy",
    "remove_webhook": "Remove webhook endpoint",
    "roll_back": "Roll back model",
    "review_request": "Approve or reject request",
    "rotate_secret": "Replace secret of an endpoint",
    "send_test": "Send test message",
    "set_artifact": "Set files of a version",
    "set_model_limit": "Set WIP limit of a model",
    "set_site_limit": "Set registry-wide WIP limit",
    "set_site_policy": "Set default policy",
    "simulate_policy": "Preview impact of a policy",
    "store_blob": "Upload content",
    "transition_version": "Move version",
    "try_policy": "Check version against another policy",
    "waive": "Waive requirements",
    "withdraw": "Withdraw request",
}
_ETAG = {
    "ETag": {"description": "The revision. Send it as If-Match.", "schema": {"type": "string"}}
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "A request that is repeated with the same key and body runs only once.",
    "schema": {"type": "string", "maxLength": KEY_MAX},
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The ETag of an earlier response. If the object has changed, the status is 412.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "The ETag of an earlier response. If nothing has changed, the status is 304.",
    "schema": {"type": "string"},
}


def completed(document: Document) -> Document:
    """Return the document with the parts common to many operations.

    These are problems, preconditions, idempotency keys and names.
    """
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    for method, operation in operations(document):
        name = operation["operationId"]
        operation["summary"] = SUMMARIES.get(name) or name.replace("_", " ").capitalize()
        parameters = operation.setdefault("parameters", [])
        responses = {str(status): response for status, response in operation["responses"].items()}
        if method == "post":
            parameters.append(_IDEMPOTENCY_KEY)
        if name in CONDITIONAL:
            parameters.append(_IF_MATCH)
        if name in CACHED:
            parameters.append(_IF_NONE_MATCH)
            responses["200"]["headers"] = _ETAG
            responses["304"] = {"description": "Not changed since the ETag in If-None-Match."}
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
