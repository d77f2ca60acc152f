"""The forms that take a credential. What is secret in them is never given back to a browser."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext, gettext_lazy

from drdash.web.ways import PARTNER, Way

SECRET = ("client_secret", "password", "assertion")


def _line(label: Any, help_text: Any = "", *, longest: int = 200, **attributes: str) -> forms.CharField:
    plain = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    widget = forms.TextInput(attrs=plain | attributes)
    return forms.CharField(label=label, help_text=help_text, max_length=longest, widget=widget)


def _secret(label: Any, help_text: Any = "", *, longest: int = 1000) -> forms.CharField:
    # Never stripped: a space may be part of it.
    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return forms.CharField(label=label, help_text=help_text, max_length=longest, widget=widget, strip=False)


class CredentialForm(forms.Form):
    """What a way asks for, and nothing else."""

    client_id = _line(gettext_lazy("Client id"))
    client_secret = _secret(
        gettext_lazy("Client secret"),
        gettext_lazy("Shown once, when the client is made. It is sealed here, and never shown."),
    )
    username = _line(gettext_lazy("User's name at the cloud"))
    password = _secret(gettext_lazy("The user's password"), gettext_lazy("Sealed here, and never shown."))
    assertion = _secret(
        gettext_lazy("The assertion"),
        gettext_lazy("One long line with two dots in it. Sealed here, and never shown."),
        longest=20_000,
    )

    def __init__(self, data: Any = None, *, way: Way, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        for name in ("client_id", "client_secret", "username", "password", "assertion"):
            if name not in way.asks + way.may_ask:
                del self.fields[name]
            elif name in way.may_ask:
                self.fields[name].required = False
                words = gettext("%(label)s (where the cloud wants one)")
                self.fields[name].label = words % {"label": self.fields[name].label}

    def given(self) -> dict[str, Any]:
        """What was typed, the secrets too."""
        return {name: value for name, value in self.cleaned_data.items() if value not in {"", None}}

    @staticmethod
    def without_secrets(given: dict[str, Any]) -> dict[str, Any]:
        """The same without what is secret, to fill the form with when it is shown again."""
        return {name: value for name, value in given.items() if name not in SECRET}


class ConnectForm(CredentialForm):
    """A cloud to connect: where it is, what to call it, and who may see it."""

    name = _line(gettext_lazy("Name"), gettext_lazy("What to call the customer on the pages."))
    cloud = _line(
        gettext_lazy("The cloud's address"),
        gettext_lazy("Its root, as in the browser: https://eu2-cloud.example.com"),
        longest=500,
    )
    tenant_uuid = _line(
        gettext_lazy("The tenant's id (where the cloud does not tell)"), gettext_lazy("A UUID."), longest=100
    )
    admin = forms.ModelChoiceField(
        User.objects.none(),
        label=gettext_lazy("Who becomes its admin"),
        required=False,
        empty_label=gettext_lazy("Every superuser"),
        to_field_name="username",
    )
    watch_only = forms.BooleanField(
        label=gettext_lazy("Watch only"),
        help_text=gettext_lazy("Nothing can be started or stopped until an admin arms it."),
        required=False,
    )

    def __init__(self, data: Any = None, *, way: Way, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, way=way, initial=initial)
        self.fields["tenant_uuid"].required = False
        if way is PARTNER:  # its customers are chosen in a second step
            self.fields["name"].help_text = gettext(
                "What to call the partner on the pages; its customers have names of their own."
            )
            for name in ("tenant_uuid", "admin", "watch_only"):
                del self.fields[name]
        self.fields["cloud"].widget.attrs |= {"inputmode": "url", "placeholder": "https://"}
        if isinstance(admins := self.fields.get("admin"), forms.ModelChoiceField):
            admins.queryset = User.objects.filter(is_active=True).order_by("username")
        self.order_fields(["cloud", "client_id", "client_secret", "username", "password", "assertion", "name"])

    def given(self) -> dict[str, Any]:
        admin = self.cleaned_data.get("admin")
        return super().given() | {"admin": admin.get_username() if admin else None}
