"""Set and delete tags in memory. The caller holds the registry's lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from obeya import names
from obeya.errors import NotFound
from obeya.look_alikes.new_names import similar_to
from obeya.memory.rows import Model, tag_keys
from obeya.memory.store import MemoryStore
from obeya.records import Action, ModelVersion


def set_tag(
    store: MemoryStore,
    name: str,
    key: str,
    value: str,
    version: int | None,
    *,
    allow_similar: bool,
) -> None:
    """Set a tag of a version, or (None) of the model."""
    key, value = names.tag_key(key), names.tag_value(value)
    model, found = store.find_either(name, version)
    tags = model.tags if found is None else found.tags
    similar = tag_keys(model, tags).check(key, allow_similar=allow_similar)
    data = {"key": key, "old": tags.get(key), "new": value, **similar_to(similar)}
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
