"""Whatever a server does ends as the right class of failure, with bounded memory, and the run goes on."""

import resource
from collections.abc import Callable

import pytest
from plans import CHAT, PAGE, a_plan
from runs import excused, run
from servers import OK, in_turn, serving

from fakes.bad import BAD, SUCCEEDED, black_hole, unused_port
from fakes.serving import Server
from loadgen.core.stats.tally import Tally
from loadgen.model.plan import Metric

MEBIBYTE = 1024


def outcomes(tally: Tally) -> set[str]:
    """The outcomes that happened, but for those of a loop that was too late for a time-out of a second; nothing may be lost."""
    counts = tally.select().counts
    assert counts.planned == counts.succeeded + counts.failed + counts.dropped + counts.incomplete
    assert counts.planned > 0
    return (set(counts.errors) | ({SUCCEEDED} if counts.succeeded else set())) - excused(tally, 1)


@pytest.mark.parametrize("name", BAD)
async def test_plain(name: str, bad_server: Callable[[str], Server]) -> None:
    """A plain request to every bad server of the table."""
    tally, _ = await run(a_plan(PAGE | {"timeoutSeconds": 1}, {"arrivalRate": 3}), bad_server(name).url)

    assert outcomes(tally) <= BAD[name].plain


@pytest.mark.parametrize("name", BAD)
async def test_chat(name: str, bad_server: Callable[[str], Server]) -> None:
    """A streamed chat completion to every bad server of the table."""
    tally, _ = await run(a_plan(CHAT | {"timeoutSeconds": 1}, {"arrivalRate": 3}), bad_server(name).url)

    assert outcomes(tally) <= BAD[name].chat


@pytest.mark.parametrize("name", ["endless-headers", "endless-header-line", "endless-stream", "endless-event"])
async def test_memory_is_bounded(name: str, bad_server: Callable[[str], Server]) -> None:
    """A gibibyte from the server is not a gibibyte here."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    await run(a_plan(CHAT | {"timeoutSeconds": 2}, {"arrivalRate": 4}), bad_server(name).url)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * MEBIBYTE


async def test_refused() -> None:
    """Nobody listens; the closed loop pauses instead of spinning."""
    plan = a_plan(PAGE, {"arrivalRate": 5}, {"concurrency": 2})

    tally, _ = await run(plan, f"http://127.0.0.1:{unused_port()}")

    assert outcomes(tally) == {"ConnectRefused"}
    assert 10 <= tally.select(stages={1}).counts.planned <= 2 * 100


async def test_connect_timeout() -> None:
    """A server that never accepts; the time-out enters the response times at its value."""
    with black_hole() as url:
        tally, _ = await run(a_plan(PAGE | {"timeoutSeconds": 1}, {"arrivalRate": 3}), url)

    assert outcomes(tally) <= {"ConnectTimeout", "TotalTimeout"}
    chosen = tally.select()
    histogram = chosen.histogram(Metric.RESPONSE_TIME)
    assert histogram.count == 3 - chosen.counts.errors.get("Local", 0)
    assert histogram.total == histogram.count * 1e6


async def test_unknown_host() -> None:
    """No such name."""
    tally, _ = await run(a_plan(PAGE, {"arrivalRate": 2}), "http://no-such-host.invalid:80")

    assert outcomes(tally) == {"Dns"}


async def test_the_run_goes_on() -> None:
    """Bad answers between good ones: both are counted as what they are."""
    async with serving(in_turn(OK, b"garbage\r\n\r\n")) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 40}), url)

    counts = tally.select().counts
    assert counts.errors == {"Parse": 20}
    assert counts.succeeded == 20
