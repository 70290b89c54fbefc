"""The admin: a window on every table, and moves that go through the write path.

Nothing of the registry can be typed in here. What an administrator may do to models and versions
are actions, each of which calls `boards.registry` as any other page does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from boards import models, registry
from boards.permissions import Right, has_right
from boards.registry import Actor
from obeya import names
from obeya.errors import RegistryError
from obeya.records import Channel
from obeya.stages import Stage

# Each version of an action is a write of its own; more would outlast a request.
ACTION_MAX = 200

# It deletes rows without asking the write path.
admin.site.disable_action("delete_selected")


class ReadOnlyAdmin(admin.ModelAdmin):
    """A table that administrators can see and nobody can change here."""

    list_per_page = 50
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Only administrators."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only administrators."""
        return isinstance(request.user, models.User) and has_right(request.user, Right.ADMINISTER)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


class ReasonForm(ActionForm):
    """Asks why beside the list of actions; the reason goes into the log."""

    reason = forms.CharField(required=False, max_length=names.REASON_MAX, label="Reason")


Action = Callable[["ModelVersionAdmin", HttpRequest, QuerySet[models.ModelVersion]], None]


def _move_to(stage: Stage) -> Action:
    @admin.action(description=f"Move to {stage.label}")
    def move(
        model_admin: ModelVersionAdmin,
        request: HttpRequest,
        queryset: QuerySet[models.ModelVersion],
    ) -> None:
        for version in _chosen(model_admin, request, queryset.select_related("model")):
            title = f"{version.model.name} v{version.number}"
            try:
                made = registry.transition_stage(
                    name=version.model.name,
                    version=version.number,
                    to_stage=stage,
                    reason=request.POST.get("reason", ""),
                    actor=_actor(request),
                    at=timezone.now(),
                )
            except RegistryError as error:
                model_admin.message_user(request, f"Refused: {title}: {error}", messages.ERROR)
            else:
                came_from = made.from_stage.label if made.from_stage else "nowhere"
                model_admin.message_user(
                    request,
                    f"Moved {title} from {came_from} to {made.to_stage.label}.",
                    messages.SUCCESS,
                )

    move.__name__ = f"move_to_{stage.value}"
    return move


@admin.register(models.ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Versions: moved and hidden by actions, never edited."""

    list_display = ("title", "label", "stage", "owner", "stage_entered_at", "deleted_at")
    list_display_links = ("title",)
    list_filter = ("stage", ("deleted_at", admin.EmptyFieldListFilter), "stage_entered_at")
    list_select_related = ("model", "owner")
    search_fields = ("model__name", "label", "artifact_uri", "source_run")
    raw_id_fields = ("model", "owner")
    ordering = ("model__name", "-number")
    action_form = ReasonForm
    actions = (*(_move_to(stage) for stage in Stage), "hide")

    @admin.display(description="version", ordering="model__name")
    def title(self, version: models.ModelVersion) -> str:
        """``resnet50 v4``."""
        return f"{version.model.name} v{version.number}"

    @admin.action(description="Delete (hide)")
    def hide(
        self, request: HttpRequest, queryset: QuerySet[models.ModelVersion]
    ) -> HttpResponse | None:
        """Ask, then hide the versions; their events stay."""
        rows = _chosen(self, request, queryset.select_related("model"))
        return _hide(
            self,
            request,
            [(row.pk, f"{row.model.name} v{row.number}", _hide_version(row)) for row in rows],
        )


@admin.register(models.RegisteredModel)
class RegisteredModelAdmin(ReadOnlyAdmin):
    """Models: hidden by an action, never edited."""

    list_display = (
        "name",
        "owner",
        "last_number",
        "development_count",
        "staging_count",
        "production_count",
        "archived_count",
        "updated_at",
        "deleted_at",
    )
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), "workflow", "updated_at")
    list_select_related = ("owner",)
    search_fields = ("name", "uid", "owner__username")
    raw_id_fields = ("owner",)
    ordering = ("name", "pk")
    readonly_fields = ("uid", "champion", "chain_length", "chain_hash", "chain_occurred_at")
    actions = ("hide",)

    @admin.action(description="Delete (hide)")
    def hide(
        self, request: HttpRequest, queryset: QuerySet[models.RegisteredModel]
    ) -> HttpResponse | None:
        """Ask, then hide the models with their versions; their events stay."""
        rows = _chosen(self, request, queryset)
        return _hide(self, request, [(row.pk, row.name, _hide_model(row)) for row in rows])


Hiding = Callable[[Actor], None]


def _hide_version(row: models.ModelVersion) -> Hiding:
    def hide(actor: Actor) -> None:
        if row.deleted_at is None:
            registry.delete_version(
                name=row.model.name, version=row.number, actor=actor, at=timezone.now()
            )

    return hide


def _hide_model(row: models.RegisteredModel) -> Hiding:
    def hide(actor: Actor) -> None:
        # Another model may have taken the name of one that was hidden before.
        if row.deleted_at is None:
            registry.delete_model(name=row.name, actor=actor, at=timezone.now())

    return hide


def _hide(
    model_admin: ReadOnlyAdmin, request: HttpRequest, rows: Sequence[tuple[int, str, Hiding]]
) -> HttpResponse | None:
    """The page that asks whether to hide `rows`, or, once that was answered, the hiding."""
    if "sure" not in request.POST:
        context = {
            **model_admin.admin_site.each_context(request),
            "title": "Hide these?",
            "opts": model_admin.opts,
            "rows": rows,
        }
        return TemplateResponse(request, "admin/hide_confirmation.html", context)
    for _, title, hide in rows:
        try:
            hide(_actor(request))
        except RegistryError as error:
            model_admin.message_user(request, f"Refused: {title}: {error}", messages.ERROR)
        else:
            model_admin.message_user(request, f"Hid {title}.", messages.SUCCESS)
    return None


def _chosen(model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
    """The rows that were ticked; none, with a word about it, when they are too many."""
    rows = list(queryset[: ACTION_MAX + 1])
    if len(rows) > ACTION_MAX:
        model_admin.message_user(
            request, f"Choose at most {ACTION_MAX} at once. Nothing was changed.", messages.ERROR
        )
        return []
    return rows


def _actor(request: HttpRequest) -> Actor:
    if not isinstance(request.user, models.User):
        raise TypeError("the admin lets only accounts in")
    return Actor(request.user, Channel.PAGE)


class EventAdmin(ReadOnlyAdmin):
    """Events of the log."""

    list_display = (
        "occurred_at",
        "actor",
        "channel",
        "action",
        "model",
        "number",
        "from_stage",
        "to_stage",
        "sequence",
        "short_hash",
    )
    list_filter = ("action", "channel", "to_stage", "occurred_at")
    list_select_related = ("model", "version", "actor")
    search_fields = ("=hash", "model__name", "actor__username", "=operation")
    ordering = ("-occurred_at", "-pk")
    fields = (
        "model",
        "version",
        "sequence",
        "occurred_at",
        "recorded_at",
        "actor",
        "channel",
        "action",
        "from_stage",
        "to_stage",
        "operation",
        "reason",
        "canonical_text",
        "previous_hash",
        "hash",
    )
    readonly_fields = ("reason",)

    @admin.display(description="version")
    def number(self, event: models.AuditEvent) -> str:
        """``v4``, or nothing."""
        return f"v{event.version.number}" if event.version else "-"

    @admin.display(description="hash")
    def short_hash(self, event: models.AuditEvent) -> str:
        """The start of the hash."""
        return event.hash[:12]

    @admin.display(description="texts")
    def reason(self, event: models.AuditEvent) -> str:
        """The free texts of the event by their role."""
        return "\n".join(f"{text.role}: {text.text}" for text in event.texts.all()) or "-"


admin.site.register(models.AuditEvent, EventAdmin)
admin.site.register(models.StageTransition, EventAdmin)


@admin.register(models.AuditText)
class AuditTextAdmin(ReadOnlyAdmin):
    """Free texts of events."""

    list_display = ("event_id", "role", "start")
    list_filter = ("role",)
    search_fields = ("text",)
    ordering = ("-pk",)

    @admin.display(description="text")
    def start(self, text: models.AuditText) -> str:
        """The first words."""
        return text.text[:120]


@admin.register(models.SiteChain)
class SiteChainAdmin(ReadOnlyAdmin):
    """The head of the site's chain."""

    list_display = ("uid", "chain_length", "chain_hash", "chain_occurred_at")
    readonly_fields = ("uid", "chain_length", "chain_hash", "chain_occurred_at")


@admin.register(models.VerificationRun)
class VerificationRunAdmin(ReadOnlyAdmin):
    """Verifications of the log."""

    list_display = ("made_at", "made_by", "channel", "is_full", "events", "left", "broken_count")
    list_filter = ("is_full", "channel", "made_at")
    list_select_related = ("made_by",)
    ordering = ("-pk",)


@admin.register(models.VerifiedChain)
class VerifiedChainAdmin(ReadOnlyAdmin):
    """How far each chain was verified."""

    list_display = ("chain", "length", "hash", "problem", "verified_at")
    search_fields = ("=chain",)
    ordering = ("-verified_at", "-pk")


class DocumentAdmin(ReadOnlyAdmin):
    """A table with JSON columns, which are shown indented."""

    documents: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def indented(document: object) -> SafeString:
        """JSON for people."""
        return format_html("<pre>{}</pre>", json.dumps(document, ensure_ascii=False, indent=2))


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
        """What it asks for, as JSON."""
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
        "verdict_text",
        "refusals_text",
        "evidence_text",
        "made_at",
        "made_by",
    )
    readonly_fields = ("uid", "title", "verdict_text", "refusals_text", "evidence_text")

    @admin.display(description="version")
    def title(self, check: models.PolicyCheck) -> str:
        """``resnet50 v4``."""
        return f"{check.version.model.name} v{check.version.number}"

    @admin.display(description="verdict")
    def verdict_text(self, check: models.PolicyCheck) -> SafeString:
        """The verdict as JSON."""
        return self.indented(check.verdict)

    @admin.display(description="refusals")
    def refusals_text(self, check: models.PolicyCheck) -> SafeString:
        """The refusals as JSON."""
        return self.indented(check.refusals)

    @admin.display(description="evidence")
    def evidence_text(self, check: models.PolicyCheck) -> SafeString:
        """The frozen evidence as JSON."""
        return self.indented(check.evidence)


class OfVersionAdmin(ReadOnlyAdmin):
    """A table whose rows belong to a version, or to a model."""

    list_select_related = ("version__model",)
    search_fields: ClassVar[tuple[str, ...]] = ("version__model__name", "key")
    raw_id_fields = ("version",)
    ordering = ("-pk",)

    @admin.display(description="version")
    def title(self, row: Any) -> str:
        """``resnet50 v4``."""
        return f"{row.version.model.name} v{row.version.number}"


@admin.register(models.Metric)
class MetricAdmin(OfVersionAdmin):
    """Metrics of versions."""

    list_display = ("title", "name", "value", "samples", "standard_error", "dataset", "logged_at")
    list_display_links = ("title", "name")
    search_fields = ("version__model__name", "=name", "dataset")


@admin.register(models.VersionTag)
class VersionTagAdmin(OfVersionAdmin):
    """Tags of versions."""

    list_display = ("title", "key", "value")


@admin.register(models.Alias)
class AliasAdmin(OfVersionAdmin):
    """Aliases."""

    list_display = ("title", "name")
    search_fields = ("version__model__name", "name")


@admin.register(models.ModelTag)
class ModelTagAdmin(ReadOnlyAdmin):
    """Tags of models."""

    list_display = ("model", "key", "value")
    list_select_related = ("model",)
    search_fields = ("model__name", "key")
    ordering = ("-pk",)


@admin.register(models.MetricDefinition)
class MetricDefinitionAdmin(ReadOnlyAdmin):
    """What metrics mean."""

    list_display = ("name", "title", "direction", "unit", "scale", "updated_at")
    list_filter = ("direction", "scale")
    search_fields = ("name", "title")
    ordering = ("name",)


@admin.register(models.User)
class UserAdmin(DjangoUserAdmin):
    """Accounts. They are never deleted, as the log names them; they are made inactive."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Registry", {"fields": ("uid",)}),
    )
    readonly_fields = ("uid", "last_login", "date_joined")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.User | None = None
    ) -> tuple[str, ...]:
        """Only a superuser gives rights to accounts or makes another superuser."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if _is_superuser(request):
            return fields
        return (*fields, "is_superuser", "is_staff", "groups", "user_permissions")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Log what was made or changed, in the admin's own transaction."""
        super().save_related(request, form, formsets, change)
        if isinstance(request.user, models.User) and (form.changed_data or not change):
            registry.record_user_change(
                user=form.instance,
                made=not change,
                fields=tuple(form.changed_data),
                actor=Actor(request.user, Channel.PAGE),
                at=timezone.now(),
            )

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody but a superuser changes a superuser, whose password would be a way around."""
        if isinstance(obj, models.User) and obj.is_superuser and not _is_superuser(request):
            return False
        return bool(super().has_change_permission(request, obj))


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, models.User) and request.user.is_superuser
