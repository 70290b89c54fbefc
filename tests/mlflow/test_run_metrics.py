"""The metrics of a run are copied when its model is registered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.registry.catalog.registration import create_model
from boards.registry.database import DatabaseRegistry
from obeya.records import ModelVersion

RunClient = Callable[..., str]

pytestmark = pytest.mark.django_db(transaction=True)


def register(token: str, **given: str) -> ModelVersion:
    create_model(name="iris", actor=SYSTEM, at=timezone.now())
    answer = Client().post(
        "/api/2.0/mlflow/model-versions/create",
        json.dumps({"name": "iris", "source": "s3://bucket/iris", **given}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    return DatabaseRegistry(actor=None).get_version("iris", 1)


def test_the_last_metrics_of_the_run_are_copied(
    mlflow_server: Any, run_client: RunClient, tmp_path: Path, settings: Any
) -> None:
    settings.OBEYA_MLFLOW_TRACKING_URI = mlflow_server.address
    said = run_client(
        "train_and_register.py",
        str(tmp_path / "artifacts"),
        MLFLOW_TRACKING_URI=mlflow_server.address,
    )
    run_id = said.split()[-1]
    version = DatabaseRegistry(actor=None).get_version("iris", 1)
    assert version.source_run == run_id
    assert version.metrics == {"accuracy": 0.95}


@pytest.mark.parametrize(
    "named", [{"run_id": "0" * 32}, {"run_id": "../x?y=z"}, {"model_id": "m-" + "0" * 32}]
)
def test_a_version_of_an_unknown_run_is_registered(
    named: dict[str, str],
    mlflow_server: Any,
    token: str,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.OBEYA_MLFLOW_TRACKING_URI = mlflow_server.address
    with caplog.at_level(logging.WARNING):
        version = register(token, **named)
    assert version.metrics == {}
    assert version.source_run == named.get("run_id", "")
    assert "were not copied" in caplog.text


def test_a_version_is_registered_if_the_tracking_server_is_unreachable(
    token: str, settings: Any
) -> None:
    settings.OBEYA_MLFLOW_TRACKING_URI = "http://127.0.0.1:9"
    assert register(token, run_id="a" * 32).metrics == {}


def test_without_a_tracking_server_nothing_is_requested(token: str) -> None:
    version = register(token, run_id="a" * 32)
    assert (version.metrics, version.source_run) == ({}, "a" * 32)
