"""Paths and bodies of requests to the JSON API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from obeya import names
from obeya.errors import InvalidInput, NotFound, model_not_found
from obeya.metrics import metric_document
from obeya.records import VersionDraft
from obeya.refusals import policy_not_found
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent
from obeya.values import MetricValues, as_metrics, as_tags, version_number


def model_path(name: str) -> tuple[str, ...]:
    """Return the path of a model. Raises `NotFound` if the name is not a valid model name."""
    try:
        return "models", names.model_name(name)
    except InvalidInput:
        raise model_not_found(name) from None


def version_path(name: str, version: int) -> tuple[str, ...]:
    """Return the path of a version."""
    return *model_path(name), "versions", str(version_number(version))


def place_path(name: str, version: int | None) -> tuple[str, ...]:
    """Return the path of a version, or (None) of the model."""
    return model_path(name) if version is None else version_path(name, version)


def owner_path(name: str | None) -> tuple[str, ...]:
    """Return the path of a model, or (None) the empty path, for what belongs to no model."""
    return () if name is None else model_path(name)


def existing(rule: Callable[[str], str], text: str, what: str) -> str:
    """Return the name of something to look up. Raises `NotFound` if the name is not valid."""
    try:
        return rule(text)
    except InvalidInput:
        raise NotFound(f"There is no {what} “{str(text)[:64]}”.", what=what) from None


def stage_value(stage: Stage | None) -> str | None:
    """Return the API value of a stage."""
    return None if stage is None else Stage.parse(stage).value


def gated_stage(stage: Stage, name: str | None) -> Stage:
    """Return a stage that can have a policy. Raises `NotFound` for any other stage."""
    wanted = Stage.parse(stage)
    if not wanted.is_gated:
        raise policy_not_found(wanted, name)
    return wanted


def metrics_body(metrics: MetricValues | None) -> dict[str, Any]:
    """Return metrics as a request body."""
    return {name: metric_document(metric) for name, metric in as_metrics(metrics).items()}


def draft_body(draft: VersionDraft) -> dict[str, Any]:
    """Return a version to register as a request body."""
    return {
        "model": draft.model,
        "version": None if draft.version is None else version_number(draft.version),
        "metrics": metrics_body(draft.metrics),
        "artifact_path": draft.artifact_path,
        "label": draft.label,
        "tags": as_tags(draft.tags),
        "description": draft.description,
        "source_run": draft.source_run,
        "artifact_digest": draft.artifact_digest,
    } | similar_body(allow_similar=draft.allow_similar)


def similar_body(*, allow_similar: bool) -> dict[str, Any]:
    """Return the member of a request body that allows similar names; empty if not allowed."""
    return {"allow_similar": True} if allow_similar else {}


def intent_body(intent: TransitionIntent) -> dict[str, Any]:
    """Return an intended transition as the body of a transition request."""
    return {
        "to_stage": stage_value(intent.to_stage),
        "reason": intent.reason,
        "archive_existing": intent.archive_existing,
    }
