"""Sentences that are stored, logged, raised or told to programs: in English, and marked for ``makemessages``.

They are plain text, and outlive what made them; a page knows them again, and says them in its reader's language
(``web/said.py``). Words that only pages show are phrases (``web/phrases.py``).
"""


def english(sentence: str, /, **values: object) -> str:
    """The sentence itself, which is a msgid; its named placeholders, if it has any, filled in."""
    return sentence % values if values else sentence
