"""The column of the key by which names that look alike are found."""

from __future__ import annotations

from typing import Any

from django.db import models

from obeya.look_alikes.keys import STORED_LENGTH, stored_key


class LookAlikeKeyField(models.CharField):  # type: ignore[type-arg]  # for type checkers only
    """The stored key of the name in the column `of`; saving a row sets it.

    `QuerySet.update` does not: it has to set both columns. The key is not unique, because names
    that look alike can be allowed.
    """

    def __init__(self, *, of: str, **attributes: Any) -> None:
        self.of = of
        fixed = {"max_length": STORED_LENGTH, "default": "", "blank": True, "editable": False}
        super().__init__(**(attributes | fixed))

    def deconstruct(self) -> Any:
        """Return how a migration creates the field."""
        name, path, args, attributes = super().deconstruct()
        for fixed in ("max_length", "default", "blank", "editable"):
            attributes.pop(fixed, None)
        return name, path, args, attributes | {"of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Set the key, and return it."""
        key = stored_key(getattr(model_instance, self.of))
        setattr(model_instance, self.attname, key)
        return key
