"""A metric's value as it is served now, beside the one it is steered for; or why there is none.

That the operator may not read a metric says nothing about the autoscaler, which has rights of its own; that it is not
served, or has no series, does. Both are said, and never taken for each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from loadtest_operator.core.scaling.autoscaler import UNKNOWN, name_of
from loadtest_operator.core.scaling.metrics import answers
from loadtest_operator.core.scaling.shadow.orders import Flags, Steering, orders_of
from loadtest_operator.core.scaling.shadow.proposals import NoValueError, Proposal, propose
from loadtest_operator.core.scaling.shadow.sight import Sight

Object = Mapping[str, Any]


class Lack(StrEnum):
    """What keeps a value from being known."""

    FORBIDDEN = "Forbidden"
    """The operator may not read it."""
    ABSENT = "Absent"
    """No API serves it, or the one that does has no such metric."""
    NO_ANSWER = "NoAnswer"
    """The API did not answer, or not in time."""
    NO_VALUE = "NoValue"
    """It answered, and no value follows from that."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    body: Object | None = None
    lack: Lack | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of the autoscaler, as the API serves it."""

    kind: str
    """Resource, ContainerResource, Pods, Object or External."""
    name: str
    value: str = UNKNOWN
    """As the HPA's status would show it: `87%`, or a quantity."""
    target: str = UNKNOWN
    ratio: float | None = None
    """Value over target, as the controller decides by it."""
    lack: Lack | None = None
    why: str = ""

    @property
    def missing(self) -> bool:
        """It has no value, by what is known; what may not be read may have one."""
        return self.lack not in (None, Lack.FORBIDDEN)


def reading_of(spec: Object, metric: Object, answer: Answer, sight: Sight, now: float) -> Reading:
    """One metric of an HPA's spec. `sight` is the workload and its pods; `now` in seconds since 1970."""
    blank = Reading(str(metric.get("type")), name_of(metric))
    try:
        orders = orders_of({**spec, "metrics": [metric]}, Flags())
        (steering,) = orders.metrics
        blank = replace(blank, target=_text(steering, steering.target))
        if answer.body is None:
            return replace(blank, lack=answer.lack or Lack.NO_ANSWER, why=answer.why)
        found = propose(steering, orders, replace(sight, **answers.seen(steering, answer.body)), now)
    except NoValueError as error:
        return replace(blank, lack=Lack.NO_VALUE, why=str(error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return replace(blank, lack=Lack.NO_VALUE, why=f"the answer has no value of {blank.name}: {error}")
    return replace(blank, value=_text(steering, found.value), ratio=_ratio(found))


def sight_of(pods: Sequence[Object], replicas: int, counted: int | None) -> Sight:
    """The workload as one sync sees it, before any metric. Raises as `answers` does."""
    found = tuple(map(answers.pod_of, pods))
    return Sight(replicas, len(found) if counted is None else counted, found)


def _ratio(found: Proposal) -> float | None:
    return round(found.ratio, 4) if math.isfinite(found.ratio) else None


def _text(steering: Steering, number: int) -> str:
    """Percent, or thousandths as a quantity."""
    if steering.to == "Utilization":
        return f"{number}%"
    return f"{number}m" if number % 1000 else str(number // 1000)
