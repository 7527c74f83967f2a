"""When a time-out may be the generator's own."""

import pytest

from loadgen.runtime.recording.lateness import Lateness

STRETCHES = ((100, 400), (1000, 1010), (2000, 2100), (3000, 3020))


def known() -> Lateness:
    lateness = Lateness()
    for due, now in STRETCHES:
        lateness.note(due, now)
    return lateness


@pytest.mark.parametrize(
    ("begin", "longest"),
    [
        (0, 300),
        (300, 100),
        (399, 100),
        (400, 100),
        (1500, 100),
        (2050, 50),
        (2090, 20),
        (2100, 20),
        (3010, 10),
        (3020, 0),
    ],
)
def test_the_longest_stretch_from_a_moment_on(begin: int, longest: int) -> None:
    """A stretch that had begun before counts from the moment on."""
    assert known().longest(begin) == longest


@pytest.mark.parametrize(("turns", "own"), [(2, False), (3, False), (4, True), (6, True)])
def test_a_time_out_is_the_loops_where_its_turns_may_have_taken_all_of_it(turns: int, own: bool) -> None:
    """Of 1200 ns a request's turns may have been 300 late each."""
    assert known().explains(0, 1200, turns) is own


def test_a_loop_on_time_explains_nothing() -> None:
    assert not Lateness().explains(0, 1000, 6)


def test_a_long_run_keeps_few_stretches() -> None:
    """Only what no later one exceeds."""
    lateness = Lateness()
    for at in range(0, 1_000_000, 100):
        lateness.note(at, at + at % 700)
    assert len(lateness._ends) < 20
