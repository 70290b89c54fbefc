"""The API object: its routers, its description, its parser and its error handlers."""

from __future__ import annotations

from functools import cache
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
    index,
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
Registered models, their versions, and the transitions of versions between stages.

Every request needs a token: `Authorization: Bearer obeya_…`. Errors are problem documents
(RFC 9457) with a stable `code` and `type`. Lists are paged: send `next` as the `cursor` of the
following request. A POST can have an `Idempotency-Key`: if you repeat it with the same key and
body, it does not run again and you get the same response. `If-Match` with the `ETag` of an
earlier response makes a change conditional: if the object has changed since, the status is 412.
A client over the rate limit gets 429; `Retry-After` says how many seconds to wait.
"""


class ObeyaAPI(NinjaAPI):
    """An API whose operation ids are the names of the functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of the function, for example `list_models`. These names are unique."""
        return str(operation.view_func.__name__)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the published document, with the parts that are common to many operations.

        It takes a fifth of a second, and anyone can request it, so it is written once.
        """
        return self._document(path_prefix or self.get_root_path(path_params or {}))

    @cache  # noqa: B019 - there is one API object, which exists as long as the process
    def _document(self, path_prefix: str) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix)
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
    index,
):
    api.add_router("", module.router)
