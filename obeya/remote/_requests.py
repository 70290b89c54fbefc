"""Addresses and bodies of requests to the JSON API."""

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
    """The address of a model. What can be no name is that of nothing: `NotFound`."""
    try:
        return "models", names.model_name(name)
    except InvalidInput:
        raise model_not_found(name) from None


def version_path(name: str, version: int) -> tuple[str, ...]:
    """The address of a version."""
    return *model_path(name), "versions", str(version_number(version))


def place_path(name: str, version: int | None) -> tuple[str, ...]:
    """The address of a version, or (None) of the model."""
    return model_path(name) if version is None else version_path(name, version)


def owner_path(name: str | None) -> tuple[str, ...]:
    """The address of a model, or (None) of the site."""
    return () if name is None else model_path(name)


def existing(rule: Callable[[str], str], text: str, what: str) -> str:
    """The name of something that may be there. What can be no name is not: `NotFound`."""
    try:
        return rule(text)
    except InvalidInput:
        raise NotFound(f"There is no {what} “{str(text)[:64]}”.", what=what) from None


def stage_value(stage: Stage | None) -> str | None:
    """A stage as the API names it."""
    return None if stage is None else Stage.parse(stage).value


def gated_stage(stage: Stage, name: str | None) -> Stage:
    """A stage that takes a policy. Raises `NotFound` for another: it has none."""
    wanted = Stage.parse(stage)
    if not wanted.is_gated:
        raise policy_not_found(wanted, name)
    return wanted


def metrics_body(metrics: MetricValues | None) -> dict[str, Any]:
    """Metrics as the API takes them."""
    return {name: metric_document(metric) for name, metric in as_metrics(metrics).items()}


def draft_body(draft: VersionDraft) -> dict[str, Any]:
    """A version that is to be registered, as the API takes it."""
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
    }


def intent_body(intent: TransitionIntent) -> dict[str, Any]:
    """A wanted transition, as the API takes it for a request."""
    return {
        "to_stage": stage_value(intent.to_stage),
        "reason": intent.reason,
        "archive_existing": intent.archive_existing,
    }
