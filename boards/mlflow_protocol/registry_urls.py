"""The addresses of the registry's endpoints, below ``/api/2.0/mlflow/``."""

from __future__ import annotations

from django.urls import path

from boards.mlflow_protocol import aliases, model_versions, registered_models
from boards.mlflow_protocol.guard import endpoint

urlpatterns = [
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
