"""What tests do without, in their own process and in those that they start."""

from typing import Any


def lighten(settings: Any) -> None:
    """Before Django is set up."""
    # Pages are rendered without collecting static files first, and people are made by the hundred.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Commits are not waited for until they are on the disk. No test cuts the power: whoever is killed has left them to
    # the kernel.
    options = settings.DATABASES["default"]["OPTIONS"]
    options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
