"""The search: it finds the edge of a server that is told in advance, within its budget, from any interruption."""

import numpy as np
import pytest

from loadgen.core.capacity import knee
from loadgen.core.capacity.knee import Bound, Trial
from loadgen.core.capacity.search import Search, next_levels
from unit.loadgen.capacity.queues import saturating

SEARCH = Search(lowest=1, highest=400, share=0.95, most_runs=40)


def played(search: Search, edge: float) -> list[Trial]:
    """Everything holds up to the edge, nothing past it."""
    done: list[Trial] = []
    while levels := next_levels(done, search):
        done += [Trial(level, ((100 if level <= edge else 20, 100),) * 6) for level in levels]
    return done


@pytest.mark.parametrize("edge", [1.3, 7, 37.3, 255, 390])
def test_the_edge_is_bracketed(edge: float) -> None:
    """Between two levels at most a tenth apart, each run three times, in few runs."""
    done = played(SEARCH, edge)
    held, failed = max(t.load for t in done if t.load <= edge), min(t.load for t in done if t.load > edge)
    assert failed <= 1.1 * held
    assert all(sum(t.load == level for t in done) >= 3 for level in (held, failed))
    assert len(done) <= 28
    found = knee.find(done, 0.95)
    assert (found.low or 0) <= edge <= (found.high or 1e9)


@pytest.mark.parametrize(("edge", "bound"), [(500, Bound.AT_LEAST), (0.5, Bound.AT_MOST)])
def test_a_range_that_is_not_enough_ends_it(edge: float, bound: Bound) -> None:
    """After its end was repeated, so that chance was not it."""
    done = played(SEARCH, edge)
    assert knee.find(done, 0.95).bound is bound
    assert sum(trial.load == (400 if edge > 400 else 1) for trial in done) == 3


def test_the_budget_is_kept() -> None:
    """To the run."""
    assert len(played(Search(lowest=1, highest=400, share=0.95, most_runs=5), 37)) == 5


def test_it_goes_on_where_it_was_cut_off() -> None:
    """What comes next depends on what was done, on nothing else."""
    done = played(SEARCH, 37.3)
    for cut in range(len(done)):
        ahead = next_levels(done[:cut], SEARCH)
        assert not ahead or len(ahead) + cut <= SEARCH.most_runs


def test_whole_levels_are_whole() -> None:
    """Concurrency has no half."""
    done = played(Search(lowest=1, highest=64, share=0.95, whole=True), 11)
    assert all(trial.load == int(trial.load) for trial in done)
    assert {11.0, 12.0} <= {trial.load for trial in done}


def test_a_simulated_server_is_found() -> None:
    """A queue of 40 requests a second with half a second for each: its knee is at 37."""
    rng = np.random.default_rng(4)
    search, done = Search(lowest=5, highest=80, share=0.95, most_runs=40), list[Trial]()
    while levels := next_levels(done, search):
        for level in levels:
            arrivals, times = saturating(rng, level, 60, 40)
            planned = np.bincount((arrivals // 10).astype(int), minlength=6)
            good = np.bincount((arrivals // 10).astype(int), weights=times <= 0.5, minlength=6)
            done.append(Trial(level, tuple((int(g), int(n)) for g, n in zip(good, planned, strict=True))))
    assert knee.find(done, 0.95).load == pytest.approx(37.1, rel=0.06)
