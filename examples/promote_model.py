"""Promote the best version of a model that waits in Staging, by a metric of one's choice.

    python examples/promote_model.py churn auc

Exit status 0: promoted; 1: refused, or nothing waits. The registry is the one that OBEYA_URL and
OBEYA_TOKEN name.
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
        waiting = registry.search_versions(
            f'stage = staging and has metrics."{metric}"',
            model=name,
            order_by=f'metrics."{metric}" desc',
        )
        best = next(waiting, None)
        if best is None:
            print(f"No version of {name} with {metric} waits in Staging.", file=sys.stderr)
            return 1
        registry.transition_stage(
            name,
            best.version,
            Stage.PRODUCTION,
            reason=f"The best {metric} in Staging",
            archive_existing=True,
        )
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"{best} is in Production.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
