"""The search for known vulnerabilities of the locks, with a stand-in for pip-audit.

`make test-all` runs it with pip-audit, which needs a network.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.audit_locks import main

FOUND = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": "x"}
CLEAN = {"name": "rich", "version": "1.0", "vulns": []}
VULNERABLE = {"name": "pillow", "version": "1.0", "vulns": [FOUND]}
SKIPPED = {"name": "nh3", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def pip_audit(tmp_path):
    """Return a function that gives a command which prints these packages of one lock."""

    def command(lock: str, *packages: dict[str, object]) -> str:
        path = tmp_path / "pip-audit"
        of_lock, clean = (json.dumps({"dependencies": rows}) for rows in (packages, [CLEAN]))
        path.write_text(
            f"#!/bin/sh\ncase \"$*\" in */{lock}) echo '{of_lock}'; exit 1;; esac\necho '{clean}'\n"
        )
        path.chmod(0o700)
        return str(path)

    return command


@pytest.mark.parametrize(
    ("lock", "packages", "status", "line"),
    [
        ("server.lock", [CLEAN], 0, "server.lock: no known vulnerabilities"),
        (
            "server.lock",
            [CLEAN, VULNERABLE],
            1,
            "server.lock: pillow 1.0: PYSEC-2026-1, fixed in 2.0",
        ),
        # Only tests use it.
        (
            "mlflow2.lock",
            [VULNERABLE],
            0,
            "mlflow2.lock: pillow 1.0: PYSEC-2026-1, fixed in 2.0",
        ),
        # What could not be looked up is not reported as clean.
        ("dev.lock", [CLEAN, SKIPPED], 0, "dev.lock: NOT CHECKED: 1 of its packages. For example:"),
    ],
)
def test_what_was_found_is_printed(pip_audit, capsys, lock, packages, status, line):
    assert main(pip_audit(lock, *packages)) == status
    printed = capsys.readouterr().out.splitlines()
    assert line in printed
    assert "audit.lock: no known vulnerabilities" in printed
    if packages != [CLEAN]:
        assert f"{lock}: no known vulnerabilities" not in printed


def test_an_unreachable_service_is_reported(tmp_path, capsys):
    broken = Path(tmp_path / "pip-audit")
    broken.write_text("#!/bin/sh\necho 'Traceback' >&2; echo 'ProxyError: refused' >&2; exit 1\n")
    broken.chmod(0o700)
    assert main(str(broken)) == 0
    assert capsys.readouterr().out == (
        "NOT CHECKED: audit.lock, dev.lock, mlflow.lock, mlflow2.lock, server.lock. "
        "The advisory service could not be reached: ProxyError: refused\n"
    )
