"""What the generator's own machine could not do, as seen from the requests: send them, or send them faster.

Each rule returns a reason (the cause with its figures, then the advice) or None, as those of `validity`, which asks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.core.schedule import levels
from loadgen.model.wire import Failure

if TYPE_CHECKING:
    from collections.abc import Collection

    from loadgen.core.stats.tally import Tally
    from loadgen.model.plan import Plan

LOCAL_PERCENT = 0.1
CEILING_SHARE = 0.8
"""Of a rate that was measured, where that of a plan must leave more room."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the rules look at."""

    local: int = 0
    """Requests that failed as Local."""
    planned: int = 0
    rate: float = 0.0
    """Requests per second that the fastest closed stage sent, and its name."""
    stage: str = ""


def gather(plan: Plan, tally: Tally, stages: Collection[int]) -> Own:
    """What is known of these stages."""
    counts = tally.select(stages=stages).counts
    rates = [
        (_rate(tally, span), span.stage.name)
        for span in levels.spans(plan)
        if span.index in stages and span.stage.arrival_rate is None
    ]
    rate, name = max(rates, default=(0.0, ""))
    return Own(counts.errors.get(Failure.LOCAL, 0), counts.planned, rate, name)


def _rate(tally: Tally, span: levels.Span) -> float:
    elapsed = max(min(span.end, tally.last_second + 1) - span.start, 1)
    return tally.select(stages={span.index}).counts.sent / elapsed


def exhausted(own: Own) -> str | None:
    """Requests that this machine could not send, or not follow: no verdict on the target."""
    if 100 * own.local <= LOCAL_PERCENT * own.planned:
        return None
    return (
        f"{own.local} of {own.planned} requests ({100 * own.local / own.planned:.1f} %) failed on the generator's own machine "
        f"(failure Local: no free ports, files or memory, no turn to open a connection, or an event loop too late for a time-out; "
        f"at most {LOCAL_PERCENT} % is sound): "
        "reuse connections (load.connections.maxRequests), raise its limits (ulimit -n, ip_local_port_range), or use more workers"
    )


def at_ceiling(own: Own, ceiling: float) -> str | None:
    """A closed stage asks for all it can get: near what the workers can do at all, it measures them."""
    if ceiling <= 0 or own.rate <= CEILING_SHARE * ceiling:
        return None
    return (
        f"closed stage {own.stage} sent {own.rate:.0f} requests/s, {100 * own.rate / ceiling:.0f} % of the {ceiling:.0f} requests/s that "
        f"its workers reach against a null server (at most {100 * CEILING_SHARE:.0f} % is sound): use more workers"
    )
