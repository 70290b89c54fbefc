"""The URLs of the protocol."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe

from boards.mlflow_protocol.endpoints import aliases, artifacts, model_versions, registered_models
from boards.mlflow_protocol.errors import ENDPOINT_NOT_FOUND, ProtocolError
from boards.mlflow_protocol.guard import endpoint, guarded, public

app_name = "mlflow"

MLFLOW_VERSION = "3.17.2"
"""The version of MLflow whose protocol is implemented."""


@public
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer that an MLflow endpoint is not implemented here."""
    return ProtocolError(
        ENDPOINT_NOT_FOUND,
        f"{request.path} is not implemented. docs/mlflow.md lists the endpoints.",
    ).response()


@login_not_required
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Answer as MLflow's servers do while they are running. Without a rate limit, like /livez."""
    return HttpResponse("OK", content_type="text/plain")


@public
@require_safe
def version(request: HttpRequest) -> HttpResponse:
    """Return the version of MLflow that clients can assume."""
    return HttpResponse(MLFLOW_VERSION, content_type="text/plain")


@public
@require_safe
def server_info(request: HttpRequest) -> HttpResponse:
    """Return what clients ask a server before they use some of its features."""
    return JsonResponse({"store_type": "SqlStore", "workspaces_enabled": False})


_REGISTRY = [
    path("registered-models/create", endpoint(POST=registered_models.create)),
    path("registered-models/get", endpoint(GET=registered_models.get)),
    path("registered-models/rename", endpoint(POST=registered_models.rename)),
    path("registered-models/update", endpoint(PATCH=registered_models.update)),
    path("registered-models/delete", endpoint(DELETE=registered_models.delete)),
    path("registered-models/search", endpoint(GET=registered_models.search)),
    path(
        "registered-models/get-latest-versions",
        endpoint(
            GET=registered_models.get_latest_versions, POST=registered_models.get_latest_versions
        ),
    ),
    path("registered-models/set-tag", endpoint(POST=registered_models.set_tag)),
    path("registered-models/delete-tag", endpoint(DELETE=registered_models.delete_tag)),
    path(
        "registered-models/alias",
        endpoint(POST=aliases.set_alias, DELETE=aliases.delete_alias, GET=aliases.get_version),
    ),
    path("model-versions/create", endpoint(POST=model_versions.create)),
    path("model-versions/get", endpoint(GET=model_versions.get)),
    path("model-versions/update", endpoint(PATCH=model_versions.update)),
    path("model-versions/delete", endpoint(DELETE=model_versions.delete)),
    path("model-versions/search", endpoint(GET=model_versions.search)),
    path("model-versions/transition-stage", endpoint(POST=model_versions.transition_stage)),
    path("model-versions/get-download-uri", endpoint(GET=model_versions.get_download_uri)),
    path("model-versions/set-tag", endpoint(POST=model_versions.set_tag)),
    path("model-versions/delete-tag", endpoint(DELETE=model_versions.delete_tag)),
]

_FILES = [
    path("artifacts", endpoint(GET=artifacts.list_files)),
    re_path(
        r"^artifacts/(?P<path>(?s:.+))$",
        guarded(artifacts.file, methods=("GET", "PUT", "DELETE")),
    ),
    re_path(r"^(?:mpu|presigned)/(?s:.*)$", guarded(artifacts.in_parts, methods=("GET", "POST"))),
]

urlpatterns = [
    path("health", health),
    path("version", version),
    path("api/3.0/mlflow/server-info", server_info),
    path("api/2.0/mlflow/", include(_REGISTRY)),
    path("api/2.0/mlflow-artifacts/", include(_FILES)),
    re_path(r"^(?:ajax-)?api/[23]\.0/", nothing_here),
]
