"""The last resort: a run whose every look fails on what does not pass by itself ends in Error, instead of never; one whose
operator is uninstalled is Inconclusive.

The stored status is taken as JSON: that it cannot be read may be the very reason. So no model and no table is asked, what is
stored stays where it is, and the number of a run is only ever taken from what is stored: a run that is given up is never
begun again, and nothing of another run is touched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import Condition, ConditionType
from loadtest_operator.api.status import LoadTestStatus, Phase, Run
from loadtest_operator.core.actions import Delete
from loadtest_operator.core.common import conditions, diff, reasons, times
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.common.reasons import Reason
from loadtest_operator.core.run.history import belongings

Object = Mapping[str, Any]
MOST_HISTORY = 10
SENTENCES = {
    reasons.INTERNAL_ERROR: "the operator could not go on with this run: {}; please report this",
    reasons.OPERATOR_UNINSTALLED: "{}",
}
PAST = ("number", "token", "startTime", "completionTime")


@dataclass(frozen=True, slots=True)
class End:
    """Why and when."""

    reason: Reason
    message: str
    now: datetime

    @property
    def verdict(self) -> Verdict:
        return self.reason.forces or Verdict.ERROR


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What to write, and what of the run must go."""

    number: int
    patch: Mapping[str, Any]
    """A merge patch of the stored status; empty where the run has ended already."""
    leftovers: tuple[Delete, ...]
    verdict: Verdict
    bare: Mapping[str, Any] = field(default_factory=dict)
    """Instead of the patch where the API server does not take that, for what is stored is not valid itself: nothing else stays."""

    @property
    def status(self) -> LoadTestStatus:
        """As metrics show it."""
        return LoadTestStatus(phase=Phase.FINISHED, verdict=self.verdict, run=Run(number=self.number))


def given_up(body: Object, why: str, now: datetime, reason: Reason = reasons.INTERNAL_ERROR) -> GivenUp:
    """Finished, with the verdict that the reason forces. `body` is the LoadTest as it is stored now."""
    end = End(reason, SENTENCES[reason].format(why)[:1024], now)
    stored, token = body.get("status") or {}, (body.get("spec") or {}).get("runToken", "1")
    run = stored.get("run") or {}
    number = int(run.get("number") or 0)
    if stored.get("phase") == Phase.FINISHED and number:
        if run.get("token") == token:
            return GivenUp(number, {}, (), end.verdict)
        return _never_begun(body, stored, number + 1, token, end)
    if not number:
        return _never_begun(body, stored, 1, token, end)
    ends = {**run, "completionTime": times.whole(end.now)}
    new = {**stored, **_ended(body, stored, end), "run": {key: ends[key] for key in ends if key != "currentStage"}}
    kept = {key: ends[key] for key in ("number", "token", "name", "completionTime") if key in ends}
    bare = diff.merge_patch(stored, {**_ended(body, {}, end), "run": kept})
    leftovers = belongings(Names(body["metadata"]["name"], number))
    return GivenUp(number, diff.merge_patch(stored, new), leftovers, end.verdict, bare)


def _never_begun(body: Object, stored: Object, number: int, token: str, end: End) -> GivenUp:
    """A run that was asked for and could not begin: it has nothing that could be left behind."""
    name, moment = body["metadata"]["name"], times.whole(end.now)
    run = {"number": number, "token": token, "name": f"{name}-{number}", "startTime": moment, "completionTime": moment}
    history = [*([_past(stored)] if number > 1 else []), *(stored.get("history") or [])]
    new = {**_ended(body, {}, end), "run": run}
    if history:
        new["history"] = history[:MOST_HISTORY]
    bare = diff.merge_patch(stored, {**_ended(body, {}, end), "run": run})
    return GivenUp(number, diff.merge_patch(stored, new), (), end.verdict, bare)


def _past(stored: Object) -> dict[str, Any]:
    kept = {key: stored["run"][key] for key in PAST if key in stored["run"]}
    return {**kept, "verdict": stored.get("verdict", Verdict.ERROR), "message": stored.get("message", "")}


def _ended(body: Object, stored: Object, end: End) -> dict[str, Any]:
    claims = [
        conditions.yes(ConditionType.FINISHED, end.reason, end.message),
        conditions.no(ConditionType.PASSED, end.reason, end.message),
        conditions.no(ConditionType.READY, end.reason, end.message),
        conditions.no(ConditionType.LOAD_RUNNING, reasons.LOAD_ENDED),
        conditions.no(ConditionType.RECONCILING, end.reason),
        (conditions.yes if end.verdict is Verdict.ERROR else conditions.no)(
            ConditionType.STALLED, end.reason, end.message
        ),
    ]
    generation = body["metadata"].get("generation", 0)
    written = conditions.updated(tuple(_readable(stored)), claims, end.now, generation)
    return {
        "observedGeneration": generation,
        "phase": Phase.FINISHED,
        "verdict": end.verdict,
        "message": end.message,
        "conditions": [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in written],
    }


def _readable(stored: Object) -> Iterator[Condition]:
    for each in stored.get("conditions") or ():
        try:
            yield Condition.model_validate(each)
        except ValidationError:
            continue
