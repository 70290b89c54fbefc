"""Writes to tags and aliases."""

from __future__ import annotations

from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.registry.commit import ModelWrite, writing_model
from obeya import names
from obeya.errors import NotFound
from obeya.records import Action


def set_tag(
    *, name: str, key: str, value: str, version: int | None = None, actor: Actor, at: datetime
) -> None:
    """Set a tag of a version, or (None) of the model. The same value again writes nothing."""
    actor.require(Permission.REGISTER, name)
    key, value = names.tag_key(key), names.tag_value(value)
    with writing_model(name, actor=actor, at=at) as write:
        row = None if version is None else write.version(version)
        old = _tag_value(write, row, key)
        if old == value:
            return
        if row is None:
            models.ModelTag.objects.update_or_create(
                model=write.model, key=key, defaults={"value": value}
            )
            write.touch()
        else:
            models.VersionTag.objects.update_or_create(
                version=row, key=key, defaults={"value": value}
            )
            write.update_version(row)
        write.record(
            Action.MODEL_TAGGED if row is None else Action.VERSION_TAGGED,
            version=row,
            data={"key": key, "old": old, "new": value},
        )


def delete_tag(
    *, name: str, key: str, version: int | None = None, actor: Actor, at: datetime
) -> None:
    """Remove a tag of a version, or (None) of the model.

    Raises:
        NotFound: there is no such tag.
    """
    actor.require(Permission.REGISTER, name)
    key = names.stored_form(key)
    with writing_model(name, actor=actor, at=at) as write:
        row = None if version is None else write.version(version)
        old = _tag_value(write, row, key)
        if old is None:
            raise NotFound(f"There is no tag “{key}”.", what="tag")
        if row is None:
            models.ModelTag.objects.filter(model=write.model, key=key).delete()
            write.touch()
        else:
            models.VersionTag.objects.filter(version=row, key=key).delete()
            write.update_version(row)
        write.record(
            Action.MODEL_UNTAGGED if row is None else Action.VERSION_UNTAGGED,
            version=row,
            data={"key": key, "old": old},
        )


def set_alias(*, name: str, alias: str, version: int, actor: Actor, at: datetime) -> None:
    """Set an alias of a model to a version. An existing alias is moved."""
    actor.require(Permission.REGISTER, name)
    alias = names.alias(alias)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        present = (
            models.Alias.objects.filter(model=write.model, name=alias)
            .select_related("version")
            .first()
        )
        if present and present.version_id == row.pk:
            return
        models.Alias.objects.update_or_create(
            model=write.model, name=alias, defaults={"version": row}
        )
        write.touch()
        write.record(
            Action.ALIAS_SET,
            version=row,
            data={"alias": alias, "old": present.version.number if present else None},
        )


def delete_alias(*, name: str, alias: str, actor: Actor, at: datetime) -> None:
    """Remove an alias.

    Raises:
        NotFound: the model has no such alias.
    """
    actor.require(Permission.REGISTER, name)
    alias = names.stored_form(alias)
    with writing_model(name, actor=actor, at=at) as write:
        present = (
            models.Alias.objects.filter(model=write.model, name=alias)
            .select_related("version")
            .first()
        )
        if present is None:
            raise NotFound(f"{write.model.name} has no alias “{alias}”.", what="alias")
        version = present.version
        present.delete()
        write.touch()
        write.record(Action.ALIAS_DELETED, version=version, data={"alias": alias})


def _tag_value(write: ModelWrite, version: models.ModelVersion | None, key: str) -> str | None:
    if version is None:
        tags = models.ModelTag.objects.filter(model=write.model, key=key)
        return tags.values_list("value", flat=True).first()
    return (
        models.VersionTag.objects.filter(version=version, key=key)
        .values_list("value", flat=True)
        .first()
    )
