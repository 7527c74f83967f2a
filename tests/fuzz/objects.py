"""Objects that a user, a template or an attacker might write: good ones, changed in places, by a seeded generator."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from contract.objects import BAD, GOOD, changed

Object = dict[str, Any]
Place = tuple[Any, Any]
"""A container and the key or index in it."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**400, 0.5, 1e308, -0.0),
    *("", " ", "0", "1", "-1", "1e9", "0.1", "NaN", "∞", "9" * 32, "x" * 40, "x" * 41, "x" * 5000),
    *("a\r\nb", "a\0b", "\ud7ff", "ä", "日本", "\u202e", "{prompt}", "{{x}}", "${x}", "a/b", "a.b", "A", "-", ".", "*"),
    *("../..", "/", "//", "/a", "/%2e%2e/", "http://x", "https://[::1]:0/", "http://x:99999", "http://[::g]/"),
    *("0 3 * * *", "60 * * * *", "0 0 30 2 *", "*/0 * * * *", "@daily", "Europe/Berlin", "../etc/x"),
    *("(a+)+$", "[", "(?P<a", "(?:a{0,65535}){0,65535}", "\\", "500m", "1Ei", "Exists", "HTTPS", "P99"),
    *("[]", "{}", [], {}, [[]], [None], {"": ""}, {"name": None}, ["x"] * 200, {"a": {"b": {"c": {}}}}),
)
"""What stands where something else should."""


def places(thing: Any) -> Iterator[Place]:
    """Every member of an object, however deep."""
    for key in list(thing) if isinstance(thing, dict) else range(len(thing)):
        yield thing, key
        if isinstance(thing[key], (dict, list)):
            yield from places(thing[key])


def _replaced(place: Place, draw: random.Random, _all: list[Place]) -> None:
    place[0][place[1]] = copy.deepcopy(draw.choice(ODD))


def _removed(place: Place, _draw: random.Random, _all: list[Place]) -> None:
    del place[0][place[1]]


def _twice(place: Place, _draw: random.Random, _all: list[Place]) -> None:
    container, key = place
    if isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[f"{key}x"] = copy.deepcopy(container[key])


def _taken(place: Place, draw: random.Random, every: list[Place]) -> None:
    container, key = draw.choice(every)
    place[0][place[1]] = copy.deepcopy(container[key])


def _scaled(place: Place, draw: random.Random, _all: list[Place]) -> None:
    value = place[0][place[1]]
    if isinstance(value, int):
        place[0][place[1]] = draw.choice((value * 1000, -value, value + 1, value * 10**12))
    elif isinstance(value, str):
        at = draw.randrange(len(value) + 1)
        place[0][place[1]] = value[:at] + str(draw.choice(ODD))[:50] + value[at:]


CHANGES: tuple[Callable[[Place, random.Random, list[Place]], None], ...] = (
    _replaced, _replaced, _removed, _twice, _taken, _scaled, _scaled,
)  # fmt: skip


def a_spec(draw: random.Random) -> Object:
    """The good spec, perhaps with one of the known mistakes, and up to five changes anywhere."""
    spec = copy.deepcopy(GOOD)
    if draw.random() < 0.3:
        spec = copy.deepcopy(changed(GOOD, draw.choice(BAD)["change"]))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 5))):
        every = list(places(spec))
        if every:
            draw.choice(CHANGES)(draw.choice(every), draw, every)
    return spec


def a_schedule(draw: random.Random) -> Object:
    """A schedule's spec with such a spec in its template."""
    spec: Object = {
        "schedule": "*/5 * * * *",
        "timeZone": "Europe/Berlin",
        "startingDeadlineSeconds": 60,
        "concurrencyPolicy": "Forbid",
        "loadTestTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": a_spec(draw)},
    }
    for _ in range(draw.choice((0, 1, 1, 2))):
        every = [place for place in places(spec) if draw.random() < 0.5 or place[0] is spec]
        draw.choice(CHANGES)(draw.choice(every), draw, every)
    return spec
