"""Register a version of a model with its metrics and move it to Production.

    python examples/register_and_promote.py churn --metric auc=0.91
    python examples/register_and_promote.py --list-production

Exit status 0: done; 1: refused. Uses the registry in OBEYA_URL, with the token in OBEYA_TOKEN.
"""

from __future__ import annotations

import argparse
import sys

from obeya import RegistryError, RemoteRegistry, Stage, TransitionRefused


def list_production(registry: RemoteRegistry) -> None:
    """Print every version in Production with its metrics."""
    for version in registry.search_versions("stage = production", order_by="model"):
        metrics = ", ".join(f"{name}={value:g}" for name, value in version.metrics.items())
        print(f"{version}: {metrics or 'no metrics'}")


def register_and_promote(registry: RemoteRegistry, name: str, metrics: dict[str, float]) -> bool:
    """Register a version and move it to Production; return False if a move is refused."""
    version = registry.register_model(name, metrics=metrics)
    print(f"{version} is registered.")
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        try:
            move = registry.transition_stage(
                name, version.version, stage, reason="Registered by example", archive_existing=True
            )
        except TransitionRefused as refused:
            print(f"{version} cannot enter {stage.label}:")
            for refusal in refused.refusals:
                print(f"  {refusal.sentence}")
            return False
        print(f"{version} is in {move.to_stage.label}.")
    return True


def main() -> int:
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", help="The registered model.")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--list-production", action="store_true")
    given = parser.parse_args()
    registry = RemoteRegistry()
    try:
        if given.list_production:
            list_production(registry)
            return 0
        if not given.name:
            parser.error("Name a model, or use --list-production.")
        pairs = (text.partition("=") for text in given.metric)
        metrics = {name: float(value) for name, _, value in pairs}
        return 0 if register_and_promote(registry, given.name, metrics) else 1
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
