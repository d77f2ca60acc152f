"""Django's admin: people, memberships and tenants are kept here; what was done is only read. No secret is shown.

Every change made here is in the audit.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from rest_framework.authtoken.admin import TokenAdmin as TokenAdmin  # registered now, and taken out below
from rest_framework.authtoken.models import TokenProxy

from drdash.audit import record
from drdash.audit.models import Entry
from drdash.failover.models import Action, Approval
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.web import proving, tokens
from drdash.web.frame import user_of
from drdash.web.signing_in import ThrottledAdmin

if TYPE_CHECKING:
    Inline = admin.TabularInline[Any, Any]
    ModelAdmin = admin.ModelAdmin[Any]
    PeopleAdmin = UserAdmin[User]
else:  # generic for the type checker alone
    Inline, ModelAdmin, PeopleAdmin = admin.TabularInline, admin.ModelAdmin, UserAdmin

admin.site.login_form = ThrottledAdmin
admin.site.site_header = admin.site.site_title = "drdash administration"


class Memberships(Inline):
    """A person's or a tenant's memberships, beside them. One without a tenant is for all of them."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user", "tenant")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "tenant")


class Audited:
    """An admin whose changes are written into the audit, in the transaction that makes them. Its forms are for those
    who proved within minutes who they are: a session that was left open must not make a person who may do more.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        return _password_first(request) or super().changeform_view(request, *args, **more)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        return _password_first(request) or super().delete_view(request, *args, **more)  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        asked = _password_first(request) if request.method == "POST" else None
        return asked or super().changelist_view(request, *args, **more)  # type: ignore[misc]

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        _write(request, "added", obj)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        fields = [name for one in message if isinstance(one, dict) for name in one.get("changed", {}).get("fields", ())]
        _write(request, "changed", obj, f"Changed: {', '.join(fields)}." if fields else "")
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            _write(request, "deleted", obj)
        return super().log_deletions(request, queryset)  # type: ignore[misc]

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)  # type: ignore[misc]
        for membership in [*formset.new_objects, *(one for one, _ in formset.changed_objects)]:
            _write(request, "gave", membership)
        for membership in formset.deleted_objects:
            _write(request, "took", membership)
        changed = [*formset.deleted_objects, *(one for one, _ in formset.changed_objects)]
        for user in {one.user for one in changed if isinstance(one, Membership)}:
            tokens.drop_lapsed(user, by=user_of(request))


class PersonAdmin(Audited, PeopleAdmin):
    """People, with what they may do where."""

    inlines = (Memberships,)
    actions = ("revoke_tokens",)

    def user_change_password(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if asked := _password_first(request):
            return asked
        # The one form of Django's admin that it saves outside of a transaction.
        with record.writing():
            return super().user_change_password(request, *args, **more)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        if isinstance(obj, User) and "password" in str(message).lower() and tokens.held_by(obj):
            told = f"The API token of {obj.get_username()} goes on to work: revoke it in the list of people."
            self.message_user(request, told, messages.WARNING)
        return super().log_change(request, obj, message)

    @admin.action(description="Revoke their API tokens", permissions=["keep"])
    def revoke_tokens(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        revoked = sum(tokens.revoke(user, by=user_of(request)) for user in queryset)
        self.message_user(request, f"Revoked: {revoked} of {queryset.count()}.")

    def has_keep_permission(self, request: HttpRequest) -> bool:
        return user_of(request).is_superuser


class ReadOnly(ModelAdmin):
    """What is only looked at here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(Audited, ModelAdmin):
    """Tenants: renamed or switched off here; the pages for admins do the rest. What was taken off is not here."""

    list_display = ("name", "credential", "enabled", "paused", "armed", "two_persons")
    list_filter = ("enabled", "paused", "armed", "two_persons")
    list_select_related = ("credential",)
    search_fields = ("name", "uuid")
    fields = ("name", "uuid", "credential", "acting", "paused", "armed", "two_persons", "vanished_at", "enabled")
    readonly_fields = ("uuid", "credential", "acting", "paused", "armed", "two_persons", "vanished_at")
    inlines = (Memberships,)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Tenant]:
        return super().get_queryset(request).filter(removed_at=None)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its actions and its audit need its name


@admin.register(Credential)
class CredentialAdmin(ReadOnly):
    """Credentials, without their secrets."""

    list_display = fields = (
        "name",
        "cloud",
        "grant",
        "client_id",
        "username",
        "is_partner",
        "is_simulator",
        "scopes",
        "refused_what",
        "changed_at",
        "removed_at",
    )


@admin.register(Action)
class ActionAdmin(ReadOnly):
    """Actions, as recorded."""

    list_display = ("id", "kind", "server_name", "tenant", "user", "state", "requested_at")
    list_filter = ("state", "kind", "production")
    search_fields = ("server_name", "server_uuid", "task_uuid")
    list_select_related = ("tenant", "user")


@admin.register(Approval)
class ApprovalAdmin(ReadOnly):
    """What second admins were asked for, and said."""

    list_display = ("id", "kind", "server_name", "tenant", "asked_by", "state", "answered_by", "asked_at")
    list_filter = ("state", "kind")
    search_fields = ("server_name", "server_uuid")
    list_select_related = ("tenant", "asked_by", "answered_by")


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """The audit, as written."""

    list_display = ("at", "username", "verb", "tenant", "server_uuid")
    search_fields = ("username", "verb", "server_uuid")


def _password_first(request: HttpRequest) -> HttpResponse | None:
    """The way to the page that asks for it, for those who may be here but did not prove of late who they are."""
    if not user_of(request).is_staff or proving.proven(request):
        return None
    if request.method == "POST":
        messages.warning(request, "Nothing was changed: do it once more after this.")
    return redirect(f"{reverse('password-again')}?{urlencode({'next': request.get_full_path()})}")


def _write(request: HttpRequest, what: str, obj: models.Model, detail: str = "") -> None:
    tenant = obj.pk if isinstance(obj, Tenant) else obj.tenant_id if isinstance(obj, Membership) else None
    record.write(
        by=request.user if isinstance(request.user, User) else None,
        verb=f"{what} {obj._meta.verbose_name_raw}",
        at=timezone.now(),
        tenant=tenant,
        detail=f"{obj}. {detail}".strip(),
    )


admin.site.unregister(User)
# Tokens are secrets, made by a command; and rights are given by memberships alone.
admin.site.unregister(TokenProxy)
admin.site.unregister(Group)
admin.site.register(User, PersonAdmin)
