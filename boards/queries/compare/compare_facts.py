"""The facts about versions besides their metrics, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from obeya.records import ModelVersion
from obeya.stages import Stage

Value = str | datetime | Stage | None


class FactKind(StrEnum):
    """How a fact is displayed."""

    TEXT = "text"
    CODE = "code"
    PROSE = "prose"
    STAGE = "stage"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class FactCell:
    """One version's value (None if it has none), and whether the baseline has the same."""

    value: Value
    is_same: bool


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact of all versions, the baseline's first."""

    title: str
    kind: FactKind
    values: tuple[Value, ...]

    @property
    def differs(self) -> bool:
        """Whether any version's value differs from the baseline's."""
        return any(value != self.values[0] for value in self.values)

    @property
    def cells(self) -> tuple[FactCell, ...]:
        """The values, each with whether it equals the baseline's."""
        return tuple(FactCell(value, value == self.values[0]) for value in self.values)


@dataclass(frozen=True, slots=True)
class FactSection:
    """Facts of one kind under a title."""

    title: str
    rows: tuple[FactRow, ...]


def fact_sections(
    versions: Sequence[ModelVersion], *, only_differences: bool = False
) -> tuple[FactSection, ...]:
    """Return record, tags, source and description of versions, the baseline's first. No statements.

    Sections and rows in which no version has a value are left out.
    """
    sections = (
        FactSection("Record", _record(versions)),
        FactSection("Tags", _tags(versions)),
        FactSection("Source", _source(versions)),
        FactSection("Description", _description(versions)),
    )
    kept = (
        FactSection(
            section.title,
            tuple(
                row
                for row in section.rows
                if any(row.values) and (row.differs or not only_differences)
            ),
        )
        for section in sections
    )
    return tuple(section for section in kept if section.rows)


def _row(
    title: str,
    kind: FactKind,
    versions: Sequence[ModelVersion],
    value: Callable[[ModelVersion], Value],
) -> FactRow:
    return FactRow(title, kind, tuple(value(version) or None for version in versions))


def _record(versions: Sequence[ModelVersion]) -> tuple[FactRow, ...]:
    return (
        _row("Stage", FactKind.STAGE, versions, lambda version: version.stage),
        _row("Label", FactKind.TEXT, versions, lambda version: version.label),
        _row("Aliases", FactKind.TEXT, versions, lambda version: ", ".join(version.aliases)),
        _row("Owner", FactKind.TEXT, versions, lambda version: version.owner),
        _row("Registered", FactKind.MOMENT, versions, lambda version: version.created_at),
    )


def _tags(versions: Sequence[ModelVersion]) -> tuple[FactRow, ...]:
    keys = sorted({key for version in versions for key in version.tags})
    # A tag can exist with an empty value, which differs from a missing tag.
    return tuple(
        FactRow(
            key,
            FactKind.TEXT,
            tuple(
                (version.tags[key] or "(empty)") if key in version.tags else None
                for version in versions
            ),
        )
        for key in keys
    )


def _source(versions: Sequence[ModelVersion]) -> tuple[FactRow, ...]:
    return (
        _row("Source run", FactKind.CODE, versions, lambda version: version.source_run),
        _row("Artifact", FactKind.CODE, versions, lambda version: version.artifact_path),
        _row("Artifact digest", FactKind.CODE, versions, lambda version: version.artifact_digest),
    )


def _description(versions: Sequence[ModelVersion]) -> tuple[FactRow, ...]:
    return (_row("Description", FactKind.PROSE, versions, lambda version: version.description),)
