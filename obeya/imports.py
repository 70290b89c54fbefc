"""Models and versions imported from another registry with their history, and the import report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from obeya.artifacts.manifest import FileEntry
from obeya.records import Channel
from obeya.stages import Stage

VERSIONS_AT_ONCE_MAX = 500
GATED = tuple(stage.value for stage in Stage if stage.is_gated)
"""The stages that policies protect."""


UNCHECKED = "imported_unchecked"
"""The member of a move's data. Imports by earlier versions of Obeya have only their channel."""


def leaves_unchecked(to_stage: str | None, channel: str, data: Mapping[str, Any]) -> bool:
    """Return whether a move in the log leaves the version “imported, not checked”."""
    if to_stage is None or to_stage not in GATED:
        return False
    return channel == Channel.IMPORT or bool(data.get(UNCHECKED))


def imported_unchecked(
    to_stage: Stage, *, is_imported: bool, has_passed: bool, was_unchecked: Callable[[], bool]
) -> bool:
    """Return whether a version that moved to `to_stage` is “imported, not checked” there.

    It is if an import placed it in a stage that policies protect, until a move for which it passed
    a policy with at least one requirement. `was_unchecked` returns whether it was when it was last
    in such a stage, also if it left it since.
    """
    return to_stage.is_gated and not has_passed and (is_imported or was_unchecked())


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A version in another registry. It is imported into its stage without a policy check.

    `created_at` and `updated_at` are that registry's times, with a time zone. The other fields are
    those of `VersionDraft`. `files` are the files of the version, whose content was uploaded
    before; empty if no files are imported.
    """

    version: int
    stage: Stage
    created_at: datetime
    updated_at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    artifact_path: str = ""
    source_run: str = ""
    description: str = ""
    files: tuple[FileEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A model in another registry, with some of its versions, ordered by number.

    `origin` is the address of that registry, without a password. Times in the future are refused,
    or with `clamp_future_times` replaced by the time of the import.
    """

    name: str
    origin: str
    created_at: datetime
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[ImportedVersion, ...] = ()
    clamp_future_times: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import: whether the model is new, and its version numbers by outcome.

    `imported` are the imported versions. `existing` are versions that existed before, identical to
    those in the other registry or changed since. `refused` has a sentence for each version that
    cannot be imported, `kept_aliases` a sentence for each alias that already points to another
    version, `clamped_times` a sentence for each time in the future that was replaced,
    `similar_names` one for each imported name that is similar to another one.
    """

    model: str
    is_new: bool = False
    imported: tuple[int, ...] = ()
    existing: tuple[int, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    kept_aliases: tuple[str, ...] = ()
    clamped_times: tuple[str, ...] = ()
    similar_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FutureTime:
    """A time that the other registry states, and that is later than the import at `now`."""

    what: str
    stated: datetime
    now: datetime

    @property
    def refusal(self) -> str:
        """Why it is refused, as a sentence."""
        return (
            f"{self.what} is in the future: {_shown(self.stated)}, now it is {_shown(self.now)}. "
            "Correct the time."
        )

    @property
    def replacement(self) -> str:
        """What was stored instead, as a sentence."""
        return (
            f"{self.what} is in the future: {_shown(self.stated)}. The time of the import was "
            "stored."
        )


def future_times(stated: Mapping[str, datetime], now: datetime) -> list[FutureTime]:
    """Return which of the times, by name, are later than `now`."""
    return [FutureTime(what, time, now) for what, time in stated.items() if time > now]


def _shown(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")
