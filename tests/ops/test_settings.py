"""The settings refuse nonsense at start, in a sentence that names the variable and says what to do."""


def test_the_settings_load(redis_url: str) -> None:
    from django.conf import settings

    assert redis_url == settings.REDIS_URL
