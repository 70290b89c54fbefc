"""Writes to existing models and versions: describe, rename, configure, delete."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.models.look_alike_key import look_alike_columns
from boards.registry.commit import writing_model
from boards.registry.transitions.alerts import clear_andons
from boards.registry.transitions.aliases import point_alias, update_aliases
from boards.registry.transitions.champion import update_champion
from boards.registry.transitions.open_requests import settle_requests, withdraw_requests
from obeya import names
from obeya.errors import AlreadyExists, InvalidInput
from obeya.look_alikes.new_names import similar_to
from obeya.records import Action
from obeya.stages import Stage, workflow_named

HEADLINE_METRICS_MAX = 2


def set_description(
    *, name: str, text: str, version: int | None = None, actor: Actor, at: datetime
) -> None:
    """Set the description of a version, or (None) of the model, in Markdown.

    The same text again writes nothing. Raises the usual `NotAllowed`, `NotFound`, `InvalidInput`.
    """
    actor.require(Permission.REGISTER, name)
    text = names.description(text)
    with writing_model(name, actor=actor, at=at) as write:
        if version is None:
            if write.model.description != text:
                write.change(description=text)
                write.touch()
                write.record(Action.MODEL_DESCRIBED, texts={"description": text})
            return
        row = write.version(version)
        if row.description != text:
            write.update_version(row, description=text)
            write.record(Action.VERSION_DESCRIBED, version=row, texts={"description": text})


def rename_model(
    *, name: str, new_name: str, allow_similar: bool = False, actor: Actor, at: datetime
) -> None:
    """Rename a model. Its versions, history and chain are kept.

    Raises:
        AlreadyExists: another model has that name.
        SimilarName: another model has a similar name, and `allow_similar` is false.
    """
    actor.require(Permission.ADMINISTER, name)
    new_name = names.model_name(new_name)
    actor.require(Permission.ADMINISTER, new_name)
    try:
        with writing_model(name, actor=actor, at=at) as write:
            name = write.model.name
            if new_name == name:
                return
            write.hold_site()
            _require_free_name(new_name)
            similar = write.check_model_name(new_name, allow_similar=allow_similar)
            write.change(name=new_name, **look_alike_columns(new_name))
            write.touch()
            write.record(
                Action.MODEL_RENAMED,
                texts={"name": new_name, "previous_name": name},
                data=similar_to(similar),
            )
    except IntegrityError:
        # Another writer took the name between the check and the update.
        _require_free_name(new_name)
        raise


def configure_model(
    *,
    name: str,
    workflow: str | None = None,
    headline_metrics: tuple[str, ...] | None = None,
    actor: Actor,
    at: datetime,
) -> None:
    """Set a model's workflow ("" for the default) and the metrics on its cards; None keeps a value.

    Raises:
        InvalidInput: there is no such workflow, or there are more than two headline metrics.
    """
    actor.require(Permission.ADMINISTER, name)
    changes: dict[str, object] = {}
    if workflow is not None:
        changes["workflow"] = workflow_named(workflow).name if workflow else ""
    if headline_metrics is not None:
        if len(headline_metrics) > HEADLINE_METRICS_MAX:
            raise InvalidInput("A card can show at most two metrics.", field="headline_metrics")
        changes["headline_metrics"] = [names.metric_name(metric) for metric in headline_metrics]
    with writing_model(name, actor=actor, at=at) as write:
        old = {column: getattr(write.model, column) for column in changes}
        if old == changes:
            return
        write.change(**changes)
        write.touch()
        write.record(Action.MODEL_CONFIGURED, data={"old": old, "new": changes})


def delete_version(*, name: str, version: int, actor: Actor, at: datetime) -> None:
    """Hide a version. Its events are kept, and its number is never used again."""
    actor.require(Permission.ADMINISTER, name)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        stage = Stage(row.stage)
        write.update_version(row, deleted_at=write.at)
        write.count(stage, -1)
        write.record(Action.VERSION_DELETED, version=row, from_stage=stage)
        settle_requests(write, row, None)
        clear_andons(write, version=row)
        update_champion(write)
        update_aliases(write, {stage: [row.number]})
        for alias in models.Alias.objects.filter(version=row).order_by("name"):
            alias.version = row
            point_alias(write, alias.name, None, alias)


def delete_model(*, name: str, actor: Actor, at: datetime) -> None:
    """Hide a model with its versions. Its events are kept; another model can take the name."""
    actor.require(Permission.ADMINISTER, name)
    with writing_model(name, actor=actor, at=at) as write:
        withdraw_requests(write)
        clear_andons(write)
        models.ModelVersion.objects.filter(model=write.model, deleted_at=None).update(
            deleted_at=write.at
        )
        aliases = models.Alias.objects.filter(model=write.model)
        pointed = dict(aliases.order_by("name").values_list("name", "version__number"))
        aliases.delete()
        write.change(
            deleted_at=write.at,
            champion_id=None,
            **{f"{stage.value}_count": 0 for stage in Stage},
        )
        write.record(Action.MODEL_DELETED, data={"aliases": pointed} if pointed else None)


def _require_free_name(name: str) -> None:
    if models.RegisteredModel.objects.filter(name=name, deleted_at=None).exists():
        raise AlreadyExists(f"A model named “{name}” already exists.", field="name")
