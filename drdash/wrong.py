"""What a person gave that cannot be taken as it is."""


class Wrong(Exception):
    """It was not done. The message says why, and what to do; ``fields``: which of what was given is wrong."""

    def __init__(self, message: str, *fields: str) -> None:
        super().__init__(message)
        self.fields = fields
