"""Writes that belong together, and writes that require an unchanged version or model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import transaction

from boards.access.actors import SYSTEM
from boards.registry.commit import writing_model
from obeya.refusals import Conflict
from obeya.stages import Stage
from obeya.transitions.versions import check_expected


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Commit all writes inside, or none."""
    with transaction.atomic():
        yield


@contextmanager
def unchanged(*, name: str, version: int | None, revision: int) -> Iterator[None]:
    """Lock a model's row for the writes inside, if a version of it is at `revision`.

    Without `version` it is the model that must be unchanged: its revision is the number of its
    events. An exception inside rolls everything back.

    Raises:
        NotFound: there is no such model or version.
        Conflict: it was changed since.
    """
    with writing_model(name, actor=SYSTEM, at=datetime.now(UTC)) as held:
        if version is not None:
            row = held.version(version)
            check_expected(
                f"{held.model.name} v{row.number}",
                stage=Stage(row.stage),
                revision=row.revision,
                expected_stage=None,
                expected_revision=revision,
            )
        elif held.model.chain_length != revision:
            raise Conflict(
                f"{held.model.name} was changed in the meantime.",
                stage=None,
                revision=held.model.chain_length,
            )
        yield
