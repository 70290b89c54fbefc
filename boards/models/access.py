"""Accounts, sign-in links, failed sign-ins, API tokens, and requests that are answered once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models, transaction
from django.dispatch import Signal

from obeya.names import TOKEN_NAME_MAX
from obeya.tokens import SHOWN_LENGTH

account_created = Signal()
"""Sent with a new `user`, in the transaction that creates it. `boards.apps` lets it be logged."""


class UserManager(DjangoUserManager["User"]):
    """Logs the accounts that Django itself creates, as its command `createsuperuser` does."""

    use_in_migrations = False

    def create_user(self, *args: Any, **fields: Any) -> User:
        """Create an account without permissions, with its event."""
        with transaction.atomic(using=self.db):
            user: User = super().create_user(*args, **fields)
            account_created.send(type(user), user=user)
        return user

    def create_superuser(self, *args: Any, **fields: Any) -> User:
        """Create an account with every permission, with its event."""
        with transaction.atomic(using=self.db):
            user: User = super().create_superuser(*args, **fields)
            account_created.send(type(user), user=user)
        return user


class User(AbstractUser):
    """A person or a service. `uid` is the stable id that the audit log stores.

    A service account has no password and authenticates by token only.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    is_service = models.BooleanField("service account", default=False, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class OneTimeLink(models.Model):
    """A link that signs one account in, once. Only the SHA-256 of its token is stored."""

    LIFETIME: ClassVar = timedelta(days=1)

    user = models.ForeignKey(User, models.CASCADE, related_name="one_time_links")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = "sign-in link"

    def __str__(self) -> str:
        return f"Sign-in link for {self.user_id}"


class ApiToken(models.Model):
    """A token for programs. Only its SHA-256 and its beginning, to identify it, are stored.

    `scopes` and `model_globs` are those of `obeya.tokens.Grant`. The token is valid until
    `expires_at`, or until it is revoked. `last_used_at` is written at most once a minute.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=TOKEN_NAME_MAX)
    shown = models.CharField(max_length=SHOWN_LENGTH)
    token_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    model_globs = models.JSONField(default=list)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["user", "-created_at", "-id"], name="token_user")]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"


class TokenAddress(models.Model):
    """An address that a token was used from, as `boards.access.address_hashes` hashes it."""

    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="addresses")
    address = models.CharField(max_length=32)
    first_used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["token", "address"], name="token_address"),
        ]
        verbose_name_plural = "token addresses"

    def __str__(self) -> str:
        return f"{self.address} of token {self.token_id}"


class FailedSignIns(models.Model):
    """The failed sign-ins to one account, or from one address, within 15 minutes.

    `subject` is the `uid` of the account. For names that no account has it is the address, as
    `boards.access.address_hashes` hashes it, or ``others`` for everything beyond the limit of rows.
    """

    subject = models.CharField(max_length=36, unique=True)
    is_account = models.BooleanField()
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=1)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "failed sign-ins"

    def __str__(self) -> str:
        return f"{self.count} failed sign-ins since {self.started_at}"


class PasswordAttempts(models.Model):
    """Wrong passwords until `ends_at`: for an account, from an address, or for both together.

    `key` is a keyed hash. `known_until` belongs to an account and an address together: until then
    the address is one from which the account has signed in.
    """

    key = models.CharField(max_length=64, unique=True)
    failures = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField(db_index=True)
    known_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "password attempts"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.failures} until {self.ends_at}"


class IdempotentRequest(models.Model):
    """A POST with an Idempotency-Key, and the answer to it.

    `claim` changes each time a process begins to answer it. `status` and `answer` are written in
    the transaction of the changes, so that a request without a status changed nothing. `checks` is
    a JSON list of the permissions that the request needed; they are required again before the
    answer is repeated. `has_secret`: the answer contained a secret and was not stored.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    claim = models.UUIDField()
    claimed_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    answer = models.TextField(blank=True)
    checks = models.TextField(blank=True)
    has_secret = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key"),
        ]
        indexes: ClassVar = [models.Index(fields=["claimed_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key
