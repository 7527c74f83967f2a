"""What the API server itself makes of the ways in of escalations.yaml: refused in words, or never stored."""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from contract.conftest import Server
from contract.objects import ESCALATIONS, GOOD, Object, changed, load_test

pytestmark = pytest.mark.e2e

REFUSED = [number for number, row in enumerate(ESCALATIONS) if "server" in row]
PRUNED = [number for number, row in enumerate(ESCALATIONS) if "pruned" in row]


def titled(number: int) -> str:
    title: str = ESCALATIONS[number]["title"]
    return title


def attempts(numbers: list[int]) -> Object:
    tests = [load_test(changed(GOOD, ESCALATIONS[number]["change"]), f"way-{number}") for number in numbers]
    return {"apiVersion": "v1", "kind": "List", "items": tests}


@pytest.fixture(scope="module")
def said(server: Server) -> dict[str, str]:
    """To each attempt; one call for all of them."""
    text = server.run("create", "--dry-run=server", "--validate=ignore", "-f", "-", body=attempts(REFUSED))
    return dict(re.findall(r'"(way-\d+)" is invalid: (.*)', text))


@pytest.fixture(scope="module")
def told(server: Server) -> str:
    """What a strict client hears."""
    return server.run("create", "--dry-run=server", "--validate=strict", "-f", "-", body=attempts(PRUNED))


@pytest.fixture(scope="module")
def stored(server: Server) -> dict[str, Object]:
    """What would be stored for any other client."""
    text = server.run("create", "--dry-run=server", "--validate=ignore", "-o", "json", "-f", "-", body=attempts(PRUNED))
    return {item["metadata"]["name"]: item for item in one_after_the_other(text)}


def one_after_the_other(text: str) -> Iterator[Object]:
    """What kubectl makes of several objects."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        found, end = decoder.raw_decode(text)
        text = text[end:]
        yield found


@pytest.mark.parametrize("number", REFUSED, ids=titled)
def test_it_is_refused_in_words(said: dict[str, str], number: int) -> None:
    assert ESCALATIONS[number]["server"] in said.get(f"way-{number}", "it was taken")


@pytest.mark.parametrize("number", PRUNED, ids=titled)
def test_it_is_no_field(told: str, stored: dict[str, Object], number: int) -> None:
    path = ESCALATIONS[number]["pruned"]
    *parents, last = re.findall(r"\w+", path.removeprefix("spec."))
    # kubectl itself says it with the last name, where the server's schema is not known to it yet.
    assert f'unknown field "{path}"' in told or f'unknown field "{last}" in' in told
    place: Any = functools.reduce(
        lambda place, part: place[int(part) if part.isdigit() else part], parents, stored[f"way-{number}"]["spec"]
    )
    assert last not in place


def test_a_schedule_makes_load_tests_of_no_other_place_and_owner(server: Server) -> None:
    """Its template takes labels, annotations and a spec."""
    metadata = {"namespace": "kube-system", "name": "x", "ownerReferences": [{"uid": "y"}], "finalizers": ["z"]}
    schedule = {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTestSchedule",
        "metadata": {"name": "way-around"},
        "spec": {"schedule": "* * * * *", "loadTestTemplate": {"metadata": metadata, "spec": GOOD}},
    }
    strict = server.run("create", "--dry-run=server", "--validate=strict", "-f", "-", body=schedule)
    create = ("create", "--dry-run=server", "--validate=ignore", "-o", "json", "-f", "-")
    template = json.loads(server.run(*create, body=schedule))["spec"]["loadTestTemplate"]
    for field in metadata:
        assert "unknown field" in strict
        assert field in strict
        assert field not in template.get("metadata", {})


def test_there_are_forty_ways_and_more() -> None:
    """Each is a kind of its own, and has one end."""
    assert len(ESCALATIONS) >= 40
    assert len({row["title"] for row in ESCALATIONS}) == len(ESCALATIONS)
    assert all(len({"server", "pruned", "operator", "waits"} & set(row)) == 1 for row in ESCALATIONS)
