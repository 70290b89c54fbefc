"""Tags, aliases and governed aliases in memory. The caller holds the registry's lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from obeya import names
from obeya.aliases.governed import GovernedAlias, governed_alias_not_found, look_alike_key
from obeya.aliases.rules import AliasFacts, check_delete, check_set
from obeya.errors import NotFound
from obeya.memory.rows import Model, last_entered
from obeya.memory.store import MemoryStore
from obeya.records import Action, ModelVersion


def set_tag(store: MemoryStore, name: str, key: str, value: str, version: int | None) -> None:
    """Set a tag of a version, or (None) of the model."""
    key, value = names.tag_key(key), names.tag_value(value)
    model, found = store.find_either(name, version)
    tags = model.tags if found is None else found.tags
    data = {"key": key, "old": tags.get(key), "new": value}
    if data["old"] != value:
        action = Action.MODEL_TAGGED if found is None else Action.VERSION_TAGGED
        _replace_tags(store, model, found, {**tags, key: value}, action, data)


def delete_tag(store: MemoryStore, name: str, key: str, version: int | None) -> None:
    """Remove a tag of a version, or (None) of the model."""
    stored = names.stored_form(key)
    model, found = store.find_either(name, version)
    tags = dict(model.tags if found is None else found.tags)
    if stored not in tags:
        raise NotFound(f"There is no tag “{key}”.", what="tag")
    data = {"key": stored, "old": tags.pop(stored)}
    action = Action.MODEL_UNTAGGED if found is None else Action.VERSION_UNTAGGED
    _replace_tags(store, model, found, tags, action, data)


def _replace_tags(
    store: MemoryStore,
    model: Model,
    version: ModelVersion | None,
    tags: dict[str, str],
    action: Action,
    data: dict[str, Any],
) -> None:
    if version is None:
        model.tags = tags
    else:
        store.replace(model, replace(version, tags=tags))
    number = None if version is None else version.version
    store.append(model.chain, action, version=number, data=data)


def set_alias(store: MemoryStore, name: str, alias: str, version: int) -> None:
    """Point an alias at a version, unless it is governed and cannot point there."""
    alias = names.alias(alias)
    model, found = store.find(name, version)
    if model.aliases.get(alias) == found.version:
        return
    facts = _facts(store, model, alias, found)
    if facts is not None:
        check_set(facts, store.workflow)
    store.point_alias(model, alias, found.version)


def delete_alias(store: MemoryStore, name: str, alias: str) -> None:
    """Remove an alias, unless it is governed."""
    stored = names.stored_form(alias)
    model = store.model(name)
    if stored not in model.aliases:
        raise NotFound(f"{model.name} has no alias “{alias}”.", what="alias")
    facts = _facts(store, model, stored, model.versions[model.aliases[stored]])
    if facts is not None:
        check_delete(facts)
    store.point_alias(model, stored, None)


def _facts(
    store: MemoryStore, model: Model, alias: str, version: ModelVersion
) -> AliasFacts | None:
    governed = store.governed_aliases(model).of(alias)
    if governed is None:
        return None
    return AliasFacts(
        governed=governed,
        alias=alias,
        model=model.name,
        version=version.version,
        stage=version.stage,
        last_entered=last_entered(model, governed.bound_stage),
    )


def set_governed_alias(store: MemoryStore, governed: GovernedAlias, name: str | None) -> None:
    """Configure an alias name, for one model or (None) the registry."""
    owner = store.owner(name)
    if owner.governed.get(governed.key) != governed:
        owner.governed[governed.key] = governed
        data = {"alias": governed.alias, "mode": governed.mode.value}
        store.append(owner.chain, Action.ALIAS_GOVERNED, to_stage=governed.stage, data=data)


def remove_governed_alias(store: MemoryStore, alias: str, name: str | None) -> None:
    """Remove the configuration of an alias name."""
    owner = store.owner(name)
    removed = owner.governed.pop(look_alike_key(names.stored_form(alias)), None)
    if removed is None:
        raise governed_alias_not_found(alias)
    data = {"alias": removed.alias}
    store.append(owner.chain, Action.ALIAS_UNGOVERNED, data=data)
