"""A new encryption key: put first, everything resealed with it, the old one dropped."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from drdash.cloud.oauth import Token
from drdash.tenants.accounts import shelf_of
from drdash.tenants.models import Credential, KeptToken
from drdash.tenants.rotation import Stuck, rotate
from drdash.tenants.secrets import Unopenable, unseal
from drdash.tenants.shelf import closed

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


def stored(name: str, settings: Settings, key: str = OLD) -> Credential:
    settings.ENCRYPTION_KEYS = [key]
    credential = Credential(name=name, cloud="https://cloud.example", client_id=name)
    credential.keep_secret(f"canary-secret-of-{name}")
    credential.save()
    return credential


def sealed() -> dict[str, str]:
    return dict(Credential.objects.values_list("name", "sealed_secret"))


@pytest.mark.django_db
def test_after_a_rotation_the_old_key_is_needed_no_more(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stored("first", settings), stored("second", settings)
    before = sealed()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert unseal(before["first"]) == "canary-secret-of-first"

    call_command("rotate_keys")

    said = capsys.readouterr()
    assert said.out == "Resealed with the first key: 2 secrets.\n"
    assert "canary" not in said.out + said.err
    settings.ENCRYPTION_KEYS = [NEW]
    for credential in (first, second):
        earlier = credential.changed_at
        credential.refresh_from_db()
        assert unseal(credential.sealed_secret) == f"canary-secret-of-{credential.name}"
        assert credential.changed_at == earlier
    settings.ENCRYPTION_KEYS = [OLD]
    for text in sealed().values():
        with pytest.raises(Unopenable):
            unseal(text)


@pytest.mark.django_db
def test_a_secret_that_no_key_opens_is_named_and_nothing_is_changed(settings: Settings) -> None:
    stored("first", settings)
    stored("lost", settings, key=LOST)
    stored("third", settings)
    stored("forged", settings)
    Credential.objects.filter(name="forged").update(sealed_secret="forged")
    before = sealed()
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    with pytest.raises(CommandError) as caught:
        call_command("rotate_keys")

    assert caught.value.returncode == 1
    assert '"lost" at https://cloud.example, "forged" at https://cloud.example' in str(caught.value)
    assert "first" not in str(caught.value)
    assert sealed() == before
    with pytest.raises(Stuck):
        rotate()


@pytest.mark.django_db
def test_a_password_is_resealed_like_a_secret_and_what_is_empty_stays_so(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    user = Credential(name="user", cloud="https://cloud.example", grant="password", username="ann")
    user.keep_password("canary-secret-password")
    user.save()
    both = stored("both", settings)
    both.keep_password("canary-secret-of-ann")
    both.save()
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate() == 3
    settings.ENCRYPTION_KEYS = [NEW]
    user.refresh_from_db()
    both.refresh_from_db()
    assert (user.sealed_secret, unseal(user.sealed_password)) == ("", "canary-secret-password")
    assert (unseal(both.sealed_secret), unseal(both.sealed_password)) == (
        "canary-secret-of-both",
        "canary-secret-of-ann",
    )
    settings.ENCRYPTION_KEYS = [OLD]
    with pytest.raises(Stuck):
        rotate()


@pytest.mark.django_db
def test_it_may_be_done_again(settings: Settings) -> None:
    assert rotate() == 0
    stored("first", settings)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate() == 1
    settings.ENCRYPTION_KEYS = [NEW]
    assert rotate() == 1


@pytest.mark.django_db
def test_without_a_key_it_says_which_setting_is_missing(settings: Settings) -> None:
    stored("first", settings)
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(CommandError, match="DRDASH_ENCRYPTION_KEYS is not set"):
        call_command("rotate_keys")


def with_a_token(credential: Credential, key: str, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [key]
    token = Token("canary-token-text", 1000.0, refresh="canary-token-refresh")
    KeptToken.objects.create(credential=credential, sealed=closed(token))


@pytest.mark.django_db
def test_assertions_and_tokens_are_resealed_too(settings: Settings) -> None:
    credential = stored("first", settings)
    credential.keep_assertion("canary-secret-assertion")
    credential.save()
    with_a_token(credential, OLD, settings)
    KeptToken.objects.create(credential=credential, tenant="claimed, and nothing kept yet")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate() == 3
    settings.ENCRYPTION_KEYS = [NEW]
    credential.refresh_from_db()
    assert unseal(credential.sealed_assertion) == "canary-secret-assertion"
    kept = shelf_of(credential).read("")
    assert kept is not None
    assert (kept.text, kept.refresh) == ("canary-token-text", "canary-token-refresh")


@pytest.mark.django_db
def test_a_token_that_no_key_opens_is_dropped_unless_a_person_signed_in_for_it(settings: Settings) -> None:
    credential = stored("first", settings)
    with_a_token(credential, LOST, settings)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate() == 1
    assert not KeptToken.objects.exists()
    Credential.objects.update(grant="authorization_code")
    with_a_token(credential, LOST, settings)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(Stuck, match="first"):
        rotate()
    assert KeptToken.objects.count() == 1
