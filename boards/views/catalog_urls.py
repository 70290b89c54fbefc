"""The addresses of models, versions and their comparison."""

from __future__ import annotations

from django.urls import path

from boards.views import (
    artifact,
    artifact_upload,
    compare,
    metric_definition,
    model_page,
    models_list,
    version_page,
)

urlpatterns = [
    path("models/", models_list.models, name="models"),
    path("models/<str:name>/", model_page.model, name="model"),
    path(
        "models/<str:name>/versions/<int:number>/",
        version_page.version,
        name="version",
    ),
    path(
        "models/<str:name>/versions/<int:number>/files/<path:path>",
        artifact.download_file,
        name="download_file",
    ),
    path(
        "models/<str:name>/versions/<int:number>/artifact/",
        artifact_upload.set_artifact,
        name="set_artifact",
    ),
    path(
        "models/<str:name>/versions/<int:number>/artifact/pieces/",
        artifact_upload.store_piece,
        name="store_piece",
    ),
    path("models/<str:name>/compare/", compare.compare_model, name="compare_model"),
    path("compare/", compare.compare, name="compare"),
    path("compare.csv", compare.compare_csv, name="compare_csv"),
    path("metrics/define/", metric_definition.define_metric, name="define_metric"),
]
