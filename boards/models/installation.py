"""The installation itself."""

from __future__ import annotations

import secrets

from django.db import models

INSTANCE_BYTES = 4


def new_instance() -> str:
    """Return a random id of 8 characters."""
    return secrets.token_hex(INSTANCE_BYTES)


class Installation(models.Model):
    """What distinguishes this installation from others. There is at most one row.

    `instance` ends the names of the cookies, so that installations under one host name, which share
    its cookies, do not overwrite each other's.
    """

    instance = models.CharField(max_length=16, default=new_instance)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.instance
