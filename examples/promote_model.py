"""Promote the version in Staging that is best by a metric.

    python examples/promote_model.py churn auc

The highest value is the best. Exit status 0: promoted; 1: refused, or no version in Staging has the
metric. Uses the registry in OBEYA_URL, with the token in OBEYA_TOKEN.
"""

from __future__ import annotations

import sys

from obeya import RegistryError, RemoteRegistry, Stage


def main() -> int:
    """Read the command line and promote."""
    if len(sys.argv) != 3:
        print("usage: promote_model.py NAME METRIC", file=sys.stderr)
        return 2
    name, metric = sys.argv[1:]
    registry = RemoteRegistry()
    try:
        candidates = registry.search_versions(
            f'stage = staging and has metrics."{metric}"',
            model=name,
            order_by=f'metrics."{metric}" desc',
        )
        best = next(candidates, None)
        if best is None:
            print(f"No version of {name} in Staging has {metric}.", file=sys.stderr)
            return 1
        registry.transition_stage(
            name,
            best.version,
            Stage.PRODUCTION,
            reason=f"Best {metric} in Staging",
            archive_existing=True,
        )
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"{best} is in Production.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
