"""Coverage, false alarms and power of the capacity statistics, simulated: `make simulations` prints the page's table.

The truth of a server is the attainment of many stages at a fine grid of loads, inverted; nothing of the product is in it.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from loadgen.core.capacity import compare, knee
from loadgen.core.capacity.compare import Answer
from loadgen.core.capacity.knee import Trial
from loadgen.model.report import Report
from unit.loadgen.capacity.queues import Array, fifo, mmc, saturating
from unit.loadgen.capacity.test_compare import a_run, independent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SECONDS = 60
SHARE = 0.95
SPACING = np.array([0.7, 0.8, 0.86, 0.92, 0.98, 1.04, 1.1, 1.2])
TRIES = 1000
Server = Callable[[np.random.Generator, float], tuple[Array, Array]]
SERVERS: dict[str, tuple[Server, float]] = {
    "saturating, 40/s, SLO 0.5 s": (lambda rng, load: saturating(rng, load, SECONDS, 40), 0.5),
    "M/M/1, 40/s, SLO 0.25 s": (lambda rng, load: mmc(rng, load, SECONDS, 1, 0.025), 0.25),
    "M/M/4, 40/s, SLO 0.45 s": (lambda rng, load: mmc(rng, load, SECONDS, 4, 0.1), 0.45),
}


def a_trial(server: Server, limit: float, rng: np.random.Generator, load: float) -> Trial:
    arrivals, times = server(rng, load)
    blocks = (arrivals // knee.BLOCK_SECONDS).astype(int)
    planned = np.bincount(blocks, minlength=SECONDS // knee.BLOCK_SECONDS)
    good = np.bincount(blocks, weights=times <= limit, minlength=SECONDS // knee.BLOCK_SECONDS)
    return Trial(float(load), tuple((int(g), int(n)) for g, n in zip(good, planned, strict=True)))


def the_truth(server: Server, limit: float) -> float:
    rng, loads = np.random.default_rng(12345), np.arange(20, 44, 0.5)
    stages = [[a_trial(server, limit, rng, load) for _ in range(100)] for load in loads]
    shares = np.minimum.accumulate([sum(t.good for t in s) / sum(t.planned for t in s) for s in stages])
    last = int((shares >= SHARE).sum()) - 1
    assert 0 <= last < len(loads) - 1, "the grid does not hold the knee"
    return float(loads[last] + 0.5 * (shares[last] - SHARE) / (shares[last] - shares[last + 1]))


@pytest.mark.parametrize("name", SERVERS)
def test_coverage_of_the_knee(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At least nine in ten intervals hold the truth, whatever the server; the page says how many of each."""
    server, limit = SERVERS[name]
    truth, held, widths = the_truth(server, limit), 0, []
    for seed in range(TRIES):
        rng = np.random.default_rng(seed)
        levels = truth * rng.uniform(0.95, 1.05) * SPACING
        trials = [a_trial(server, limit, rng, load) for load in levels for _ in range(3)]
        found = knee.find(trials, SHARE, draws=1000, seed=seed)
        held += (found.low or 0) <= truth <= (found.high or np.inf)
        widths.append(found.width)
    with capsys.disabled():
        print(f"\n| knee, {name} | {truth:.1f} | {100 * held / TRIES:.1f} % | {100 * np.median(widths):.0f} % |")
    assert held >= 0.9 * TRIES


def queue_run(minute: int, seed: int, factor: float) -> Report:
    """A queue at 60 % of its capacity: its response times hang together. Arrivals are the plan's."""
    arrivals = np.random.default_rng(99).uniform(0, 30, 1200)
    arrivals.sort()
    services = np.random.default_rng(seed).exponential(0.015 * factor, arrivals.size)
    return a_run(minute, arrivals, fifo(arrivals, services))


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("independent requests", lambda minute, seed, factor: independent(minute, factor, seed=seed)),
        ("a queue at 60 %", queue_run),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 1.25])
def test_false_alarms_and_power(
    name: str, run: Callable[[int, int, float], Report], factor: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run a side, margin 10 %: on A/A at most one in twenty is Worse or Better."""
    tries = 300
    answers = Counter(
        compare.compare([run(0, 2 * at, 1.0)], [run(1, 2 * at + 1, factor)], 10).answer for at in range(tries)
    )
    shares = " · ".join(f"{answer} {100 * answers[answer] / tries:.1f} %" for answer in Answer)
    with capsys.disabled():
        print(f"\n| compare, {name}, B/A = {factor:g} | {shares} |")
    assert factor != 1.0 or answers[Answer.WORSE] + answers[Answer.BETTER] <= 0.05 * tries
