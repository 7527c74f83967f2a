"""The one kind of failure that a user is expected to meet: a sentence that says what is wrong and what to do."""


class Refusal(Exception):
    """Shown as one line without a traceback; anything else that escapes is a bug of this tool."""
