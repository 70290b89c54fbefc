"""Writes to governed aliases."""

from __future__ import annotations

from datetime import datetime

from boards import models
from boards.access.actors import Actor
from boards.access.permissions import Permission
from boards.queries.facts.governed_aliases import governed_alias_record
from boards.registry.commit import ChainWrite, ModelWrite, writing_owner
from obeya import names
from obeya.aliases.governed import GovernedAlias, governed_alias_not_found, like
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.records import Action


def set_governed_alias(
    *, governed: GovernedAlias, name: str | None = None, actor: Actor, at: datetime
) -> None:
    """Govern an alias of one model or (None) of all models, or set it free.

    The same configuration again writes nothing. Existing aliases are not changed. A configuration
    of a name that looks alike is replaced.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        InvalidInput: a character cannot be in a name.
    """
    actor.require(Permission.EDIT_POLICY, name)
    with writing_owner(name, actor=actor, at=at) as write:
        present = _present(write, governed.alias)
        if [governed_alias_record(row) for row in present] == [governed]:
            return
        if not present:
            write.check_name(NewNames(NameKind.ALIAS), governed.alias)
        row, *others = present or [models.GovernedAlias(model=_model(write))]
        for other in others:
            other.delete()
        row.alias = governed.alias
        row.stage = governed.stage.value if governed.stage else ""
        row.mode = governed.mode.value
        row.save()
        data = {"alias": governed.alias, "mode": governed.mode.value}
        write.record(Action.ALIAS_GOVERNED, to_stage=governed.stage, data=data)


def remove_governed_alias(
    *, alias: str, name: str | None = None, actor: Actor, at: datetime
) -> None:
    """Remove the configuration of an alias name, of one model or (None) of the registry.

    Raises:
        NotAllowed: the actor does not have the edit_policy permission.
        NotFound: the name is not configured there.
    """
    actor.require(Permission.EDIT_POLICY, name)
    with writing_owner(name, actor=actor, at=at) as write:
        present = _present(write, names.stored_form(alias))
        if not present:
            raise governed_alias_not_found(alias)
        present[0].delete()
        write.record(Action.ALIAS_UNGOVERNED, data={"alias": present[0].alias})


def _model(write: ChainWrite) -> models.RegisteredModel | None:
    return write.model if isinstance(write, ModelWrite) else None


def _present(write: ChainWrite, alias: str) -> list[models.GovernedAlias]:
    """Return the rows of the names that look like this one, that of the name itself first."""
    rows = models.GovernedAlias.objects.filter(model=_model(write))
    by_name = {row.alias: row for row in rows}
    return [by_name[each.alias] for each in like(alias, map(governed_alias_record, rows))]
