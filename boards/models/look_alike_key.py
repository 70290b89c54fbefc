"""The columns of the keys by which names that look alike are found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models

from obeya.look_alikes.keys import STORED_LENGTH, stored_keys


class LookAlikeKeyField(models.CharField):  # type: ignore[type-arg]  # for type checkers only
    """A stored key of the name in the column `of`; saving a row sets it.

    `place` says which: 0 for the first, 1 for the second, which is empty for most names.
    `QuerySet.update` does not set it: it has to set the name and both keys. The keys are not
    unique, because names that look alike can be allowed.
    """

    def __init__(self, *, of: str, place: int = 0, **attributes: Any) -> None:
        self.of = of
        self.place = place
        fixed = {"max_length": STORED_LENGTH, "default": "", "blank": True, "editable": False}
        super().__init__(**(attributes | fixed))

    def deconstruct(self) -> Any:
        """Return how a migration creates the field."""
        name, path, args, attributes = super().deconstruct()
        for fixed in ("max_length", "default", "blank", "editable"):
            attributes.pop(fixed, None)
        place = {"place": self.place} if self.place else {}
        return name, path, args, attributes | {"of": self.of} | place

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Set the key, and return it."""
        key = look_alike_columns(getattr(model_instance, self.of))[self.attname]
        setattr(model_instance, self.attname, key)
        return key


def look_alike_columns(name: str) -> dict[str, str]:
    """Return the values of both columns for a name."""
    first, second, *_ = *stored_keys(name), "", ""
    return {"look_alike_key": first, "second_look_alike_key": second}


def with_keys(rows: models.QuerySet[Any], keys: Collection[str], *columns: str) -> list[Any]:
    """Return columns of the rows that have one of the stored keys, of which none is empty."""
    first, second = (
        rows.filter(**{f"{column}__in": keys}).exclude(**{column: ""}).values_list(*columns)
        for column in look_alike_columns("")
    )
    # One statement in which each part uses its index.
    return list(first.union(second))
