"""The differences between the tables and the log, without those of accounts that a test created."""

from __future__ import annotations

from boards.queries.verification.verification import verify_chains


def differing_rows() -> list[str]:
    """Return the sentences of the verification about rows.

    Tests create accounts without events where accounts are not what they test.
    """
    return [
        sentence
        for sentence in verify_chains().rows
        if not (sentence.startswith("registry: account ") and sentence.endswith(" has no event."))
    ]
