"""The handler's look against an API server of a dictionary: what it writes, adopts, refuses, and survives."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from builders import Object, a_spec
from loadtest_operator.adapters.errors import AdapterError, ConflictError, RetryableError
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.adapters.metrics.schedules import ScheduleMetrics
from loadtest_operator.core.common.kinds import Kind
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS
from loadtest_operator.handlers.schedule import ScheduleMemory, look
from unit.operator.schedule_world import NOON, UID, a_child

CHILD = "nightly-29671980"


@dataclass
class Server:
    """As much of adapters.kube.KubeApi as the handler calls."""

    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    fails: AdapterError | None = None
    patches: list[Object] = field(default_factory=list)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        if self.fails:
            raise self.fails
        return self.objects.get((kind.kind, name))

    async def list(self, kind: Kind, namespace: str, labels: str) -> list[Object]:
        key, _, value = labels.partition("=")
        found = (body for (name, _), body in self.objects.items() if name == kind.kind)
        return [body for body in found if body["metadata"].get("labels", {}).get(key) == value]

    async def create(self, kind: Kind, namespace: str, body: Object) -> None:
        place = (kind.kind, body["metadata"]["name"])
        if place in self.objects:
            raise ConflictError("it is there already")
        self.objects[place] = body

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Object, subresource: str = "") -> None:
        body = self.objects[kind.kind, name]
        self.patches.append(patch)
        for part, values in patch.items():
            body[part] = {**body.get(part, {}), **values}

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        self.objects.pop((kind.kind, name), None)


@dataclass
class Bench:
    """A schedule that is due every hour, and an operator that looks at it."""

    server: Server = field(default_factory=Server)
    memory: ScheduleMemory = field(default_factory=ScheduleMemory)
    now: datetime = NOON

    def __post_init__(self) -> None:
        template = {"spec": a_spec()}
        self.schedule: Object = {
            "metadata": {
                "name": "nightly",
                "namespace": "demo",
                "uid": UID,
                "generation": 1,
                "creationTimestamp": NOON.isoformat(),
            },
            "spec": {"schedule": "0 * * * *", "loadTestTemplate": template},
        }
        self.server.objects["LoadTestSchedule", "nightly"] = self.schedule
        anything = cast(Any, None)
        self.context = Context(
            cast(Any, self.server), anything, anything, Settings(), Metrics(), clock=lambda: self.now
        )
        self.metrics = ScheduleMetrics(self.context.metrics.registry)

    def look(self, **passed: float) -> float:
        self.now += timedelta(**passed)
        # A loop of its own that is nobody's current one: looptime makes one for each test and would lose it.
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            return loop.run_until_complete(look(self.context, self.metrics, self.memory, "demo", "nightly"))

    @property
    def children(self) -> list[str]:
        return [name for kind, name in self.server.objects if kind == "LoadTest"]

    @property
    def events(self) -> list[str]:
        return [body["reason"] for (kind, _), body in self.server.objects.items() if kind == "Event"]

    def ready(self) -> str:
        return str(self.schedule["status"]["conditions"][0]["message"])


def test_a_due_start_is_made_once_and_told() -> None:
    bench = Bench()
    bench.look()
    bench.look(hours=1)
    bench.look(seconds=1)
    bench.look(seconds=1)
    assert bench.children == [CHILD]
    assert bench.events == ["Started"]
    assert bench.schedule["status"]["lastScheduleTime"] == "2026-06-01T13:00:00Z"


def test_nothing_is_written_when_nothing_changed() -> None:
    bench = Bench()
    bench.look()
    written = len(bench.server.patches)
    bench.look(seconds=30)
    bench.look(seconds=30)
    assert len(bench.server.patches) == written == 1


def test_one_that_is_there_already_is_adopted_if_it_is_ours() -> None:
    bench = Bench()
    bench.look()
    ours = a_child(NOON + timedelta(hours=1))
    ours["metadata"]["labels"] = {}  # not found by its label, so only the create can tell
    bench.server.objects["LoadTest", CHILD] = ours
    bench.look(hours=1)
    bench.look(seconds=1)
    assert bench.children == [CHILD]
    assert bench.events == []
    assert bench.schedule["status"]["nextScheduleTime"] == "2026-06-01T14:00:00Z"


def test_one_of_somebody_else_is_left_alone_and_named() -> None:
    bench = Bench()
    bench.look()
    bench.server.objects["LoadTest", CHILD] = a_child(NOON + timedelta(hours=1), uid="somebody")
    bench.look(hours=1)
    assert bench.look(seconds=1) == 10
    assert f"LoadTest {CHILD} exists and is not this schedule's: delete or rename it" in bench.ready()


def test_an_api_server_that_is_away_is_asked_again() -> None:
    bench = Bench()
    bench.server.fails = RetryableError("no answer in time")
    assert bench.look() == RETRY_SECONDS
    bench.server.fails = None
    assert bench.look() == 30


def test_a_schedule_that_is_being_deleted_starts_nothing() -> None:
    bench = Bench()
    bench.look()
    bench.schedule["metadata"]["deletionTimestamp"] = NOON.isoformat()
    bench.look(hours=1)
    assert bench.children == []


def test_a_template_that_cannot_be_read_is_told_field_by_field() -> None:
    bench = Bench()
    del bench.schedule["spec"]["loadTestTemplate"]["spec"]["target"]
    bench.look()
    assert "spec.loadTestTemplate.spec.target" in bench.ready()


def test_replacing_asks_for_an_abort() -> None:
    bench = Bench()
    bench.schedule["spec"]["concurrencyPolicy"] = "Replace"
    bench.server.objects["LoadTest", CHILD] = a_child(NOON + timedelta(hours=1))
    bench.look(hours=2)
    assert bench.server.objects["LoadTest", CHILD]["spec"]["abort"] is True
    assert "loadtest.dev/replaced-by" in bench.server.objects["LoadTest", CHILD]["metadata"]["annotations"]


def test_prometheus_sees_the_last_verdict_and_the_next_start() -> None:
    bench = Bench()
    bench.server.objects["LoadTest", CHILD] = a_child(NOON + timedelta(hours=1), verdict="Failed")
    bench.look(hours=1, seconds=30)
    shown = bench.context.metrics.exposition().decode()
    assert 'loadtest_schedule_last_verdict{namespace="demo",schedule="nightly",verdict="Failed"} 1.0' in shown
    assert 'loadtest_schedule_last_verdict{namespace="demo",schedule="nightly",verdict="Passed"} 0.0' in shown
    assert "loadtest_schedule_next_start_timestamp_seconds" in shown
    bench.metrics.forget("demo", "nightly")
    assert 'schedule="nightly"' not in bench.context.metrics.exposition().decode()


def test_a_template_whose_target_is_forbidden_makes_nothing_and_is_not_ready() -> None:
    """Once, in a sentence, and not by a LoadTest that ends in Error for each start."""
    bench = Bench()
    bench.schedule["spec"]["loadTestTemplate"] = {
        "spec": a_spec(target={"serviceRef": {"name": "web", "port": 80, "namespace": "other"}})
    }
    bench.look()
    assert "allowedTargetNamespaces" in bench.ready()
    bench.look(hours=2)
    assert bench.children == []
    assert bench.schedule["status"]["conditions"][0]["reason"] == "TargetNotAllowed"
    assert bench.schedule["status"]["missedStarts"] == 2


def test_a_schedule_whose_every_look_fails_says_so() -> None:
    """And goes on by itself when what cannot be read is gone."""
    bench = Bench()
    bench.look()
    bench.schedule["status"]["lastScheduleTime"] = "in the year dot"
    for _ in range(7):
        bench.look(seconds=10)
    (ready,) = [found for found in bench.schedule["status"]["conditions"] if found["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "InternalError")
    assert "no LoadTest is made" in ready["message"]
    del bench.schedule["status"]["lastScheduleTime"]
    bench.look(seconds=10)
    assert "the next start is due" in bench.ready()


def test_one_odd_load_test_does_not_stop_its_schedule() -> None:
    bench = Bench()
    bench.look(hours=1)
    child = bench.server.objects["LoadTest", bench.children[0]]
    run = {"number": 1, "token": "1", "completionTime": "never"}
    child["status"] = {"phase": "Finished", "verdict": "Unheard", "run": run}
    bench.look(hours=1)
    assert len(bench.children) == 2
