"""The API object: its routers, its description, its parser and its error handlers."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from boards.api.guard import TokenAuth
from boards.api.openapi import completed
from boards.api.problems import add_problem_handlers
from boards.api.routes import (
    artifacts,
    audit,
    catalog,
    comparisons,
    imports,
    operations,
    policies,
    reviews,
    tokens,
    transitions,
    versions,
    webhooks,
)
from boards.api.strict_json import StrictParser

DESCRIPTION = """\
Registered models, their versions, and the only way to move them.

Every request bears a token: `Authorization: Bearer obeya_…`. Errors are problem documents
(RFC 9457) whose `code` and `type` are stable. Lists come in pages: `next` is the `cursor` of the
following one. A POST may carry an `Idempotency-Key`: sent again with the same key and the same
body it is answered as before and done once. `If-Match` with the `ETag` of what was read makes a
change conditional: 412 when somebody was faster.
"""


class ObeyaAPI(NinjaAPI):
    """An API whose operation ids are the names of the functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return ``list_models`` and so on; function names are unique."""
        return str(operation.view_func.__name__)

    def get_openapi_schema(self, **where: Any) -> OpenAPISchema:
        """Return the published document, with the parts that are common to many operations."""
        schema = super().get_openapi_schema(**where)
        completed(schema)
        return schema


api = ObeyaAPI(
    title="Obeya",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,
    auth=TokenAuth(),
    parser=StrictParser(),
)
add_problem_handlers(api)
for module in (
    catalog,
    versions,
    artifacts,
    transitions,
    reviews,
    policies,
    operations,
    comparisons,
    audit,
    imports,
    webhooks,
    tokens,
):
    api.add_router("", module.router)
