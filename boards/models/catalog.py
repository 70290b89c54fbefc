"""Registered models and their versions, tags and aliases."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from boards.models.audit import ChainHead
from boards.models.choices import STAGES
from boards.models.look_alike_key import LookAlikeKeyField
from obeya import names
from obeya.stages import WORKFLOWS, Stage


class RegisteredModel(ChainHead):
    """A model. Every write to the model or its versions locks its row.

    The counts are of the versions not deleted, by stage. `champion` is the version that entered
    Production last, while it is there. An empty `workflow` means the default workflow.
    """

    name = models.CharField(max_length=names.MODEL_NAME_MAX)
    look_alike_key = LookAlikeKeyField(of="name")
    second_look_alike_key = LookAlikeKeyField(of="name", place=1)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="owned_models"
    )
    workflow = models.CharField(
        max_length=16, blank=True, choices=[(w.name, w.title) for w in WORKFLOWS.values()]
    )
    headline_metrics = models.JSONField(default=list, blank=True)
    last_number = models.PositiveIntegerField(default=0, editable=False)
    development_count = models.PositiveIntegerField(default=0, editable=False)
    staging_count = models.PositiveIntegerField(default=0, editable=False)
    production_count = models.PositiveIntegerField(default=0, editable=False)
    archived_count = models.PositiveIntegerField(default=0, editable=False)
    champion = models.ForeignKey(
        "boards.ModelVersion", models.PROTECT, null=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "registered model"
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("view_registry", "Can see the board, the models and the log"),
            ("register", "Can register models and versions and log metrics"),
            ("transition", "Can move versions between stages other than Production"),
            ("promote", "Can move versions into and out of Production"),
            ("approve", "Can approve transition requests"),
            ("waive", "Can waive policy requirements"),
            ("edit_policy", "Can edit promotion policies and metric definitions"),
            ("administer", "Can delete, rename and configure models"),
            ("import_versions", "Can import versions with their stages, without a check"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(deleted_at__isnull=True), name="model_name"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="model_has_name"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["-updated_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="model_updated",
            ),
            models.Index(
                fields=["look_alike_key"],
                condition=Q(deleted_at__isnull=True),
                name="model_look_alike",
            ),
            models.Index(
                fields=["second_look_alike_key"],
                condition=~Q(second_look_alike_key="") & Q(deleted_at__isnull=True),
                name="model_second_look_alike",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def count_in(self, stage: Stage) -> int:
        """Return the number of versions of the model in `stage`."""
        return int(getattr(self, f"{stage.value}_count"))


class ModelVersion(models.Model):
    """One version. `stage` is a cache of its last event; only `boards.registry` writes it.

    `revision` grows by one with each change of the version, its metrics, tags and texts.
    """

    model = models.ForeignKey(RegisteredModel, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=names.LABEL_MAX, blank=True)
    look_alike_key = LookAlikeKeyField(of="label")
    second_look_alike_key = LookAlikeKeyField(of="label", place=1)
    stage = models.CharField(max_length=16, choices=STAGES, default=Stage.DEVELOPMENT.value)
    revision = models.PositiveIntegerField(default=1)
    description = models.TextField(blank=True)
    artifact_uri = models.CharField(max_length=names.URI_MAX, blank=True)
    artifact_digest = models.CharField(max_length=names.ARTIFACT_DIGEST_MAX, blank=True)
    # Null if no files of it are stored here.
    artifact_size = models.PositiveBigIntegerField(null=True, editable=False)
    artifact_warnings = models.JSONField(default=list, blank=True, editable=False)
    # Sentences about code that runs when the files are loaded.
    artifact_code = models.JSONField(default=list, blank=True, editable=False)
    # The oldest version of the inspection that read one of the files; 0 is older than any.
    artifact_inspector = models.PositiveSmallIntegerField(default=0, editable=False)
    source_run = models.CharField(max_length=250, blank=True)
    # An import placed it in its stage, and no policy was checked: see `obeya.imports`.
    imported_unchecked = models.BooleanField("imported, not checked", default=False, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="owned_versions"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    stage_entered_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "model version"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "number"], name="version_number"),
            models.UniqueConstraint(
                fields=["model", "label"],
                condition=~Q(label="") & Q(deleted_at__isnull=True),
                name="version_label",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=[stage.value for stage in Stage]), name="version_stage"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1, revision__gte=1), name="version_positive"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["stage", "-stage_entered_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="version_column",
            ),
            models.Index(
                fields=["model", "stage", "-stage_entered_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="version_model_column",
            ),
            models.Index(
                fields=["owner", "stage", "-stage_entered_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="version_owner_column",
            ),
            models.Index(
                fields=["model", "stage", "-number"],
                condition=Q(deleted_at__isnull=True),
                name="version_latest",
            ),
            models.Index(
                fields=["model", "look_alike_key"],
                condition=~Q(look_alike_key="") & Q(deleted_at__isnull=True),
                name="version_look_alike",
            ),
            models.Index(
                fields=["model", "second_look_alike_key"],
                condition=~Q(second_look_alike_key="") & Q(deleted_at__isnull=True),
                name="version_second_look_alike",
            ),
            models.Index(
                fields=["-updated_at", "-id"],
                condition=Q(deleted_at__isnull=True),
                name="version_updated",
            ),
            models.Index(
                fields=["source_run"],
                condition=Q(deleted_at__isnull=True),
                name="version_run",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"


class ModelTag(models.Model):
    """A tag of a model."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="tags")
    key = models.CharField(max_length=names.TAG_KEY_MAX)
    value = models.TextField(blank=True)

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "key"], name="model_tag_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"


class VersionTag(models.Model):
    """A tag of a version."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="tags")
    key = models.CharField(max_length=names.TAG_KEY_MAX)
    value = models.TextField(blank=True)

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "key"], name="version_tag_key"),
        ]
        indexes: ClassVar = [models.Index(fields=["key", "version"], name="version_tag_lookup")]

    def __str__(self) -> str:
        return f"{self.key}={self.value[:40]}"


class Alias(models.Model):
    """An alias of one version of a model."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="aliases")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=names.ALIAS_MAX)

    class Meta:
        verbose_name_plural = "aliases"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "name"], name="alias_name"),
        ]

    def __str__(self) -> str:
        return self.name
