"""Django's admin: people, memberships and tenants are kept here; what was done is only read. No secret is shown."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from drdash.audit.models import Entry
from drdash.failover.models import Action
from drdash.tenants.models import Credential, Membership, Tenant

if TYPE_CHECKING:
    Inline = admin.TabularInline[Any, Any]
    ModelAdmin = admin.ModelAdmin[Any]
    PeopleAdmin = UserAdmin[User]
else:  # generic for the type checker alone
    Inline, ModelAdmin, PeopleAdmin = admin.TabularInline, admin.ModelAdmin, UserAdmin

admin.site.site_header = admin.site.site_title = "drdash administration"


class Memberships(Inline):
    """A person's or a tenant's memberships, beside them."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


class PersonAdmin(PeopleAdmin):
    """People, with what they may do where."""

    inlines = (Memberships,)


class ReadOnly(ModelAdmin):
    """What is only looked at here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):
    """Tenants: renamed or switched off here; `manage.py connect` makes them."""

    list_display = ("name", "credential", "enabled")
    list_filter = ("enabled",)
    search_fields = ("name", "uuid")
    fields = ("name", "uuid", "credential", "enabled")
    readonly_fields = ("uuid", "credential")
    inlines = (Memberships,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Credential)
class CredentialAdmin(ReadOnly):
    """Credentials, without their secrets."""

    list_display = fields = ("name", "cloud", "grant", "client_id", "username", "is_simulator", "changed_at")


@admin.register(Action)
class ActionAdmin(ReadOnly):
    """Actions, as recorded."""

    list_display = ("id", "kind", "server_name", "tenant", "user", "state", "requested_at")
    list_filter = ("state", "kind", "production")
    search_fields = ("server_name", "server_uuid", "task_uuid")
    list_select_related = ("tenant", "user")


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """The audit, as written."""

    list_display = ("at", "username", "verb", "tenant", "server_uuid")
    search_fields = ("username", "verb", "server_uuid")


admin.site.unregister(User)
admin.site.register(User, PersonAdmin)
