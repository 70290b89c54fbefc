"""The addresses of the protocol."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from boards.mlflow_protocol.errors import ENDPOINT_NOT_FOUND, ProtocolError

app_name = "mlflow"

MLFLOW_VERSION = "3.17.2"
"""The version of MLflow whose protocol this is."""


@csrf_exempt
@login_not_required
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """For endpoints that MLflow has and this registry has not."""
    return ProtocolError(
        ENDPOINT_NOT_FOUND,
        f"{request.path} is not implemented here; docs/mlflow.md lists what is.",
    ).response()


@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """What MLflow's own servers answer while they are up."""
    return HttpResponse("OK", content_type="text/plain")


@login_not_required
def version(request: HttpRequest) -> HttpResponse:
    """The version of MLflow that clients may take this for."""
    return HttpResponse(MLFLOW_VERSION, content_type="text/plain")


@login_not_required
def server_info(request: HttpRequest) -> HttpResponse:
    """What clients ask of a server before they use parts of it."""
    return JsonResponse({"store_type": "SqlStore", "workspaces_enabled": False})


urlpatterns = [
    path("health", health),
    path("version", version),
    path("api/3.0/mlflow/server-info", server_info),
    path("api/2.0/mlflow/", include("boards.mlflow_protocol.registry_urls")),
    path("api/2.0/mlflow-artifacts/", include("boards.mlflow_protocol.artifact_urls")),
    re_path(r"^(?:ajax-)?api/[23]\.0/", nothing_here),
]
