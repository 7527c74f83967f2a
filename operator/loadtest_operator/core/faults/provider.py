"""What a provider of faults tells about itself: pure functions, in one file each.

Its adapter (`adapters`, table `handlers.run.providers.ADAPTERS`) looks at it and takes orders: `look`, `inject`, `recover`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest_operator.api.faults import Fault
from loadtest_operator.core.actions import Create, Delete
from loadtest_operator.core.common.kinds import Kind
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.observed import Observed

Order = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to make faults."""

    name: str
    title: str
    """In sentences: `the delay proxy`."""
    kinds: tuple[str, ...]
    """Members of a Fault that it makes."""
    order: Callable[[Observed, Fault], Order]
    """What its adapter is to do; carries the duration, for every fault ends by itself (dead-man's switch)."""
    objects: Callable[[Observed], tuple[Create, ...]]
    """What it needs before the load; made again as long as it is not ready."""
    ingress: Callable[[Observed], Mapping[str, Any] | None]
    """Who may reach it, as a rule of the run's NetworkPolicy; None where it is no pod of the run."""
    way: Callable[[Observed], str]
    """`host:port` that workers connect to instead of the target; empty where it does not stand in the load's way."""
    belongings: Callable[[Names], tuple[Delete, ...]]
    """All it leaves in a run."""
    force: Callable[[Names], tuple[Delete, ...]]
    """What takes its faults away whether it listens or not. Only asked for when no load is offered any more."""
    traces: tuple[tuple[Kind, str], ...]
    """Kind and component label by which what a killed operator forgot is found."""
    until_well: bool = False
    """Its faults end when the target is as it was, at the latest after their duration; others last for just that."""
