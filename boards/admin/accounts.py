"""Accounts and groups."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from boards import models
from boards.admin.read_only import ReadOnlyAdmin, actor_of
from boards.queries.facts.accounts.account_permissions import (
    AccountPermissions,
    account_permissions,
)
from boards.registry.accounts.users import is_reserved, record_user_change
from boards.registry.commit import lock_site
from obeya.errors import RegistryError
from obeya.look_alikes.new_names import NameKind, NewNames

# The password fields in the form of a new account.
_PASSWORD_FIELDS = {"usable_password", "password1", "password2"}

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ReadOnlyAdmin):
    """Groups. Their permissions are fixed in the code; members are changed on accounts."""

    list_display = ("name", "permission_names")
    fields = ("name", "permission_names")
    search_fields = ("name",)
    ordering = ("name",)

    @admin.display(description="permissions")
    def permission_names(self, group: Group) -> str:
        """The codenames of the registry's permissions."""
        held = group.permissions.filter(content_type__app_label="boards")
        return ", ".join(held.order_by("codename").values_list("codename", flat=True))


class NewAccountForm(AdminUserCreationForm):
    """A new account, with a name that is not reserved."""

    def clean_username(self) -> str:
        """Refuse the reserved name of the registry itself."""
        username = super().clean_username()
        # Django returns None for a name that is taken, which it has reported already.
        return _free(username, None) if username else username


class AccountForm(UserChangeForm):
    """An account whose name can be changed."""

    def clean_username(self) -> str:
        """Refuse the reserved name of the registry itself."""
        username: str = self.cleaned_data["username"]
        return _free(username, self.instance) if "username" in self.changed_data else username


def _free(username: str, account: models.User | None) -> str:
    """Return a new name of an account, which is not reserved and looks like no other name."""
    if is_reserved(username):
        raise ValidationError(f"The name “{username}” is reserved for the registry itself.")
    others = models.User.objects.exclude(pk=account.pk) if account else models.User.objects.all()
    try:
        NewNames(NameKind.ACCOUNT, others.values_list("username", flat=True)).check(username)
    except RegistryError as error:
        raise ValidationError(str(error)) from None
    return username


@admin.register(models.User)
class UserAdmin(DjangoUserAdmin):
    """Accounts. They are never deleted, because the log refers to them; they are deactivated."""

    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Registry", {"fields": ("uid",)}),
    )
    form = AccountForm
    add_form = NewAccountForm
    readonly_fields = ("uid", "last_login", "date_joined")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return False for everyone."""
        return False

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.User | None = None
    ) -> tuple[str, ...]:
        """Let only superusers give permissions to accounts or create other superusers."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if _is_superuser(request):
            return fields
        return (*fields, "is_superuser", "is_staff", "groups", "user_permissions")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Check and save one account at a time.

        Two concurrent forms with the same name would both pass the form's check, and the database
        would refuse the second one.
        """
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        with transaction.atomic():
            lock_site()
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Log what was created or changed, in the admin's own transaction."""
        before = account_permissions(form.instance) if change else AccountPermissions()
        super().save_related(request, form, formsets, change)
        if form.changed_data or not change:
            fields = {"password" if f in _PASSWORD_FIELDS else f for f in form.changed_data}
            record_user_change(
                user=form.instance,
                made=not change,
                fields=tuple(fields),
                before=before,
                actor=actor_of(request),
                at=timezone.now(),
            )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's name
        """Log that the password was changed or removed, in one transaction with the change.

        Django saves it inside its view; the hash, which is never the same twice, shows whether it
        did.
        """
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        with transaction.atomic():
            account = self.get_object(request, id)
            before = account.password if account else None
            answer = super().user_change_password(request, id, form_url)
            if account is None:
                return answer
            account.refresh_from_db(fields=["password"])
            if account.password != before:
                record_user_change(
                    user=account,
                    made=False,
                    fields=("password",),
                    before=account_permissions(account),
                    actor=actor_of(request),
                    at=timezone.now(),
                )
            return answer

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let only superusers change superusers; otherwise their password could be taken over."""
        if isinstance(obj, models.User) and obj.is_superuser and not _is_superuser(request):
            return False
        return bool(super().has_change_permission(request, obj))


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, models.User) and request.user.is_superuser
