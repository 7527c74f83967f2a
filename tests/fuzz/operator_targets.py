"""What the operator reads: LoadTests, schedules, and statuses of other releases; each is taken or refused in words."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from contract.conftest import Server
from contract.objects import load_test
from fuzz.cases import Target
from fuzz.objects import ODD, Object, a_schedule, a_spec, places
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.schedule import LoadTestScheduleStatus
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.core.run.decide import decide
from loadtest_operator.core.run.giving_up import given_up
from loadtest_operator.core.schedule.starts import decide_schedule
from loadtest_operator.handlers.run.gather import parsed
from loadtest_operator.handlers.schedule import ScheduleMemory, observe
from unit.operator.world import NOON, World

LARGEST_STATUS = 64 * 1024
MOST_WORKERS = 20
"""More pods would only make the fuzzing slow."""
SENTENCE = re.compile(r"^spec[.:\[ ]", re.DOTALL)


def a_load_test(draw: random.Random) -> str:
    """Parsed and decided on, look by look; or a sentence for everything that is wrong."""
    spec, problems = parsed(as_json(a_spec(draw)))
    if spec is None:
        return _in_words(problems)
    assert LoadTestSpec.model_validate_json(spec.model_dump_json(exclude_none=True)) == spec
    world = World(spec, settings=Settings(allow_urls=draw.random() < 0.5))
    for _ in range(6 if spec.load.workers <= MOST_WORKERS else 2):
        world.step()
        assert len(world.status.model_dump_json(exclude_none=True)) < LARGEST_STATUS
    return f"decided: {world.status.phase}"


def a_refused_load_test(draw: random.Random) -> str:
    """A spec that cannot be read ends its run in Error, with the sentences as its message."""
    spec, problems = parsed(as_json(a_spec(draw)))
    if spec is not None:
        return "taken"
    world = World(LoadTestSpec.model_validate(GOOD_SPEC), problems=problems)
    for _ in range(3):
        decision = decide(world.look())
        world.write(decision.status)
    assert world.status.message
    return _in_words(problems)


def a_load_test_schedule(draw: random.Random) -> str:
    """Its decision over a day, whatever its spec is."""
    body = {"metadata": SCHEDULE_METADATA, "spec": as_json(a_schedule(draw))}
    if not isinstance(body["spec"].get("loadTestTemplate", {}), dict):
        return "no template: the API server admits none such"
    status: Object = {}
    for hours in (1, 2, 24):
        observed = observe({**body, "status": status}, [], ScheduleMemory(), Settings())
        decision = decide_schedule(observed, NOON + timedelta(hours=hours))
        status = decision.status.model_dump(mode="json", exclude_none=True)
        assert LoadTestScheduleStatus.model_validate(status) == decision.status
    return _in_words(observed.problems) if observed.problems else "decided"


def a_status(draw: random.Random) -> str:
    """A status that another release has written, each value of the type that it has here: given up in words."""
    world = World(LoadTestSpec.model_validate(GOOD_SPEC))
    for _ in range(draw.randrange(8)):
        world.step()
    status = json.loads(world.status.model_dump_json(exclude_none=True))
    for _ in range(draw.choice((1, 1, 2, 4))):
        if leaves := [place for place in places(status) if not isinstance(place[0][place[1]], (dict, list))]:
            container, key = draw.choice(leaves)
            container[key] = draw.choice([odd for odd in ODD if type(odd) is type(container[key])] or [container[key]])
    body = {**load_test(GOOD_SPEC), "status": as_json(status)}
    body["metadata"] |= {"namespace": "demo", "uid": "u", "generation": 1}
    patch = given_up(body, "its state cannot be read", NOON)
    return "given up" if patch else "nothing to give up"


TARGETS: dict[str, Target] = {
    "LoadTest": a_load_test,
    "refused LoadTest": a_refused_load_test,
    "LoadTestSchedule": a_load_test_schedule,
    "stored status": a_status,
}
SCHEDULE_METADATA = {
    "name": "nightly",
    "namespace": "demo",
    "uid": "u",
    "generation": 1,
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
GOOD_SPEC = a_spec(random.Random(3))
while parsed(GOOD_SPEC)[0] is None:
    GOOD_SPEC = a_spec(random.Random(len(str(GOOD_SPEC))))


def as_json(value: Any) -> Any:
    """As it comes from the API server: what JSON cannot say does not come."""
    return json.loads(json.dumps(value))


def _in_words(problems: tuple[str, ...]) -> str:
    assert problems
    assert all(SENTENCE.match(each) for each in problems), problems
    return "refused in words"


def at_the_server(server: Server, cases: int, seed: int) -> Counter[str]:
    """Objects that the real schema and rules admit are parsed, or refused in words."""
    tally: Counter[str] = Counter()
    for begin in range(0, cases, 100):
        specs = [as_json(a_spec(random.Random(f"{seed}/{number}"))) for number in range(begin, begin + 100)]
        for spec in _admitted(server, specs):
            found, problems = parsed(spec)
            tally["admitted, parsed" if found else f"admitted, {_in_words(problems)}"] += 1
            if not found:
                tally[f"  {re.sub(r'[0-9]+|“.*”|' + chr(39) + '.*' + chr(39), '…', problems[0])[:100]}"] += 1
        tally["asked"] += len(specs)
    return tally


def _admitted(server: Server, specs: list[Any]) -> Iterator[Object]:
    items = [load_test(spec, f"fuzz-{number}") for number, spec in enumerate(specs)]
    create = ("create", "--dry-run=server", "--validate=ignore", "-o", "json", "-f", "-")
    text = server.run(*create, body={"apiVersion": "v1", "kind": "List", "items": items})
    decoder = json.JSONDecoder()
    while (text := text.lstrip()).startswith("{"):
        found, end = decoder.raw_decode(text)
        text = text[end:]
        yield found["spec"]
