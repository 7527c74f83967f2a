"""The sweep handler's look against an API server of a dictionary: what it makes, reads once, writes, and survives."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from builders import Object
from fakes.kube import merged
from loadtest_operator.adapters.errors import RetryableError
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.core.common.kinds import Kind
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.follow import RETRY_SECONDS
from loadtest_operator.handlers.sweep import SweepMemory, look
from unit.operator.sweep_world import NOON, OWNER, RUN_SECONDS, SweepWorld, a_grid
from unit.operator.test_schedule_handler import Server


@dataclass
class Counting(Server):
    """Counts what is read."""

    reads: Counter[str] = field(default_factory=Counter)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        self.reads[kind.kind] += 1
        return await super().get(kind, namespace, name)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Object, subresource: str = "") -> None:
        body = self.objects[kind.kind, name]
        self.patches.append(patch)
        body.update(merged(body, patch))


@dataclass
class Bench:
    """A sweep of three levels, and an operator that looks at it; LoadTests end as on paper."""

    server: Counting = field(default_factory=Counting)
    memory: SweepMemory = field(default_factory=SweepMemory)
    now: datetime = NOON

    def __post_init__(self) -> None:
        metadata = {"name": OWNER.name, "namespace": OWNER.namespace, "uid": OWNER.uid, "generation": 1}
        self.sweep: Object = {"metadata": metadata, "spec": a_grid(repeats=1)}
        self.server.objects["LoadTestSweep", "knee"] = self.sweep
        anything = cast(Any, None)
        self.context = Context(
            cast(Any, self.server), anything, anything, Settings(), Metrics(), clock=lambda: self.now
        )

    def look(self, seconds: float = 0) -> float:
        self.now += timedelta(seconds=seconds)
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            return loop.run_until_complete(look(self.context, self.memory, "demo", "knee"))

    @property
    def children(self) -> dict[str, Object]:
        return {name: body for (kind, name), body in self.server.objects.items() if kind == "LoadTest"}

    def finish(self) -> None:
        """As the LoadTest's own handler does."""
        paper = SweepWorld(self.sweep["spec"], now=self.now, children=self.children)
        paper.finish()
        for name, body in paper.config_maps.items():
            self.server.objects["ConfigMap", name] = body

    def run(self) -> None:
        for _ in range(20):
            if self.sweep.get("status", {}).get("phase") == "Finished":
                return
            self.look(seconds=RUN_SECONDS)
            if any(not body.get("status") for body in self.children.values()):
                self.finish()

    @property
    def events(self) -> list[str]:
        return [body["reason"] for (kind, _), body in self.server.objects.items() if kind == "Event"]


def test_a_sweep_makes_its_load_tests_and_ends_with_the_table() -> None:
    bench = Bench()
    bench.run()
    assert list(bench.children) == ["knee-1", "knee-2", "knee-3"]
    status = bench.sweep["status"]
    assert [level["values"] for level in status["levels"]] == [["10"], ["30"], ["80"]]
    assert (status["verdict"], status["best"]["level"]) == ("Passed", "load.stages[hold].arrivalRate = 30")
    assert bench.events == ["Started", "Started", "Started", "SweepPassed"]


def test_a_report_is_read_once() -> None:
    bench = Bench()
    bench.run()
    bench.look()
    assert bench.server.reads["ConfigMap"] == 3


def test_an_operator_without_memory_comes_to_the_same() -> None:
    """A new process for each look."""
    bench, other = Bench(), Bench()
    bench.run()
    for _ in range(20):
        other.memory = SweepMemory()
        other.look(seconds=RUN_SECONDS)
        if any(not body.get("status") for body in other.children.values()):
            other.finish()
    assert other.sweep["status"]["levels"] == bench.sweep["status"]["levels"]
    assert other.sweep["status"]["message"] == bench.sweep["status"]["message"]


def test_nothing_is_written_when_nothing_changed() -> None:
    bench = Bench()
    for _ in range(3):
        bench.look()
    written = len(bench.server.patches)
    bench.look()
    assert len(bench.server.patches) == written


def test_a_load_test_of_somebody_else_is_left_alone_and_named() -> None:
    bench = Bench()
    bench.server.objects["LoadTest", "knee-1"] = {"metadata": {"name": "knee-1"}, "spec": {}}
    bench.look()
    assert bench.look() == 10
    assert "LoadTest knee-1 exists and is not this sweep's: delete or rename it" in bench.sweep["status"]["message"]


def test_a_load_test_that_has_lost_its_label_is_named_and_asked_for_in_peace() -> None:
    """Not ten times a second."""
    bench = Bench()
    bench.look()
    bench.children["knee-1"]["metadata"]["labels"] = {}
    bench.look()
    assert bench.look() == 10
    assert (
        "LoadTest knee-1 is there without its label loadtest.dev/sweep=knee: put it back"
        in bench.sweep["status"]["message"]
    )
    bench.children["knee-1"]["metadata"]["labels"] = {"loadtest.dev/sweep": "knee"}
    bench.look()
    assert bench.look() == 2


def test_abort_reaches_the_load_test() -> None:
    bench = Bench()
    bench.look()
    bench.sweep["spec"]["abort"] = True
    bench.sweep["metadata"]["generation"] = 2
    bench.look()
    assert bench.children["knee-1"]["spec"]["abort"] is True


def test_a_template_that_is_forbidden_or_wrong_ends_in_error_without_a_load_test() -> None:
    bench, wrong = Bench(), Bench()
    bench.sweep["spec"]["loadTestTemplate"]["spec"]["target"]["serviceRef"]["namespace"] = "other"
    bench.look()
    assert bench.sweep["status"]["verdict"] == "Error"
    assert "allowedTargetNamespaces" in bench.sweep["status"]["message"]
    wrong.sweep["spec"]["vary"][0]["field"] = "load.stages[no].arrivalRate"
    wrong.look()
    assert wrong.sweep["status"]["verdict"] == "Error"
    assert "there is no 'no' among stages: one of hold" in wrong.sweep["status"]["message"]
    assert not bench.children | wrong.children


def test_a_sweep_whose_every_look_fails_says_so_and_goes_on_when_it_can() -> None:
    bench = Bench()
    bench.look()
    bench.sweep["status"]["startTime"] = "in the year dot"
    for _ in range(7):
        bench.look()
    assert "cannot go on with this sweep" in bench.sweep["status"]["message"]
    del bench.sweep["status"]["startTime"]
    bench.run()
    assert bench.sweep["status"]["verdict"] == "Passed"


def test_an_api_server_that_is_away_is_asked_again() -> None:
    bench = Bench()
    bench.server.fails = RetryableError("no answer in time")
    assert bench.look() == RETRY_SECONDS
