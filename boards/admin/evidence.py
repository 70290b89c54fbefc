"""Metrics, policies and stored checks."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from boards import models
from boards.admin.read_only import DocumentAdmin, OfVersionAdmin, ReadOnlyAdmin


@admin.register(models.Metric)
class MetricAdmin(OfVersionAdmin):
    """Metrics of versions."""

    list_display = ("title", "name", "value", "samples", "standard_error", "dataset", "logged_at")
    list_display_links = ("title", "name")
    search_fields = ("version__model__name", "=name", "dataset")


@admin.register(models.MetricDefinition)
class MetricDefinitionAdmin(ReadOnlyAdmin):
    """Definitions of metrics."""

    list_display = ("name", "title", "direction", "unit", "scale", "updated_at")
    list_filter = ("direction", "scale")
    search_fields = ("name", "title")
    ordering = ("name",)


@admin.register(models.PolicyRevision)
class PolicyRevisionAdmin(DocumentAdmin):
    """Revisions of policies."""

    list_display = ("stage", "model", "number", "created_by", "created_at", "superseded_at")
    list_filter = ("stage", ("superseded_at", admin.EmptyFieldListFilter))
    list_select_related = ("model", "created_by")
    search_fields = ("model__name", "created_by__username")
    ordering = ("-created_at", "-pk")
    fields = ("stage", "model", "number", "policy", "created_by", "created_at", "superseded_at")
    readonly_fields = ("policy",)

    @admin.display(description="policy")
    def policy(self, revision: models.PolicyRevision) -> SafeString:
        """The policy as JSON."""
        return self.indented(revision.document)


@admin.register(models.PolicyCheck)
class PolicyCheckAdmin(DocumentAdmin):
    """Stored checks."""

    list_display = ("uid", "title", "from_stage", "to_stage", "passed", "allowed", "made_at")
    list_filter = ("passed", "allowed", "to_stage", "made_at")
    list_select_related = ("version__model",)
    search_fields = ("=uid", "version__model__name")
    ordering = ("-made_at", "-pk")
    fields = (
        "uid",
        "title",
        "policy_revision",
        "from_stage",
        "to_stage",
        "passed",
        "allowed",
        "policy_result_text",
        "refusals_text",
        "evidence_text",
        "made_at",
        "made_by",
    )
    readonly_fields = ("uid", "title", "policy_result_text", "refusals_text", "evidence_text")

    @admin.display(description="version")
    def title(self, check: models.PolicyCheck) -> str:
        """``resnet50 v4``."""
        return f"{check.version.model.name} v{check.version.number}"

    @admin.display(description="policy result")
    def policy_result_text(self, check: models.PolicyCheck) -> SafeString:
        """The policy result as JSON."""
        return self.indented(check.verdict)

    @admin.display(description="refusals")
    def refusals_text(self, check: models.PolicyCheck) -> SafeString:
        """The refusals as JSON."""
        return self.indented(check.refusals)

    @admin.display(description="evidence")
    def evidence_text(self, check: models.PolicyCheck) -> SafeString:
        """The frozen evidence as JSON."""
        return self.indented(check.evidence)
