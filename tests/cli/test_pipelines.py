"""The GitHub action and the documented pipelines, run step by step against a live server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone

from boards.access.actors import SYSTEM
from boards.models import ModelVersion
from boards.registry.accounts.tokens import create_token, service_account
from boards.registry.database import DatabaseRegistry
from obeya import Comparison, PromotionPolicy, Stage
from obeya.tokens import Scope

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
CI = (ROOT / "docs/ci.md").read_text("utf-8")
SCOPES = [Scope.READ, Scope.WRITE, Scope.PROMOTE]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry() -> DatabaseRegistry:
    """Register one version that fails the policy of Staging and one that passes it."""
    registry = DatabaseRegistry(actor=None)
    registry.set_policy(PromotionPolicy(Stage.STAGING).require_metric("auc", Comparison.GTE, 0.9))
    for auc in (0.8, 0.95):
        registry.register_model("churn", metrics={"auc": auc})
    return registry


@pytest.fixture
def job_environment(live_server: Any, registry: DatabaseRegistry, tmp_path: Path) -> dict[str, str]:
    """Return a job's environment: the command on PATH, a summary file, a service token."""
    at = timezone.now()
    user = service_account(username="ci", scopes=SCOPES, actor=SYSTEM, at=at)
    _, token = create_token(user=user, name="ci", scopes=SCOPES, actor=SYSTEM, at=at)
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "url": live_server.url,
        "token": token,
    }


def bash(script: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def steps(given: dict[str, str], env: dict[str, str]) -> Iterator[subprocess.CompletedProcess[str]]:
    """Run the action's steps in order with these inputs, until one fails."""
    inputs = {name: stated.get("default", "") for name, stated in ACTION["inputs"].items()}
    inputs |= {"url": env["url"], "token": env["token"], **given}
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        # Inputs are never part of the script, where the shell would execute them.
        assert "${{" not in step["run"]
        stated = {
            name: re.sub(
                r"\$\{\{ (?:inputs\.([\w-]+)|github\.action_path) \}\}",
                lambda found: inputs[found[1]] if found[1] else str(ROOT),
                text,
            )
            for name, text in step["env"].items()
        }
        done = bash(step["run"], env | stated)
        yield done
        if done.returncode:
            return


def test_the_action_promotes_what_passes(job_environment: dict[str, str]) -> None:
    done = list(
        steps({"model": "churn", "version": "2", "reason": "$(touch x); `id`"}, job_environment)
    )
    assert [step.returncode for step in done] == [0, 0, 0], done[-1].stderr
    assert ModelVersion.objects.get(number=2).stage == "staging"
    summary = Path(job_environment["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    assert "| auc ≥ 0.9 | ✅ passed |" in summary


def test_the_action_fails_with_the_policy_result(
    job_environment: dict[str, str],
) -> None:
    done = list(steps({"model": "churn", "version": "1", "stage": "Staging"}, job_environment))
    assert [step.returncode for step in done] == [0, 1]
    assert "::error title=Policy check of churn v1 for Staging::" in done[-1].stdout
    summary = Path(job_environment["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    assert "| auc ≥ 0.9 | ❌ failed |" in summary
    assert ModelVersion.objects.get(number=1).stage == "development"


def test_the_script_for_gitlab_does_the_same(
    job_environment: dict[str, str], tmp_path: Path
) -> None:
    job = next(
        document["promote"]
        for block in re.findall(r"```yaml\n(.*?)```", CI, re.DOTALL)
        if "promote" in (document := yaml.safe_load(block))
    )
    policy_result = tmp_path / job["variables"]["OBEYA_STEP_SUMMARY"]
    env = job_environment | {
        **job["variables"],
        "OBEYA_URL": job_environment["url"],
        "OBEYA_TOKEN": job_environment["token"],
        "OBEYA_STEP_SUMMARY": str(policy_result),
        "STAGE": "staging",
        "MODEL": "churn",
        "VERSION": "2",
        "CI_PIPELINE_ID": "7",
    }
    install, *script = job["script"]
    assert install.startswith("pip install")
    for line in script:
        done = bash(line, env)
        assert done.returncode == 0, done.stderr
    assert ModelVersion.objects.get(number=2).stage == "staging"
    assert "✅ passed" in policy_result.read_text("utf-8")


def test_the_documented_workflow_uses_only_existing_inputs() -> None:
    workflow = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", CI, re.DOTALL)[0])
    given = workflow["jobs"]["promote"]["steps"][-1]["with"]
    assert given.keys() <= ACTION["inputs"].keys()
    assert {n for n, stated in ACTION["inputs"].items() if stated.get("required")} <= given.keys()
