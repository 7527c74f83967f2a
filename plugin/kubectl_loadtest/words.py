"""Small things that every sentence needs: texts of others made safe for a terminal, names, durations."""

import re

from kubectl_loadtest.problems import BadInputError

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could move the cursor, colour the screen or turn the text's direction."""
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def object_name(text: str, what: str) -> str:
    """A name of an object, with or without `loadtest/` before it; anything else would end up in another path of the API."""
    name = text.removeprefix("loadtests/").removeprefix("loadtest/")
    if not _NAME.fullmatch(name):
        raise BadInputError(f"{clean(text)!r} is no {what}: lower-case letters, digits, dashes and dots")
    return name


def clean(text: str) -> str:
    """A text that somebody else wrote, without what a terminal would act upon."""
    return _CONTROL.sub("\ufffd", text)


def seconds(text: str) -> float:
    """`90`, `90s`, `10m`, `1h30m` in seconds. Raises BadInputError for anything else, and for none at all."""
    found = _DURATION.fullmatch(text)
    parts = [int(part or 0) for part in found.groups()] if found else [0]
    total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not total:
        raise BadInputError(f"{clean(text)!r} is no duration: write one such as 90s, 10m or 1h30m")
    return float(total)


def duration(length: float) -> str:
    """`42 s`, `5 min 3 s`, `2 h 5 min`."""
    minutes, rest = divmod(round(length), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
