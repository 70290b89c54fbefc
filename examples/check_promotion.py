"""Check whether a version can be promoted: by its policy, the workflow, approvals and limits.

    python examples/check_promotion.py churn 3

Exit status 0: it can be promoted; 1: it cannot. Uses the registry in OBEYA_URL, with the token in
OBEYA_TOKEN.
"""

from __future__ import annotations

import sys

from obeya import RegistryError, RemoteRegistry


def main() -> int:
    """Read the command line and print every requirement with its result."""
    try:
        name, number = sys.argv[1], int(sys.argv[2])
    except (IndexError, ValueError):
        print("usage: check_promotion.py NAME NUMBER", file=sys.stderr)
        return 2
    try:
        judgement = RemoteRegistry().can_promote(name, number)
    except RegistryError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"{name} v{number}, {judgement.from_stage.label} to {judgement.to_stage.label}")
    for outcome in judgement.policy_result.outcomes if judgement.policy_result else ():
        print(f"  {outcome.outcome.value}: {outcome.requirement}")
    for refusal in judgement.refusals:
        print(f"  refused: {refusal.sentence}")
    return 0 if judgement.allowed else 1


if __name__ == "__main__":
    sys.exit(main())
