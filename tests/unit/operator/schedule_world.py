"""A schedule on paper: a clock that can be set, the LoadTests that exist, and an operator that may die at any point."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from builders import Object, a_spec
from loadtest_operator.api.schedule import LoadTestScheduleSpec, LoadTestScheduleStatus
from loadtest_operator.core.actions import Delete, Emit
from loadtest_operator.core.schedule import children as schedule_children
from loadtest_operator.core.schedule.starts import (
    AbortChild,
    ObservedSchedule,
    ScheduleAction,
    ScheduleDecision,
    StartChild,
    decide_schedule,
)

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
UID = "uid-of-nightly"


@dataclass
class ScheduleWorld:
    """One LoadTestSchedule and its LoadTests."""

    spec: Object
    now: datetime = NOON
    created: datetime = NOON
    generation: int = 1
    stored: Object = field(default_factory=dict)
    """The status as the API server has it."""
    children: dict[str, Object] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    aborted: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    events: list[Emit] = field(default_factory=list)
    refusal: str = ""
    """Why the API server does not accept LoadTests."""
    started: datetime | None = None
    trouble: str = ""
    parsed: LoadTestScheduleSpec | None = None

    @property
    def status(self) -> LoadTestScheduleStatus:
        return LoadTestScheduleStatus.model_validate(self.stored)

    @property
    def names(self) -> list[str]:
        """The starts that were made, as times of day."""
        return [minute(name).strftime("%H:%M") for name in self.made]

    def observed(self) -> ObservedSchedule:
        return ObservedSchedule(
            name="nightly",
            namespace="demo",
            uid=UID,
            generation=self.generation,
            created=self.created,
            spec=self._valid_spec(),
            template=self.spec["loadTestTemplate"],
            status=self.status,
            children=schedule_children.seen(self.children.values(), UID),
            started=self.started,
            trouble=self.trouble,
        )

    def _valid_spec(self) -> LoadTestScheduleSpec:
        if self.parsed is None:
            self.parsed = LoadTestScheduleSpec.model_validate(self.spec)
        return self.parsed

    def look(self, *, dies: bool = False) -> ScheduleDecision:
        """One look. An operator that dies has written the status and done nothing."""
        decision = decide_schedule(self.observed(), self.now)
        self.stored = decision.status.model_dump(mode="json", exclude_none=True)
        self.trouble = ""
        for action in () if dies else decision.actions:
            self._perform(action)
        return decision

    def crash(self) -> None:
        """The operator starts anew, without memory."""
        self.started, self.trouble = None, ""

    def run(self, **duration: float) -> None:
        """Time passes, and the operator looks whenever it said it would."""
        end = self.now + timedelta(**duration)
        while True:
            wake = timedelta(seconds=self.look().wake_after)
            if self.now + wake > end:
                break
            self.now += wake
        self.now = end

    def skip(self, **duration: float) -> None:
        """Time passes without an operator."""
        self.now += timedelta(**duration)

    def edit(self, **changes: Any) -> None:
        self.spec = {**self.spec, **changes}
        self.generation += 1
        self.parsed = None

    def finish(self, verdict: str = "Passed", name: str = "") -> None:
        """A LoadTest ends; the oldest that runs, if no name is said."""
        name = name or next(name for name, body in self.children.items() if not body.get("status"))
        self.children[name]["status"] = {
            "phase": "Finished",
            "verdict": verdict,
            "run": {"token": "1", "completionTime": self.now.isoformat()},
            "summary": {"requestsPerSecond": "9.8", "responseTimeMilliseconds": {"p99": "12"}},
        }

    def _perform(self, action: ScheduleAction) -> None:
        match action:
            case StartChild():
                self._make(action)
            case AbortChild():
                self.aborted.append(action.name)
                self.children[action.name]["spec"]["abort"] = True
                self.children[action.name]["metadata"]["annotations"]["loadtest.dev/replaced-by"] = action.replaced_by
            case Delete():
                self.deleted.append(action.name)
                self.children.pop(action.name, None)
            case Emit():
                self.events.append(action)

    def _make(self, action: StartChild) -> None:
        name = action.body["metadata"]["name"]
        if self.refusal:
            self.trouble = self.refusal
            return
        if name not in self.children:
            self.made[name] += 1
            self.children[name] = {**action.body, "spec": dict(action.body["spec"])}
        self.started = action.minute


def minute(name: str) -> datetime:
    found = schedule_children.minute_of(name)
    assert found is not None
    return found


def a_schedule(schedule: str = "0 * * * *", **changes: Any) -> ScheduleWorld:
    """Every hour, looked at once."""
    now = changes.pop("now", NOON)
    spec = {"schedule": schedule, "loadTestTemplate": {"spec": a_spec()}, **changes}
    world = ScheduleWorld(spec, now=now, created=now)
    world.look()
    return world


def a_child(at: datetime, *, uid: str = UID, verdict: str = "", schedule: str = "nightly") -> Object:
    """A LoadTest as the API server has it."""
    template = {"spec": a_spec()}
    body = schedule_children.manifest(schedule, "demo", uid, template, at)
    done = {"phase": "Finished", "verdict": verdict, "run": {"token": "1", "completionTime": at.isoformat()}}
    return {**body, "status": done if verdict else {}}
