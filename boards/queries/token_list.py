"""The API tokens of an account."""

from __future__ import annotations

from django.db.models import QuerySet

from boards import models


def tokens_of(user: models.User | None) -> QuerySet[models.ApiToken]:
    """The tokens of an account, or (None) of all, the newest first."""
    found = models.ApiToken.objects.select_related("user").order_by("-created_at", "-pk")
    return found if user is None else found.filter(user=user)
