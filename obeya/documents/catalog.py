"""Models, versions and moves as JSON."""

from __future__ import annotations

from typing import Any

from obeya.documents.reading import Document, read_time, reading, written_time
from obeya.metrics import Metric, metric_document
from obeya.records import ModelVersion, RegisteredModel, StageTransition
from obeya.stages import Stage


def version_document(version: ModelVersion) -> dict[str, Any]:
    """Return a version as JSON.

    ``metrics`` are values, ``measurements`` have their samples and errors.
    """
    return {
        "model": version.model,
        "version": version.version,
        "stage": version.stage.value,
        "revision": version.revision,
        "label": version.label,
        "created_at": written_time(version.created_at),
        "updated_at": written_time(version.updated_at or version.created_at),
        "stage_entered_at": written_time(version.stage_entered_at),
        "metrics": dict(version.metrics),
        "measurements": {
            name: metric_document(metric) for name, metric in version.measurements.items()
        },
        "tags": dict(version.tags),
        "aliases": list(version.aliases),
        "artifact_path": version.artifact_path,
        "artifact_digest": version.artifact_digest,
        "artifact_size": version.artifact_size,
        "artifact_warnings": list(version.artifact_warnings),
        "source_run": version.source_run,
        "description": version.description,
        "owner": version.owner,
        "imported_unchecked": version.imported_unchecked,
    }


@reading("model version")
def version_from_document(document: Document) -> ModelVersion:
    """Read the version that `version_document` wrote.

    Raises:
        MalformedDocument: the document is not a version.
    """
    return ModelVersion(
        model=document["model"],
        version=document["version"],
        stage=Stage(document["stage"]),
        revision=document["revision"],
        created_at=read_time(document["created_at"]),
        updated_at=read_time(document["updated_at"]),
        stage_entered_at=read_time(document["stage_entered_at"]),
        label=document["label"],
        measurements={
            name: metric_from_document(name, metric)
            for name, metric in document["measurements"].items()
        },
        tags=dict(document["tags"]),
        aliases=tuple(document["aliases"]),
        artifact_path=document["artifact_path"],
        artifact_digest=document["artifact_digest"],
        artifact_size=document.get("artifact_size"),
        artifact_warnings=tuple(document.get("artifact_warnings", ())),
        source_run=document["source_run"],
        description=document["description"],
        owner=document["owner"],
        imported_unchecked=document.get("imported_unchecked", False),
    )


def metric_from_document(name: str, document: Document) -> Metric:
    """Read the metric that `obeya.metrics.metric_document` wrote."""
    return Metric(
        name,
        document["value"],
        document.get("samples"),
        document.get("standard_error"),
        document.get("dataset") or "",
    )


def model_document(model: RegisteredModel) -> dict[str, Any]:
    """Return a registered model as JSON, with the number of versions in each stage."""
    return {
        "name": model.name,
        "description": model.description,
        "owner": model.owner,
        "tags": dict(model.tags),
        "aliases": dict(model.aliases),
        "stages": {stage.value: model.stages.get(stage, 0) for stage in Stage},
        "champion": model.champion,
        "latest": model.latest,
        "workflow": model.workflow,
        "created_at": written_time(model.created_at),
        "updated_at": written_time(model.updated_at),
    }


@reading("registered model")
def model_from_document(document: Document) -> RegisteredModel:
    """Read the model that `model_document` wrote.

    Raises:
        MalformedDocument: the document is not a model.
    """
    return RegisteredModel(
        name=document["name"],
        description=document["description"],
        owner=document["owner"],
        tags=dict(document["tags"]),
        aliases=dict(document["aliases"]),
        stages={stage: document["stages"].get(stage.value, 0) for stage in Stage},
        champion=document["champion"],
        latest=document["latest"],
        workflow=document["workflow"],
        created_at=read_time(document["created_at"]),
        updated_at=read_time(document["updated_at"]),
    )


def transition_document(move: StageTransition) -> dict[str, Any]:
    """Return one move of one version as JSON.

    ``operation`` is the same for moves of the same operation.
    """
    return {
        "model": move.model,
        "version": move.version,
        "from_stage": move.from_stage.value if move.from_stage else None,
        "to_stage": move.to_stage.value,
        "actor": move.actor,
        "timestamp": written_time(move.timestamp),
        "operation": move.operation_id,
        "reason": move.reason,
        "archived": list(move.archived),
        "is_rollback": move.is_rollback,
        "is_imported": move.is_imported,
        "imported_unchecked": move.imported_unchecked,
    }


@reading("transition")
def transition_from_document(document: Document) -> StageTransition:
    """Read the move that `transition_document` wrote.

    Raises:
        MalformedDocument: the document is not a move.
    """
    return StageTransition(
        model=document["model"],
        version=document["version"],
        from_stage=Stage(document["from_stage"]) if document["from_stage"] else None,
        to_stage=Stage(document["to_stage"]),
        actor=document["actor"],
        timestamp=read_time(document["timestamp"]),
        operation_id=document["operation"],
        reason=document["reason"],
        archived=tuple(document["archived"]),
        is_rollback=document["is_rollback"],
        is_imported=document["is_imported"],
        imported_unchecked=document.get("imported_unchecked", False),
    )
