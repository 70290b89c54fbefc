"""Aliases, and what moves do to the governed ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from boards import models
from boards.queries.facts.governed_aliases import governed_aliases, last_entered
from boards.registry.commit import ModelWrite
from obeya.aliases.rules import aliases_after_move
from obeya.look_alikes.new_names import similar_to
from obeya.records import Action
from obeya.stages import Stage


def update_aliases(
    write: ModelWrite,
    departed: Mapping[Stage, Collection[int]],
    *,
    entered: models.ModelVersion | None = None,
    skipped: Collection[str] = (),
) -> None:
    """Update the governed aliases of stages that versions entered or left.

    `departed` has these stages, each with the versions that left it. `entered` is the version that
    this write moved into its stage, None if it moved none. `skipped` are the keys of aliases that
    stay as they are.
    """
    found = governed_aliases(write.model).bound_to(departed)
    bound = [governed for governed in found if governed.key not in skipped]
    if not bound:
        return
    aliases = models.Alias.objects.filter(model=write.model).select_related("version")
    present = {row.name: row for row in aliases.defer("version__description")}
    for governed in bound:
        stage = governed.bound_stage
        is_entered = entered is not None and entered.stage == stage.value
        last = entered if is_entered else last_entered(write.model, stage)
        changes = aliases_after_move(
            governed,
            {name: row.version.number for name, row in present.items()},
            last_entered=last.number if last else None,
            departed=departed[stage],
        )
        for alias, number in changes.items():
            point_alias(write, alias, None if number is None else last, present.get(alias))


def point_alias(
    write: ModelWrite,
    alias: str,
    version: models.ModelVersion | None,
    present: models.Alias | None,
    *,
    similar: Collection[str] = (),
) -> None:
    """Set an alias to a version, or (None) remove it, with its event.

    `present` is the current row of the alias, with its version; `similar` are the aliases that a
    new alias is similar to.
    """
    write.touch()
    if version is None:
        assert present is not None  # noqa: S101 - for mypy: only a present alias is removed
        present.delete()
        write.record(Action.ALIAS_DELETED, version=present.version, data={"alias": alias})
        return
    models.Alias.objects.update_or_create(
        model=write.model, name=alias, defaults={"version": version}
    )
    old = present.version.number if present else None
    data = {"alias": alias, "old": old, **similar_to(similar)}
    write.record(Action.ALIAS_SET, version=version, data=data)
