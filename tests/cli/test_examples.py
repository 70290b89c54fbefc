"""The example scripts, run as their first lines say, against a live server."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.registry.accounts.tokens import create_token, service_account
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.policy.artifact_rules import BY_NAME, ArtifactDigest, NoPickle
from obeya.tokens import Scope

ROOT = Path(__file__).resolve().parents[2]
SCOPES = [Scope.READ, Scope.WRITE, Scope.PROMOTE]
Example = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def example(live_server: Any) -> Example:
    at = timezone.now()
    user = service_account(username="local", scopes=SCOPES, actor=SYSTEM, at=at)
    _, token = create_token(user=user, name="examples", scopes=SCOPES, actor=SYSTEM, at=at)
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OBEYA_URL": live_server.url,
        "OBEYA_TOKEN": token,
    }

    def run(name: str, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "examples" / name), *args],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture
def gated(db: None) -> None:
    policy = PromotionPolicy(Stage.PRODUCTION).require_metric("auc", Comparison.GTE, 0.9)
    DatabaseRegistry(actor=None).set_policy(policy)


def test_a_model_is_registered_and_promoted(example: Example, gated: None) -> None:
    good = example("register_and_promote.py", "churn", "--metric", "auc=0.95")
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "churn v1 is in Production.")
    bad = example("register_and_promote.py", "churn", "--metric", "auc=0.5")
    assert bad.returncode == 1
    assert "churn v2 cannot enter Production:" in bad.stdout
    listed = example("register_and_promote.py", "--list-production")
    assert listed.stdout == "churn v1: auc=0.95\n"


def test_a_promotion_is_checked(example: Example, gated: None) -> None:
    registry = DatabaseRegistry(actor=None)
    for auc in (0.5, 0.95):
        number = registry.register_model("churn", metrics={"auc": auc}).version
        registry.transition_stage("churn", number, Stage.STAGING)
    bad, good = (example("check_promotion.py", "churn", str(n)) for n in (1, 2))
    assert (bad.returncode, good.returncode) == (1, 0)
    assert "  failed: auc ≥ 0.9" in bad.stdout
    assert example("check_promotion.py", "none", "1").returncode == 3


def test_the_best_in_staging_is_promoted(example: Example, gated: None) -> None:
    registry = DatabaseRegistry(actor=None)
    for auc in (0.92, 0.97, 0.95):
        number = registry.register_model("churn", metrics={"auc": auc}).version
        registry.transition_stage("churn", number, Stage.STAGING)
    assert example("promote_model.py", "churn", "auc").stdout == "churn v2 is in Production.\n"
    assert example("promote_model.py", "churn", "f1").returncode == 1


def test_the_policy_decides_which_trained_models_are_promoted(
    example: Example, tmp_path: Path, db: None
) -> None:
    registry = DatabaseRegistry(actor=None)
    registry.set_policy(
        PromotionPolicy(Stage.PRODUCTION, (ArtifactDigest(), NoPickle(BY_NAME)))
        .require_metric("accuracy", Comparison.GTE, 0.9)
        .require_against_champion("log_loss", Comparison.LTE, 0.0)
    )
    done = example("train_and_promote.py", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in ("breast_cancer", "digits", "wine"):
        stages = {number: registry.get_version(name, number).stage for number in (1, 2, 3)}
        assert stages == {1: Stage.STAGING, 2: Stage.ARCHIVED, 3: Stage.PRODUCTION}
        best = registry.get_version(name, 3)
        file = tmp_path / f"{name}-C1.npz"
        assert best.artifact_path == file.as_uri()
        assert best.artifact_digest == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        assert best.measurements["accuracy"].samples
    assert done.stdout.count("is in Production.") == 6
    assert "cannot enter Production: accuracy is" in done.stdout
