"""Writes to tags and aliases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission, permission_for_transition
from boards.queries.facts.evidence import workflow_of
from boards.queries.facts.governed_aliases import governed_aliases, last_entered
from boards.registry.commit import ModelWrite, writing_model
from boards.registry.transitions.aliases import point_alias
from obeya import names
from obeya.aliases.governed import AliasMode
from obeya.aliases.rules import AliasFacts, check_delete, check_set
from obeya.errors import NotFound
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.records import Action
from obeya.stages import Stage


def set_tag(
    *,
    name: str,
    key: str,
    value: str,
    version: int | None = None,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> None:
    """Set a tag of a version, or (None) of the model. The same value again writes nothing.

    Raises:
        InvalidInput: the key or value is invalid.
        SimilarName: the key is new and similar to one of the same tags, and `allow_similar` is
            false.
    """
    actor.require(Permission.REGISTER, name)
    key, value = names.tag_key(key), names.tag_value(value)
    with writing_model(name, actor=actor, at=at) as write:
        row = None if version is None else write.version(version)
        old = _tag_value(write, row, key)
        if old == value:
            return
        similar = [] if old is not None else _check_key(write, row, key, allow_similar)
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
            data={"key": key, "old": old, "new": value, **similar_to(similar)},
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


def set_alias(
    *,
    name: str,
    alias: str,
    version: int,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> None:
    """Set an alias of a model to a version. An existing alias is moved.

    Setting it to where it already points does nothing.

    Raises:
        NotAllowed: the actor does not have the register permission or, if the alias is guarded, the
            permission to move versions into its stage.
        AliasRefused: the alias is governed, and the version is not where it can point to.
        SimilarName: the alias is new and similar to another of the model, and `allow_similar` is
            false.
    """
    actor.require(Permission.REGISTER, name)
    alias = names.alias(alias)
    with writing_model(name, actor=actor, at=at) as write:
        row = write.version(version)
        present = _alias_row(write, alias)
        if present and present.version_id == row.pk:
            return
        facts = _governed(write, alias, row)
        if facts is not None:
            check_set(facts, workflow_of(write.model))
        similar = [] if present else _check_alias(write, alias, allow_similar)
        point_alias(write, alias, row, present, similar=similar)


def delete_alias(*, name: str, alias: str, actor: Actor, at: datetime) -> None:
    """Remove an alias.

    Raises:
        NotAllowed: as for `set_alias`.
        NotFound: the model has no such alias.
        AliasRefused: the alias is governed, and points to where it belongs.
    """
    actor.require(Permission.REGISTER, name)
    alias = names.stored_form(alias)
    with writing_model(name, actor=actor, at=at) as write:
        present = _alias_row(write, alias)
        if present is None:
            raise NotFound(f"{write.model.name} has no alias “{alias}”.", what="alias")
        facts = _governed(write, alias, present.version)
        if facts is not None:
            check_delete(facts)
        point_alias(write, alias, None, present)


def tag_keys(model: models.RegisteredModel, existing: Iterable[str] = ()) -> NewNames:
    """Return the tag keys `existing` at one place of a model, for the check of new ones.

    Keys in use elsewhere in the model are not refused.
    """

    def is_in_use(key: str) -> bool:
        of_versions = models.VersionTag.objects.filter(version__model=model, key=key)
        return of_versions.exists() or models.ModelTag.objects.filter(model=model, key=key).exists()

    return NewNames(NameKind.TAG_KEY, existing, is_in_use=is_in_use)


def _check_key(
    write: ModelWrite, version: models.ModelVersion | None, key: str, allow_similar: bool
) -> list[str]:
    tags = (
        models.ModelTag.objects.filter(model=write.model)
        if version is None
        else models.VersionTag.objects.filter(version=version)
    )
    known = tag_keys(write.model, tags.values_list("key", flat=True))
    return write.check_name(known, key, allow_similar=allow_similar)


def _check_alias(write: ModelWrite, alias: str, allow_similar: bool) -> list[str]:
    aliases = models.Alias.objects.filter(model=write.model)
    known = NewNames(NameKind.ALIAS, aliases.values_list("name", flat=True))
    return write.check_name(known, alias, allow_similar=allow_similar)


def _alias_row(write: ModelWrite, alias: str) -> models.Alias | None:
    rows = models.Alias.objects.filter(model=write.model, name=alias)
    return rows.select_related("version").first()


def _governed(write: ModelWrite, alias: str, version: models.ModelVersion) -> AliasFacts | None:
    """Return what a governed alias is judged by; None if the name is not governed.

    Raises:
        NotAllowed: the alias is guarded, and the actor cannot move versions into its stage.
    """
    governed = governed_aliases(write.model).of(alias)
    if governed is None:
        return None
    if governed.mode is AliasMode.GUARDED:
        wanted = permission_for_transition(None, governed.stage)
        write.actor.require(wanted, write.model.name)
    last = last_entered(write.model, governed.bound_stage)
    return AliasFacts(
        governed=governed,
        alias=alias,
        model=write.model.name,
        version=version.number,
        stage=Stage(version.stage),
        last_entered=last.number if last else None,
    )


def _tag_value(write: ModelWrite, version: models.ModelVersion | None, key: str) -> str | None:
    if version is None:
        tags = models.ModelTag.objects.filter(model=write.model, key=key)
        return tags.values_list("value", flat=True).first()
    return (
        models.VersionTag.objects.filter(version=version, key=key)
        .values_list("value", flat=True)
        .first()
    )
