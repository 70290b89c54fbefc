"""Requests generated from the OpenAPI document, sent to a running server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.registry.accounts.tokens import create_token, service_account
from boards.registry.database import DatabaseRegistry
from obeya import PromotionPolicy, Stage
from obeya.tokens import Scope
from tests.examples import IS_RELEASE

CONFIG = Path(__file__).with_name("schemathesis.toml")
# All phases include those that follow links between operations.
PHASES = "coverage,fuzzing,stateful" if IS_RELEASE else "coverage"
EXAMPLES = "10" if IS_RELEASE else "1"
SECONDS_MAX = 3_600


@pytest.mark.django_db(transaction=True)
def test_every_operation_does_what_the_document_says(live_server: Any, tmp_path: Path) -> None:
    at = timezone.now()
    user = service_account(username="fuzz", scopes=list(Scope), actor=SYSTEM, at=at)
    _, token = create_token(
        user=user,
        name="fuzz",
        scopes=list(Scope),
        allow_service_approval=True,
        actor=SYSTEM,
        at=at,
    )
    registry = DatabaseRegistry(actor=user)
    registry.register_model("resnet50", metrics={"accuracy": 0.9}, tags={"family": "resnet"})
    registry.set_policy(PromotionPolicy(Stage.PRODUCTION).require_approvals(1))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
            f"{live_server.url}/api/v1/openapi.json",
            *("--header", f"Authorization: Bearer {token}"),
            *("--checks", "all", "--phases", PHASES, "--max-examples", EXAMPLES),
            "--no-color",
            *("--generation-deterministic", "--report-dir", str(tmp_path)),
            # It would revoke the token that all other requests use.
            *("--exclude-operation-id", "revoke_token"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
