"""The run that a version came from, read from the configured tracking server."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

from django.conf import settings

from obeya.errors import RegistryError
from obeya.transfer.mlflow_server import Credentials, MlflowServer

SECONDS = 5.0
_log = logging.getLogger(__name__)
_OF_LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-zA-Z]+)(?:/|\Z)")


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run by its id, "" if unknown, and the last value of each of its metrics."""

    run_id: str
    metrics: dict[str, float] = field(default_factory=dict)


def source_run(*, run_id: str, model_id: str, source: str) -> SourceRun:
    """Return the run of a version, or the run that logged its MLflow 3 model.

    Without a tracking server, or if it does not respond, the result has the given id and no
    metrics: the version can be registered all the same. Must not be called within a transaction.
    """
    if not settings.OBEYA_MLFLOW_TRACKING_URI:
        return SourceRun(run_id)
    logged_model = _OF_LOGGED_MODEL.match(source)
    model_id = model_id or (logged_model[1] if logged_model else "")
    try:
        server = _tracking_server()
        if not run_id and model_id:
            run_id = server.run_of_model(model_id)
        return SourceRun(run_id, server.run_metrics(run_id) if run_id else {})
    except RegistryError as error:
        _log.warning("The metrics of run %r were not copied: %s", run_id or model_id, error)
        return SourceRun(run_id)


def _tracking_server() -> MlflowServer:
    credentials = Credentials(
        settings.OBEYA_MLFLOW_TRACKING_TOKEN,
        settings.OBEYA_MLFLOW_TRACKING_USERNAME,
        settings.OBEYA_MLFLOW_TRACKING_PASSWORD,
    )
    return MlflowServer(
        settings.OBEYA_MLFLOW_TRACKING_URI, credentials, seconds=SECONDS, attempts=1
    )
