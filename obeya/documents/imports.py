"""The requests and responses of imports as JSON."""

from __future__ import annotations

from typing import Any

from obeya.artifacts.manifest import file_document
from obeya.documents.reading import Document, reading, written_time
from obeya.imports import ImportedModel, ImportReport


def imported_model_document(model: ImportedModel) -> dict[str, Any]:
    """Return a model to import as JSON."""
    return {
        "model": model.name,
        "origin": model.origin,
        "created_at": written_time(model.created_at),
        "description": model.description,
        "tags": dict(model.tags),
        "versions": [
            {
                "version": version.version,
                "stage": version.stage.value,
                "created_at": written_time(version.created_at),
                "updated_at": written_time(version.updated_at),
                "metrics": dict(version.metrics),
                "tags": dict(version.tags),
                "aliases": list(version.aliases),
                "artifact_path": version.artifact_path,
                "source_run": version.source_run,
                "description": version.description,
                "files": [file_document(file) for file in version.files],
            }
            for version in model.versions
        ],
        "clamp_future_times": model.clamp_future_times,
    }


def import_report_document(report: ImportReport) -> dict[str, Any]:
    """Return the report of an import as JSON."""
    return {
        "model": report.model,
        "is_new": report.is_new,
        "imported": list(report.imported),
        "existing": list(report.existing),
        "refused": [{"version": number, "reason": why} for number, why in report.refused.items()],
        "kept_aliases": list(report.kept_aliases),
        "clamped_times": list(report.clamped_times),
        "similar_names": list(report.similar_names),
    }


@reading("report of an import")
def import_report_from_document(document: Document) -> ImportReport:
    """Read the report that `import_report_document` wrote.

    Raises:
        MalformedDocument: the document is not a report of an import.
    """
    return ImportReport(
        model=str(document["model"]),
        is_new=bool(document["is_new"]),
        imported=tuple(map(int, document["imported"])),
        existing=tuple(map(int, document["existing"])),
        refused={int(row["version"]): str(row["reason"]) for row in document["refused"]},
        kept_aliases=tuple(map(str, document["kept_aliases"])),
        clamped_times=tuple(map(str, document.get("clamped_times", ()))),
        similar_names=tuple(map(str, document.get("similar_names", ()))),
    )
