"""A sweep on paper: LoadTests against a queue whose capacity is known, a clock, and an operator that may die at any point."""

import base64
import gzip
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from builders import Object, a_request, a_spec, a_stage
from loadgen.core.capacity import steady
from loadgen.model.plan import Severity
from loadgen.model.report import Report, Result, ThresholdResult, Validity, ValidityLevel, Verdict
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.sweep import LoadTestSweepSpec, LoadTestSweepStatus
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.evidence.report import KEY
from loadtest_operator.core.sweep import children as sweep_children
from loadtest_operator.core.sweep.decide import (
    AbortChild,
    ObservedSweep,
    StartChild,
    SweepAction,
    SweepDecision,
    decide_sweep,
)
from unit.loadgen.capacity.groups import a_tally_of
from unit.loadgen.capacity.queues import fifo, poisson
from unit.loadgen.test_summary import a_report

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
OWNER = sweep_children.parent("knee", "demo", "uid-of-knee")
FIELD = "load.stages[hold].arrivalRate"
RUN_SECONDS = 20
TIGHT = {"slo": {"responseTimeMilliseconds": 500}}

UNDECIDED = ThresholdResult(
    name="p99",
    result=Result.UNKNOWN,
    severity=Severity.ERROR,
    observed="n/a",
    wanted="< 9 ms",
    window="run",
    message="too few",
)
"""Why a run is Inconclusive that has measured all the same."""


def a_template(**changes: Any) -> Object:
    stage = a_stage("hold", durationSeconds=RUN_SECONDS, arrivalRate=1)
    return {"spec": a_spec(stage, requests=[a_request(**TIGHT)], **changes)}


def a_grid(*values: int, **changes: Any) -> Object:
    axis = {"field": FIELD, "values": list(values or (10, 30, 80))}
    return {"loadTestTemplate": a_template(), "vary": [axis], "repeats": 2, **changes}


def a_search(**changes: Any) -> Object:
    search = {"field": FIELD, "min": 10, "max": 80, "precisionPercent": 40, "maxRuns": 8}
    return {"loadTestTemplate": a_template(), "search": search, "repeats": 2, **changes}


@lru_cache(maxsize=64)
def measured(rate: float, seconds: int, capacity: float, verdict: Verdict, limited: bool) -> Object:
    """The stored report of a LoadTest against a queue that serves so many a second: the same whenever the same is run."""
    stage = a_stage("hold", durationSeconds=seconds, arrivalRate=str(rate))
    plan = LoadTestSpec.model_validate({**a_template()["spec"], "load": {"stages": [stage]}}).plan
    arrivals = poisson(np.random.default_rng(int(rate)), rate, seconds)
    times = fifo(arrivals, np.full(arrivals.size, 1 / capacity))
    level = ValidityLevel.GENERATOR_LIMITED if limited else ValidityLevel.VALID
    validity = Validity(level=level, reasons=("the processor was busy",) if limited else ())
    undecided = (UNDECIDED,) if verdict is Verdict.INCONCLUSIVE else ()
    tally = a_tally_of(plan, arrivals, times, 0.5)
    report = a_report(plan, tally, validity=validity, verdict=verdict, thresholds=undecided)
    return stored("report", steady.beside(report))


def stored(name: str, report: Report) -> Object:
    """The ConfigMap, as the operator makes it."""
    data = gzip.compress(json.dumps({"report": report.model_dump(mode="json", exclude_none=True)}).encode(), mtime=0)
    return {"metadata": {"name": name}, "binaryData": {KEY: base64.b64encode(data).decode()}}


def checksum(config_map: Object) -> str:
    return hashlib.sha256(base64.b64decode(config_map["binaryData"][KEY])).hexdigest()


@dataclass
class SweepWorld:
    """One LoadTestSweep and its LoadTests."""

    spec: Object
    capacity: float = 40
    limit: float = np.inf
    """The arrival rate past which the generator is the limit."""
    now: datetime = NOON
    generation: int = 1
    stored: Object = field(default_factory=dict)
    """The status as the API server has it."""
    children: dict[str, Object] = field(default_factory=dict)
    config_maps: dict[str, Object] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    events: list[Emit] = field(default_factory=list)
    refusal: str = ""
    """Why the API server does not accept LoadTests."""
    trouble: str = ""
    refusals: tuple[str, ...] = ()
    """What the administrator does not allow."""
    parsed: LoadTestSweepSpec | None = None

    @property
    def status(self) -> LoadTestSweepStatus:
        return LoadTestSweepStatus.model_validate(self.stored)

    @property
    def table(self) -> Object:
        """What must not depend on when the operator died."""
        times = ("startTime", "completionTime", "conditions", "message")
        return {name: value for name, value in self.stored.items() if name not in times}

    @property
    def running(self) -> list[str]:
        return [name for name, body in self.children.items() if not body.get("status")]

    def observed(self) -> ObservedSweep:
        if self.parsed is None:
            self.parsed = LoadTestSweepSpec.model_validate(self.spec)
        found = sweep_children.seen(self.children.values(), OWNER, self.parsed.fields)
        return ObservedSweep(
            owner=OWNER,
            generation=self.generation,
            spec=self.parsed,
            template=self.spec["loadTestTemplate"],
            status=self.status,
            children={place: self._with_report(child) for place, child in found.items()},
            refusals=self.refusals,
            trouble=self.trouble,
        )

    def _with_report(self, child: sweep_children.Child) -> sweep_children.Child:
        if not child.finished or not child.kept:
            return child
        return sweep_children.with_report(child, [self.config_maps.get(one.name) for one in child.status.artifacts])

    def look(self, *, survives: int = 99) -> SweepDecision:
        """One look. `survives` is how many steps the operator lives: the write of the status, then each action."""
        decision = decide_sweep(self.observed(), self.now)
        if survives > 0:
            self.stored = decision.status.model_dump(mode="json", exclude_none=True)
        self.trouble = ""
        for action in decision.actions[: max(0, survives - 1)]:
            self._perform(action)
        return decision

    def step(self, *, survives: int = 99) -> None:
        """A look, and the time until the next one or the end of what runs."""
        wake = self.look(survives=survives).wake_after
        self.now += timedelta(seconds=min(wake, 60))
        if self.running and survives > 0:
            self.now += timedelta(seconds=RUN_SECONDS)
            self.finish()

    def run(self, most: int = 200) -> None:
        """To the end."""
        for _ in range(most):
            if self.stored.get("phase") == "Finished":
                return
            self.step()
        raise AssertionError(f"no end after {most} looks: {self.stored}")

    def edit(self, **changes: Any) -> None:
        self.spec = {**self.spec, **changes}
        self.generation += 1
        self.parsed = None

    def finish(self, verdict: str = "", **status: Any) -> None:
        """The LoadTest that runs ends, by itself as its queue has it."""
        (name,) = self.running
        body = self.children[name]
        stage = body["spec"]["load"]["stages"][0]
        rate = float(stage["arrivalRate"])
        limited = rate > self.limit
        ended = Verdict(verdict) if verdict else Verdict.INCONCLUSIVE if limited else Verdict.PASSED
        config_map = measured(rate, stage["durationSeconds"], self.capacity, ended, limited)
        self.config_maps[f"{name}-1-report"] = config_map
        kept = {"kind": "ConfigMap", "name": f"{name}-1-report", "sha256": checksum(config_map)}
        body["status"] = {
            "phase": "Finished",
            "verdict": ended,
            "message": f"{ended} on paper",
            "run": {"number": 1, "token": "1", "completionTime": self.now.isoformat()},
            "artifacts": [kept],
            "conditions": [a_condition("LoadCompleted", self.now)],
            **status,
        }

    def _perform(self, action: SweepAction) -> None:
        match action:
            case StartChild():
                self._make(action.body)
            case AbortChild():
                self.children[action.name]["spec"]["abort"] = True
            case Emit():
                self.events.append(action)

    def _make(self, body: Object) -> None:
        name = body["metadata"]["name"]
        if self.refusal:
            self.trouble = self.refusal
        elif name not in self.children:
            self.made[name] += 1
            self.order.append(name)
            self.children[name] = {**body, "metadata": {**body["metadata"], "uid": f"uid-of-{name}"}}


def a_condition(kind: str, now: datetime, status: str = "True") -> Object:
    return {"type": kind, "status": status, "reason": "LoadCompleted", "lastTransitionTime": now.isoformat()}
