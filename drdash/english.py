"""Sentences made where nobody knows who will read them: in English, and marked for ``makemessages``.

What is stored, logged, audited or told by the JSON API stays as it is made here. A page says it in its reader's
language when it draws it (``web/said.py``).
"""


def english(sentence: str, /, **values: object) -> str:
    """The sentence itself, which is a msgid; its named placeholders, if it has any, filled in."""
    return sentence % values if values else sentence
