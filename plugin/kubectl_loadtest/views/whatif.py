"""A prediction beside what happened, and what it rests on."""

from collections.abc import Callable, Iterator
from typing import Final

from loadgen.report.columns import Columns
from loadgen.report.terminal import ABSENT
from loadtest_operator.core.scaling.replay.fit import Response, of_pods
from loadtest_operator.core.scaling.replay.prediction import MOST_ERROR, Outcome, Prediction

ROWS: Final[tuple[tuple[str, Callable[[Outcome], str]], ...]] = (
    ("replicas", lambda one: one.shown),
    ("at most", lambda one: str(one.peak)),
    ("replica-seconds", lambda one: str(one.replica_seconds)),
    ("of these not ready", lambda one: str(one.pending_seconds)),
    ("seconds short of room", lambda one: ABSENT if one.short_seconds is None else str(one.short_seconds)),
    ("requests that had to wait", lambda one: ABSENT if one.late_share is None else f"{one.late_share:.1%}"),
)


def table(found: Prediction) -> Columns:
    """What happened, the same settings played again, and the other ones."""
    shown = Columns(("", "happened", "replayed", "predicted"), ())
    for name, text in ROWS:
        shown.add((name, *(text(one) for one in (found.happened, found.replayed, found.predicted))))
    return shown


def sentences(found: Prediction) -> Iterator[str]:
    """How far to trust it, and what it was made from."""
    yield f"With its own settings the run comes out within {found.error:.0%} of its replica-seconds; {MOST_ERROR:.0%} are allowed."
    measured = found.measured
    never = "" if measured.short else ", and none was ever short of room: it may take more"
    yield (
        f"Measured in it: a replica answered {measured.capacity:.3g} requests/s at most{never}; a new one is ready after "
        f"{measured.cold_start:.0f} s; the controller syncs every {found.sync:g} s."
    )
    yield from map(_response, measured.responses)
    if found.beyond:
        yield f"Not known: {found.beyond}."


def _response(found: Response) -> str:
    unit = "%" if found.steering.to == "Utilization" else ""
    whose = (
        "of a replica for each request/s that it answers"
        if of_pods(found.steering)
        else "for each request/s that is answered"
    )
    return (
        f"Metric {found.steering.name}: {found.per_request:.3g}{unit} {whose} and {found.idle:.3g}{unit} without load, averaged "
        f"over {found.window} s, {found.late} s late, anew every {found.beat.every} s; that explains {found.explained:.0%} of it."
    )
