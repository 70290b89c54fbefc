"""Models and versions: moved and hidden by actions, never edited; their tags and aliases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from boards import models
from boards.access.actors import Actor
from boards.admin.read_only import OfVersionAdmin, ReadOnlyAdmin, actor_of
from boards.registry.catalog.catalog import delete_model, delete_version
from boards.registry.transitions.transitions import transition_stage
from obeya import names
from obeya.errors import NotFound, RegistryError
from obeya.stages import Stage
from obeya.transitions.intent import TransitionIntent

# An action writes each version separately; more would take longer than a request can.
ACTION_MAX = 200

# It deletes rows without the write path.
admin.site.disable_action("delete_selected")


class ReasonForm(ActionForm):
    """A field for the reason beside the list of actions; the log contains the reason."""

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
                if version.deleted_at or version.model.deleted_at:
                    # Another model may have taken the name since, with a version of that number.
                    raise NotFound("The version was deleted.", what="version")
                made = transition_stage(
                    name=version.model.name,
                    version=version.number,
                    intent=TransitionIntent(
                        to_stage=stage,
                        expected_revision=version.revision,
                        reason=request.POST.get("reason", ""),
                    ),
                    actor=actor_of(request),
                    at=timezone.now(),
                )
            except RegistryError as error:
                model_admin.message_user(
                    request, f"Could not move {title}. {error}", messages.ERROR
                )
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

    list_display = (
        "title",
        "label",
        "stage",
        "imported_unchecked",
        "owner",
        "stage_entered_at",
        "deleted_at",
    )
    list_display_links = ("title",)
    list_filter = (
        "stage",
        "imported_unchecked",
        ("deleted_at", admin.EmptyFieldListFilter),
        "stage_entered_at",
    )
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
        """Ask for confirmation, then hide the versions; their events are kept."""
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
        """Ask for confirmation, then hide the models with their versions; their events are kept."""
        rows = _chosen(self, request, queryset)
        return _hide(self, request, [(row.pk, row.name, _hide_model(row)) for row in rows])


Hiding = Callable[[Actor], None]


def _hide_version(row: models.ModelVersion) -> Hiding:
    def hide(actor: Actor) -> None:
        if row.deleted_at is None:
            delete_version(name=row.model.name, version=row.number, actor=actor, at=timezone.now())

    return hide


def _hide_model(row: models.RegisteredModel) -> Hiding:
    def hide(actor: Actor) -> None:
        # Another model may have taken the name of one that was hidden before.
        if row.deleted_at is None:
            delete_model(name=row.name, actor=actor, at=timezone.now())

    return hide


def _hide(
    model_admin: ReadOnlyAdmin, request: HttpRequest, rows: Sequence[tuple[int, str, Hiding]]
) -> HttpResponse | None:
    """Return the page that asks for confirmation, or hide `rows` once it was given."""
    if "sure" not in request.POST:
        context = {
            **model_admin.admin_site.each_context(request),
            "title": "Confirm deletion",
            "opts": model_admin.opts,
            "rows": rows,
        }
        return TemplateResponse(request, "admin/hide_confirmation.html", context)
    for _, title, hide in rows:
        try:
            hide(actor_of(request))
        except RegistryError as error:
            model_admin.message_user(request, f"Could not delete {title}. {error}", messages.ERROR)
        else:
            model_admin.message_user(request, f"Deleted {title}.", messages.SUCCESS)
    return None


def _chosen(model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
    """Return the selected rows; none, with an error message, if there are too many."""
    rows = list(queryset[: ACTION_MAX + 1])
    if len(rows) > ACTION_MAX:
        model_admin.message_user(
            request,
            f"Select at most {ACTION_MAX} rows at a time. Nothing was changed.",
            messages.ERROR,
        )
        return []
    return rows


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
