"""Aliases and governed aliases in memory. The caller holds the registry's lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from obeya import names
from obeya.aliases.governed import (
    GovernedAlias,
    GovernedAliases,
    governed_alias_not_found,
    like,
)
from obeya.aliases.rules import AliasFacts, aliases_after_move, check_delete, check_set
from obeya.errors import NotFound
from obeya.look_alikes.new_names import NameKind, NewNames, similar_to
from obeya.memory.rows import Model, last_entered
from obeya.records import Action, ModelVersion
from obeya.stages import Stage

if TYPE_CHECKING:
    from obeya.memory.store import MemoryStore


def governed_aliases(store: MemoryStore, model: Model | None) -> GovernedAliases:
    """Return the governed aliases of a model, or (None) the defaults."""
    own = model.governed.values() if model else ()
    return GovernedAliases(store.workflow, store.governed.values(), own)


def update_aliases(
    store: MemoryStore, model: Model, departed: Mapping[Stage, Collection[int]]
) -> None:
    """Update the governed aliases of stages that versions entered or left.

    `departed` has these stages, each with the versions that left it.
    """
    for governed in governed_aliases(store, model).bound_to(departed):
        changes = aliases_after_move(
            governed,
            model.aliases,
            last_entered=last_entered(model, governed.bound_stage),
            departed=departed[governed.bound_stage],
        )
        for alias, version in changes.items():
            point_alias(store, model, alias, version)


def point_alias(
    store: MemoryStore,
    model: Model,
    alias: str,
    version: int | None,
    *,
    similar: Collection[str] = (),
) -> None:
    """Set an alias to a version, or (None) remove it, and append the event.

    `similar` are the aliases that a new alias is similar to.
    """
    old = model.aliases.pop(alias, None)
    if version is None:
        store.append(model.chain, Action.ALIAS_DELETED, version=old, data={"alias": alias})
        return
    model.aliases[alias] = version
    data = {"alias": alias, "old": old, **similar_to(similar)}
    store.append(model.chain, Action.ALIAS_SET, version=version, data=data)


def set_alias(
    store: MemoryStore, name: str, alias: str, version: int, *, allow_similar: bool
) -> None:
    """Point an alias at a version, unless it is governed and cannot point there."""
    alias = names.alias(alias)
    model, found = store.find(name, version)
    if model.aliases.get(alias) == found.version:
        return
    facts = _facts(store, model, alias, found)
    if facts is not None:
        check_set(facts, store.workflow)
    similar = NewNames(NameKind.ALIAS, model.aliases).check(alias, allow_similar=allow_similar)
    point_alias(store, model, alias, found.version, similar=similar)


def delete_alias(store: MemoryStore, name: str, alias: str) -> None:
    """Remove an alias, unless it is governed."""
    stored = names.stored_form(alias)
    model = store.model(name)
    if stored not in model.aliases:
        raise NotFound(f"{model.name} has no alias “{alias}”.", what="alias")
    facts = _facts(store, model, stored, model.versions[model.aliases[stored]])
    if facts is not None:
        check_delete(facts)
    point_alias(store, model, stored, None)


def _facts(
    store: MemoryStore, model: Model, alias: str, version: ModelVersion
) -> AliasFacts | None:
    governed = governed_aliases(store, model).of(alias)
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
    present = like(governed.alias, owner.governed.values())
    if not present:
        NewNames(NameKind.ALIAS).check(governed.alias)
    if present != [governed]:
        for replaced in present:
            del owner.governed[replaced.key]
        owner.governed[governed.key] = governed
        data = {"alias": governed.alias, "mode": governed.mode.value}
        store.append(owner.chain, Action.ALIAS_GOVERNED, to_stage=governed.stage, data=data)


def remove_governed_alias(store: MemoryStore, alias: str, name: str | None) -> None:
    """Remove the configuration of an alias name."""
    owner = store.owner(name)
    present = like(names.stored_form(alias), owner.governed.values())
    if not present:
        raise governed_alias_not_found(alias)
    removed = owner.governed.pop(present[0].key)
    data = {"alias": removed.alias}
    store.append(owner.chain, Action.ALIAS_UNGOVERNED, data=data)
