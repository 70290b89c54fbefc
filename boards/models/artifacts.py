"""Files: stored content, its uploaders, and the files of versions and runs.

Content is stored once under its SHA-256, as a blob; everything else refers to blobs.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from boards.models.catalog import ModelVersion
from boards.models.choices import choices
from obeya.artifacts.paths import PATH_MAX
from obeya.artifacts.records import Damage


class Blob(models.Model):
    """Stored content.

    The row is created after the content was placed, and removed in the transaction that removes
    the content.

    `findings` is the result of `obeya.artifacts.findings`, by the version `inspector` of the
    inspection; `findings_seal` shows that this installation wrote them (see
    `boards.queries.facts.files.file_findings`). `damage` is what was wrong with the content when it
    was read at `damaged_at`, until the content is stored again.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    findings = models.JSONField(default=dict)
    inspector = models.PositiveSmallIntegerField(default=0)
    findings_seal = models.CharField(max_length=64, blank=True, default="", editable=False)
    created_at = models.DateTimeField()
    # The time of the last upload: new content is attached to a version only after its upload.
    sent_at = models.DateTimeField()
    damage = models.CharField(max_length=8, choices=choices(Damage), blank=True, default="")
    damaged_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(sha256=""), name="blob_has_digest"),
        ]
        indexes: ClassVar = [models.Index(fields=["sent_at"], name="blob_sent")]

    def __str__(self) -> str:
        return self.sha256


class BlobUpload(models.Model):
    """An account's upload of a blob: an account can refer by digest only to content that it has.

    `models_digest` is that of the token's grant (`obeya.tokens.Grant`), "" if the token was not
    limited to some models: a limited token can refer only to what tokens with its limit uploaded.
    """

    blob = models.ForeignKey(Blob, models.CASCADE, related_name="uploads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    models_digest = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name = "blob upload"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["blob", "user", "models_digest"], name="blob_upload_by_limit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blob} by {self.user}"


class ArtifactFile(models.Model):
    """A file of a version's artifact."""

    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="files")
    path = models.CharField(max_length=PATH_MAX)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="artifact_files")

    class Meta:
        verbose_name = "artifact file"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "path"], name="artifact_path"),
        ]

    def __str__(self) -> str:
        return self.path


class RunFile(models.Model):
    """A file that an MLflow client stored, before a version was created from it.

    `user` stored it, with a token whose limit is `models_digest`: see `BlobUpload`.
    """

    path = models.CharField(max_length=PATH_MAX, unique=True)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="run_files")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    models_digest = models.CharField(max_length=64, blank=True, default="")
    stored_at = models.DateTimeField()

    class Meta:
        verbose_name = "run file"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.path
