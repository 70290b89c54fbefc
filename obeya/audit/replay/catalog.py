"""Effects of events on models, versions, tags, aliases, metrics and files."""

from __future__ import annotations

from typing import Any

from obeya.audit.replay.state import NO_TEXT, UNSTATED, Event, State, Table
from obeya.imports import leaves_unchecked
from obeya.stages import Stage

MODEL_KEY = ()
_METRIC_DEFAULTS = {"samples": None, "standard_error": None, "dataset": ""}


def register_model(state: State, event: Event) -> None:
    """Add the model of the chain."""
    state.add(
        Table.MODEL,
        MODEL_KEY,
        event,
        name=event.text("name"),
        description=NO_TEXT,
        owner=event.actor,
        workflow="",
        headline_metrics=[],
        last_number=0,
        created_at=event.at,
        updated_at=event.at,
        deleted_at=None,
    )


def rename_model(state: State, event: Event) -> None:
    """Set the name of the model."""
    _change_model(state, event, name=event.text("name"))


def describe_model(state: State, event: Event) -> None:
    """Set the description of the model."""
    _change_model(state, event, description=event.text("description"))


def configure_model(state: State, event: Event) -> None:
    """Set the workflow and the headline metrics, if the event has them."""
    new = event.data["new"]
    known = {column: new[column] for column in ("workflow", "headline_metrics") if column in new}
    _change_model(state, event, **known)


def delete_model(state: State, event: Event) -> None:
    """Hide the model and its versions; remove its aliases."""
    for row in state.tables[Table.VERSION].values():
        if row.values["deleted_at"] is None:
            row.change(event.sequence, {"deleted_at": event.at})
    state.tables[Table.ALIAS].clear()
    state.change(Table.MODEL, MODEL_KEY, event, deleted_at=event.at)


def tag_model(state: State, event: Event) -> None:
    """Set a tag of the model."""
    state.add(Table.MODEL_TAG, (event.data["key"],), event, value=event.data["new"])
    _change_model(state, event)


def untag_model(state: State, event: Event) -> None:
    """Remove a tag of the model."""
    state.remove(Table.MODEL_TAG, (event.data["key"],))
    _change_model(state, event)


def touch_model(state: State, event: Event) -> None:
    """Set the time of the model's last update."""
    _change_model(state, event)


def register_version(state: State, event: Event) -> None:
    """Add a version with its metrics and tags."""
    number, data = event.version, event.data
    state.add(
        Table.VERSION,
        (number,),
        event,
        label=data.get("label", UNSTATED),
        description=event.text("description"),
        owner=event.actor,
        stage=event.to_stage,
        revision=1,
        artifact_uri=data.get("artifact_uri", UNSTATED),
        artifact_digest=data.get("artifact_digest", UNSTATED),
        artifact_size=None,
        files=None,
        findings=None,
        inspections={},
        source_run=data.get("source_run", UNSTATED),
        created_at=event.at,
        updated_at=event.at,
        stage_entered_at=event.at,
        imported_unchecked=False,
        deleted_at=None,
    )
    for key, value in data.get("tags", {}).items():
        state.add(Table.VERSION_TAG, (number, key), event, value=value)
    for name, metric in data.get("metrics", {}).items():
        _log_metric(state, event, name, metric)
    _change_model(state, event, last_number=number)


def log_metrics(state: State, event: Event) -> None:
    """Set metrics of a version."""
    for name, metric in event.data["metrics"].items():
        _log_metric(state, event, name, metric["new"])
    _change_version(state, event)


def describe_version(state: State, event: Event) -> None:
    """Set the description of a version."""
    _change_version(state, event, description=event.text("description"))


def store_artifact(state: State, event: Event) -> None:
    """Set the files of a version, and what their inspection found."""
    digest, findings = event.data["digest"], _findings(event)
    _change_version(
        state,
        event,
        artifact_digest=digest,
        artifact_size=event.data["size"],
        files=digest,
        findings=findings,
        inspections=_inspections(findings),
    )


def inspect_artifact(state: State, event: Event) -> None:
    """Set what a repeated inspection of the files of a version found.

    The same inspection of the same files finds the same, except in damaged content.
    """
    findings = _findings(event)
    earlier = state.tables[Table.VERSION][event.version,].values["inspections"]
    found = _inspections(findings)
    state.problems += [
        f"event {event.sequence} has other findings in the files of v{event.version} than the same "
        "inspection had before."
        for inspector, digest in found.items()
        if earlier.get(inspector, digest) != digest
    ]
    _change_version(state, event, findings=findings, inspections=earlier | found)


def tag_version(state: State, event: Event) -> None:
    """Set a tag of a version."""
    state.add(Table.VERSION_TAG, (event.version, event.data["key"]), event, value=event.data["new"])
    _change_version(state, event)


def untag_version(state: State, event: Event) -> None:
    """Remove a tag of a version."""
    state.remove(Table.VERSION_TAG, (event.version, event.data["key"]))
    _change_version(state, event)


def move_version(state: State, event: Event) -> None:
    """Put a version into a stage."""
    _change_version(
        state,
        event,
        stage=event.to_stage,
        stage_entered_at=event.at,
        imported_unchecked=leaves_unchecked(event.to_stage, event.channel, event.data),
    )


def delete_version(state: State, event: Event) -> None:
    """Hide a version and remove its aliases, which earlier versions of Obeya did without events."""
    aliases = state.tables[Table.ALIAS]
    for key in [key for key, row in aliases.items() if row.values["version"] == event.version]:
        del aliases[key]
    _change_version(state, event, deleted_at=event.at)


def set_alias(state: State, event: Event) -> None:
    """Point an alias to a version."""
    state.add(Table.ALIAS, (event.data["alias"],), event, version=event.version)
    _change_model(state, event)


def delete_alias(state: State, event: Event) -> None:
    """Remove an alias; the deletion of its version may have removed it already."""
    state.tables[Table.ALIAS].pop((event.data["alias"],), None)
    _change_model(state, event)


def derive_counts(state: State) -> None:
    """Set the columns of the model that follow from its versions: counts, and the champion.

    The champion is the version that entered Production last, of those that are there.
    """
    model = state.tables[Table.MODEL].get(MODEL_KEY)
    if model is None:
        return
    counts = {stage.value: 0 for stage in Stage}
    champion, entered = None, 0
    for (number,), row in state.tables[Table.VERSION].items():
        if row.values["deleted_at"] is not None:
            continue
        stage = row.values["stage"]
        counts[stage] = counts.get(stage, 0) + 1
        if stage == Stage.PRODUCTION and row.event_of("stage") > entered:
            champion, entered = number, row.event_of("stage")
    model.values.update({f"{stage}_count": count for stage, count in counts.items()})
    model.values["champion"] = champion


def _change_model(state: State, event: Event, **values: Any) -> None:
    state.change(Table.MODEL, MODEL_KEY, event, updated_at=event.at, **values)


def _change_version(state: State, event: Event, **values: Any) -> None:
    row = state.tables[Table.VERSION][event.version,]
    revision = row.values["revision"] + 1
    row.change(event.sequence, {"revision": revision, "updated_at": event.at, **values})
    _change_model(state, event)


def _log_metric(state: State, event: Event, name: str, metric: dict[str, Any]) -> None:
    values = {**_METRIC_DEFAULTS, **metric, "logged_at": event.at}
    state.add(Table.METRIC, (event.version, name), event, **values)


def _findings(event: Event) -> Any:
    """Return the digest of what the inspection found, and the version of the inspection."""
    if "findings_digest" not in event.data:
        return UNSTATED
    return event.data["findings_digest"], event.data["inspector"]


def _inspections(findings: Any) -> dict[int, str]:
    """Return the digest of findings by their inspection, none if content was damaged or skipped."""
    if findings is UNSTATED or not findings[1]:
        return {}
    digest, inspector = findings
    return {inspector: digest}
