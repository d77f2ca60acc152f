"""What templates draw again and again: a look, an icon, a time, a link out, a banner, the frame of a table.

Small pieces are made here, which is many times faster than to include them; larger ones are in templates/parts.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drdash.web.help import help_of
from drdash.web.phrases import phrase
from drdash.web.said import said as said_text
from drdash.web.wording import STATE, Look, look_of, rel_words

register = template.Library()

# What a field that is wrong says of itself; a group says it at its fieldset, boxes each.
_INVALID = {
    "": 'aria-invalid="true"',
    "radios": 'role="radiogroup" tabindex="-1" aria-invalid="true"',
    "boxes": 'tabindex="-1"',
}
_OF_TONE = {"bad": "bad", "warn": "warn", "good": "good", "prod": "production", "news": "recovery"}


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
    return format_html(
        '<time datetime="{}" data-show="{}" title="{}">{}</time>', iso(at), style or "at", iso(at), words
    )


@register.simple_tag
def iso(at: datetime) -> str:
    """A moment as scripts read it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@register.simple_tag
def now_ms(at: datetime) -> int:
    """A moment as the milliseconds that a browser's clock counts."""
    return int(at.timestamp() * 1000)


@register.simple_block_tag
def bar(content: str, tone: str, icon_name: str = "", role: str | None = None) -> SafeString:
    """A banner. What is bad is an alert, all else a status, unless ``role`` says so; empty: read in its turn."""
    says = ("alert" if tone == "bad" else "status") if role is None else role
    return format_html(
        '<p class="bar {}"{}>{}<span>{}</span></p>',
        tone,
        format_html(' role="{}"', says) if says else "",
        icon(icon_name or _OF_TONE.get(tone, "note")),
        content,
    )


@register.simple_tag(takes_context=True)
def invalid(context: Context, field: str, of: str = "") -> SafeString | str:
    """That a field is wrong, by the words of ``wrong_with``, if the page's ``wrong`` names it; the first has the focus,
    but where ``drifts`` tell above what changed: that is read first. ``of``: the fieldset of ``radios`` or ``boxes``.
    """
    wrong = context.get("wrong") or {}
    if field not in wrong:
        return ""
    focus = " autofocus" if field == next(iter(wrong)) and not context.get("drifts") else ""
    return format_html(f' {_INVALID[of]} aria-describedby="wrong-{{}}"{focus}', field)


@register.simple_tag(takes_context=True)
def wrong_with(context: Context, field: str) -> SafeString | str:
    """What is wrong with a field, beside it."""
    words = (context.get("wrong") or {}).get(field)
    return format_html('<p class="wrong" id="wrong-{}">{}</p>', field, words) if words else ""


@register.simple_block_tag
def nothing(content: str) -> SafeString:
    """In place of a list: why it is empty, and what to do next."""
    return format_html('<p class="empty">{}</p>', content)


@register.simple_block_tag
def table(content: str, caption: str, of: str = "") -> SafeString:
    """The frame of a table, which scrolls by itself; on a phone its rows become cards. ``of``: what is listed."""
    return format_html(
        '<div class="scroll"><table{}><caption class="hidden">{}</caption>{}</table></div>',
        format_html(' class="{}"', of) if of else "",
        caption,
        content,
    )


@register.simple_tag
def head(*labels: str) -> SafeString:
    """The head of a table that cannot be sorted."""
    cells = format_html_join("", '<th scope="col">{}</th>', ((label,) for label in labels))
    return format_html("<thead><tr>{}</tr></thead>", cells)


@register.simple_tag
def badge(word: str, tone: str = "", title: str = "") -> SafeString:
    """A word in a frame of its own."""
    return format_html(
        '<span class="badge{}"{}>{}</span>',
        f" {tone}" if tone else "",
        format_html(' title="{}"', title) if title else "",
        word,
    )


@register.simple_block_tag
def tile(content: str, url: str, tone: str = "still") -> SafeString:
    """A place of its own that leads to a list: a count or a name, and what is said of it."""
    return format_html('<a class="tile {}" href="{}">{}</a>', tone, url, content)


@register.simple_tag
def state(value: str) -> SafeString:
    """The look of an action's state."""
    return look(look_of(STATE, value))


@register.simple_tag
def rel(value: str) -> str:
    """What a link leads to, in words."""
    return rel_words(value)


@register.inclusion_tag("parts/help.html")
def help_with(code: str, of: str, number: int) -> dict[str, Any]:
    """What an issue's code means and who can clear it, to be opened; ``of`` and ``number`` tell it from its like."""
    return {"help": help_of(code), "id": f"help-{of}-{number}"}


@register.filter
def said(text: str) -> str:
    """A sentence that was made or stored in English, in the reader's language."""
    return said_text(text)


@register.filter
def tone(level: str) -> str:
    """The tone of a message of Django's."""
    return {"error": "bad", "warning": "warn"}.get(level, "good")


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
        told = href or phrase("no address")
        return format_html("<span>{}</span>", phrase("%(action)s: %(what)s", action=text, what=told) if text else told)
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer">{}{}</a>', href, text or href, icon("out")
    )
