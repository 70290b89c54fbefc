"""Who there is."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person or a service. `uid` is the stable id that the audit log holds."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class OneTimeLink(models.Model):
    """A link that signs one account in, once. Only the SHA-256 of its token is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="one_time_links")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"One-time link for {self.user_id}"
