"""What templates draw again and again: a look, an icon, a time, a link out."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from drdash.web.help import help_of
from drdash.web.wording import STATE, Look, look_of, rel_words

register = template.Library()


@cache
def _sprite(name: str) -> str:
    return f"{static('drdash/icons.svg')}#{name}"


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite; decoration only, the word stands beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', _sprite(name))


@register.simple_tag
def look(shown: Look, extra: str = "") -> SafeString:
    """A status: icon, word and tone. ``extra`` goes behind the word."""
    return format_html(
        '<span class="look {}">{}<span class="word">{}{}</span></span>', shown.tone, icon(shown.icon), shown.word, extra
    )


@register.simple_tag
def when(at: datetime | None, style: str = "") -> SafeString | str:
    """A moment; in the browser it becomes the viewer's own time, or with ``age`` the time since, or ``until``."""
    if at is None:
        return ""
    words = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" data-show="{}">{}</time>', iso(at), style or "at", words)


@register.simple_tag
def iso(at: datetime) -> str:
    """A moment as scripts read it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@register.simple_tag
def now_ms(at: datetime) -> int:
    """A moment as the milliseconds that a browser's clock counts."""
    return int(at.timestamp() * 1000)


@register.simple_tag
def state(value: str) -> SafeString:
    """The look of an action's state."""
    return look(look_of(STATE, value))


@register.simple_tag
def rel(value: str) -> str:
    """What a link leads to, in words."""
    return rel_words(value)


@register.inclusion_tag("_help.html")
def help_with(code: str, of: str, number: int) -> dict[str, Any]:
    """What an issue's code means and who can clear it, to be opened; ``of`` and ``number`` tell it from its like."""
    return {"help": help_of(code), "id": f"help-{of}-{number}"}


@register.filter
def outward(href: str) -> str:
    """The address if it may be linked to: absolute http or https. Otherwise empty."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    return href if parts.scheme in {"http", "https"} and parts.netloc else ""


@register.simple_tag
def link_out(href: str, text: str = "") -> SafeString:
    """A link to another place in a tab of its own; what is no web address stays text."""
    if not outward(href):
        return format_html("<span>{}{}</span>", f"{text}: " if text else "", href or "no address")
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer">{}{}</a>', href, text or href, icon("out")
    )
