"""The addresses of files, below ``/api/2.0/mlflow-artifacts/``."""

from __future__ import annotations

from django.urls import path, re_path

from boards.mlflow_protocol import artifacts
from boards.mlflow_protocol.guard import endpoint, guarded

urlpatterns = [
    path("artifacts", endpoint(GET=artifacts.list_files)),
    re_path(
        r"^artifacts/(?P<path>(?s:.+))$",
        guarded(artifacts.file, methods=("GET", "PUT", "DELETE")),
    ),
    re_path(r"^(?:mpu|presigned)/(?s:.*)$", guarded(artifacts.in_parts, methods=("GET", "POST"))),
]
