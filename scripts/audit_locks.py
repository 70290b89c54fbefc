#!/usr/bin/env python3
"""Look up known vulnerabilities of the packages in requirements/*.lock: audit_locks.py PIP_AUDIT.

Exit status 1 if a package has one. Those of MLflow's clients are only listed: tests use them, in a
separate environment. If the advisory service cannot be reached, the output says so, and which locks
were not checked; the exit status is 0, because a release can be built without a network.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
LISTED_ONLY = {"mlflow.lock", "mlflow2.lock"}


class NoService(Exception):
    """The advisory service could not be reached."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Lines about the packages of a lock: with vulnerabilities, and not checked."""

    vulnerable: tuple[str, ...]
    unchecked: tuple[str, ...]


def read_report(text: str, errors: str = "") -> Findings:
    """Read the JSON document that pip-audit prints; `errors` is its other output.

    Raises:
        NoService: there is no document: pip-audit prints it even if it finds vulnerabilities.
    """
    try:
        packages = json.loads(text)["dependencies"]
    except ValueError:
        raise NoService((errors.strip() or "pip-audit printed nothing").splitlines()[-1]) from None
    return Findings(
        tuple(
            f"{package['name']} {package['version']}: {found['id']}, "
            f"fixed in {', '.join(found['fix_versions']) or 'no version yet'}"
            for package in packages
            for found in package.get("vulns", ())
        ),
        # It is no error for pip-audit that it could not check a package.
        tuple(package["skip_reason"] for package in packages if "skip_reason" in package),
    )


def audit(pip_audit: str, lock: Path) -> Findings:
    """Run pip-audit on a lock. Raises `NoService`."""
    options = ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [pip_audit, *options, "--requirement", lock], capture_output=True, text=True, check=False
    )
    return read_report(done.stdout, done.stderr)


def main(pip_audit: str) -> int:
    """Audit every lock, print what was found, and return the exit status."""
    status = 0
    locks = sorted(REQUIREMENTS.glob("*.lock"))
    for place, lock in enumerate(locks):
        try:
            found = audit(pip_audit, lock)
        except NoService as error:
            names = ", ".join(each.name for each in locks[place:])
            print(f"NOT CHECKED: {names}. The advisory service could not be reached: {error}")
            break
        for line in found.vulnerable:
            print(f"{lock.name}: {line}")
        if found.unchecked:
            print(f"{lock.name}: NOT CHECKED: {len(found.unchecked)} of its packages. For example:")
            print(f"  {found.unchecked[0]}")
        elif not found.vulnerable:
            print(f"{lock.name}: no known vulnerabilities")
        if found.vulnerable and lock.name not in LISTED_ONLY:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
