"""The way in for whoever has no password yet."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from boards import registry
from boards.models import User
from boards.registry import SYSTEM
from boards.registry.accounts import ADMINISTRATOR
from obeya.errors import NotFound

FIRST_ACCOUNT = "admin"


def one_time_link_path(username: str | None = None) -> str | None:
    """The path of a new link that signs in once as `username`.

    `username` None is for the start of a site: the link is the first administrator's, who is made
    if there is nobody of that name, and None is returned once some account has a password.

    Raises:
        NotFound: there is no active account of that name.
    """
    now = timezone.now()
    if username is None:
        if registry.anybody_has_password():
            return None
        username = FIRST_ACCOUNT
        if not User.objects.filter(username=username).exists():
            registry.create_user(username=username, group=ADMINISTRATOR, actor=SYSTEM, at=now)
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"There is no active account named “{username}”.", what="user")
    token = registry.make_one_time_link(user=user, actor=SYSTEM, at=now)
    return reverse("boards:sign_in_once", args=[token])
