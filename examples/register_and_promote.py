"""Register a version of a model with its metrics and bring it to Production.

    python examples/register_and_promote.py churn --metric auc=0.91
    python examples/register_and_promote.py --list-production

The registry is the one that OBEYA_URL and OBEYA_TOKEN name.
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
    """Register a version and move it as far as the rules let it; whether it got to Production."""
    version = registry.register_model(name, metrics=metrics)
    print(f"{version} is registered.")
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        try:
            move = registry.transition_stage(
                name, version.version, stage, reason="Registered by example", archive_existing=True
            )
        except TransitionRefused as refused:
            print(f"{version} may not enter {stage.label}:")
            for refusal in refused.refusals:
                print(f"  {refusal.sentence}")
            return False
        print(f"{version} is in {move.to_stage.label}.")
    return True


def main() -> int:
    """Read the command line; 0 when done, 1 when refused, else the error's own status."""
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
            parser.error("name a model, or ask for --list-production")
        pairs = (text.partition("=") for text in given.metric)
        metrics = {name: float(value) for name, _, value in pairs}
        return 0 if register_and_promote(registry, given.name, metrics) else 1
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
