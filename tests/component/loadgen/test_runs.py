"""Open and closed stages, caps, ends: every planned request is accounted for exactly once."""

import asyncio

import pytest
from plans import CHAT, PAGE, a_plan
from runs import run
from servers import OK, answering, serving, slowly


async def test_open_stage_plans_exactly_its_rate() -> None:
    """200/s for a second are 200 requests, all answered, each at its time."""
    async with serving(answering(OK)) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 200}), url)

    counts = tally.select().counts
    assert (counts.planned, counts.sent, counts.succeeded, counts.good) == (200, 200, 200, 200)


async def test_closed_stage_keeps_its_level() -> None:
    """Four slots with answers after 50 ms: at most 20 turns each, never more than four in flight."""
    async with serving(slowly(0.05)) as url:
        tally, deltas = await run(a_plan(PAGE, {"concurrency": 4}), url)

    assert 20 <= tally.select().counts.succeeded <= 4 * 20
    assert max(delta.pulse.peak_in_flight for delta in deltas) == 4


async def test_stages_follow_without_a_gap() -> None:
    """Open, closed, open: the first stage's slow answers do not delay the next stage."""
    stages = ({"arrivalRate": 20}, {"concurrency": 2}, {"arrivalRate": 20})
    async with serving(slowly(0.3)) as url:
        tally, _ = await run(a_plan(PAGE, *stages), url)

    assert [tally.select(stages={index}).counts.planned for index in (0, 2)] == [20, 20]
    assert tally.select(seconds=range(1, 2), stages={1}).counts.planned >= 4
    assert tally.select().counts.dropped == 0


async def test_the_cap_drops_and_counts() -> None:
    """Ten in flight at most; the other arrivals are dropped, none is delayed."""
    async with serving(slowly(5)) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 50}, maxInFlight=10, gracefulStopSeconds=0), url)

    counts = tally.select().counts
    assert (counts.planned, counts.dropped, counts.incomplete) == (50, 40, 10)


async def test_graceful_stop_lets_answers_finish() -> None:
    """Answers that come after the last stage count."""
    async with serving(slowly(0.5)) as url:
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 10}), url)

    assert tally.select().counts.succeeded == 10


async def test_abort_ends_within_its_second() -> None:
    """No further arrivals; what hangs is incomplete."""
    async with serving(slowly(60)) as url, asyncio.timeout(5):
        tally, _ = await run(a_plan(PAGE, {"arrivalRate": 10, "durationSeconds": 60}), url, abort_after=0.5)

    counts = tally.select().counts
    assert 1 <= counts.planned <= 20
    assert counts.incomplete == counts.planned


async def test_weights_and_trickle() -> None:
    """The mix by weight, and a trickle of its own beside a closed stage."""
    mix = [PAGE | {"weight": 3}, PAGE | {"name": "rare"}, PAGE | {"name": "probe", "ratePerSecond": 10}]
    async with serving(answering(OK)) as url:
        tally, _ = await run(a_plan(mix, {"arrivalRate": 400}, {"concurrency": 1}), url)

    pages, rare = (tally.select(stages={0}, requests={index}).counts.planned for index in (0, 1))
    assert pages + rare == 400
    assert 200 < pages < 380
    assert tally.select(requests={2}).counts.succeeded == 20


async def test_in_flight_integral() -> None:
    """Little's law on known truth: 20/s × 0.25 s are 5 in flight."""
    async with serving(slowly(0.25)) as url:
        _, deltas = await run(a_plan(PAGE, {"arrivalRate": 20, "durationSeconds": 2}), url)

    integral = sum(delta.pulse.in_flight_microseconds for delta in deltas)
    assert 40 * 250_000 <= integral <= 40 * 400_000


@pytest.mark.parametrize("milliseconds", [100, 5000])
async def test_slo_counts_good_requests(milliseconds: int) -> None:
    """Answers after 150 ms keep a bound of 5 s and break one of 100 ms."""
    request = PAGE | {"slo": {"responseTimeMilliseconds": milliseconds}}
    async with serving(slowly(0.15)) as url:
        tally, _ = await run(a_plan(request, {"arrivalRate": 10}), url)

    counts = tally.select().counts
    assert counts.succeeded == 10
    assert counts.good == (10 if milliseconds > 150 else 0)


async def test_a_json_answer_to_a_stream_request() -> None:
    """A server that does not stream: what came is no stream, rather than one that was cut."""
    body = b'{"choices":[{"message":{"content":"hi"}}]}'
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as url:
        tally, _ = await run(a_plan(CHAT, {"arrivalRate": 3}), url)

    assert tally.select().counts.errors == {"Parse": 3}
