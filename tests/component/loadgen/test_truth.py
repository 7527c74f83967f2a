"""Measured against what the simulator did, by its own stamps on the same clock."""

import asyncio
from collections.abc import Callable

import pytest
from plans import CHAT, PAGE, a_plan
from runs import run

from fakes.simulators import Simulator
from loadgen.model.plan import Metric

SLACK = 60_000
"""µs; the machine may be busy. The lower bounds are strict."""
PROFILES = {"slow start": (200, 10, 8), "slow pace": (30, 40, 12)}


@pytest.mark.parametrize("name", PROFILES)
async def test_latencies_are_those_of_the_simulator(name: str, simulator: Callable[..., Simulator]) -> None:
    """Two contrasting profiles, so that neither a shifted nor a scaled metric passes both."""
    ttft, pace, tokens = PROFILES[name]
    server = simulator(f"--ttft-ms={ttft}", f"--tpot-ms={pace}", "--slots=100")
    chat = CHAT | {"openAIChat": CHAT["openAIChat"] | {"maxTokens": tokens}}

    tally, deltas = await run(a_plan(chat, {"arrivalRate": 10}), server.url)

    chosen = tally.select()
    truth = await asyncio.to_thread(server.truth)
    assert chosen.counts.succeeded == len(truth) == 10
    decode = sum(one.last - one.first for one in truth) / 1000
    first = sum(one.first - one.received for one in truth) / 1000
    measured = {metric: histogram.total for metric, histogram in chosen.histograms.items()}
    assert first <= measured[Metric.TIME_TO_FIRST_TOKEN_FROM_SEND] <= first + 10 * SLACK
    assert measured[Metric.TIME_TO_FIRST_TOKEN] >= measured[Metric.TIME_TO_FIRST_TOKEN_FROM_SEND]
    assert abs(measured[Metric.TIME_PER_OUTPUT_TOKEN] * (tokens - 1) - decode) <= 10 * SLACK
    assert abs(measured[Metric.INTER_CHUNK_LATENCY] - decode) <= 10 * SLACK
    assert first + decode <= measured[Metric.E2E_LATENCY] <= first + decode + 10 * SLACK
    assert chosen.histogram(Metric.INTER_CHUNK_LATENCY).count == 10 * (tokens - 1)
    assert sum(delta.pulse.output_tokens for delta in deltas) == 10 * tokens
    assert sum(cell.output_tokens for delta in deltas for cell in delta.cells) == 10 * tokens


async def test_completions_are_measured_as_chats_are(simulator: Callable[..., Simulator]) -> None:
    """Streamed and whole; tokens are told by kind."""
    server = simulator("--ttft-ms=20", "--tpot-ms=5", "--slots=100")
    text = {"model": "m", "prompt": {"text": "Once upon a time"}, "maxTokens": 6}
    streamed = {"name": "streamed", "openAICompletions": text}
    whole = {"name": "whole", "ratePerSecond": 5, "openAICompletions": text | {"stream": False}}

    tally, _ = await run(a_plan([streamed, whole], {"arrivalRate": 10}), server.url)

    first, second = tally.select(requests={0}), tally.select(requests={1})
    assert (first.counts.succeeded, second.counts.succeeded) == (10, 5), tally.select().counts.errors
    assert first.histogram(Metric.INTER_CHUNK_LATENCY).count == 50
    assert Metric.TIME_TO_FIRST_TOKEN not in second.histograms
    assert [tally.ended(range(9), {kind}).output_tokens for kind in (0, 1)] == [60, 30]


async def test_a_stall_is_in_the_tail(simulator: Callable[..., Simulator]) -> None:
    """No coordinated omission: of 100/s over 4 s, those that met a 2 s stall waited 2 s − x, uniformly."""
    server = simulator("--plain-ms=1", "--stall-at=1", "--stall-seconds=2")

    tally, _ = await run(
        a_plan(PAGE | {"http": {"path": "/health"}}, {"arrivalRate": 100, "durationSeconds": 4}), server.url
    )

    histogram = tally.select().histogram(Metric.RESPONSE_TIME)
    assert histogram.count == 400
    assert 1.9e6 <= histogram.largest <= 2.6e6
    assert 0.9e6 <= histogram.percentile(75) <= 1.4e6  # half of all met the stall: P75 is its middle
    assert histogram.percentile(40) <= 0.3e6


async def test_a_time_out_is_censored_at_its_value(simulator: Callable[..., Simulator]) -> None:
    """Answers after 3 s with a time-out of 1 s: in ResponseTime and TimeToFirstToken as 1 s, nowhere else, and never good."""
    server = simulator("--ttft-ms=3000", "--slots=100")

    tally, _ = await run(a_plan(CHAT | {"timeoutSeconds": 1}, {"arrivalRate": 5}), server.url)

    chosen = tally.select()
    assert chosen.counts.errors == {"TotalTimeout": 5}
    assert chosen.counts.good == 0
    assert set(chosen.histograms) == {Metric.RESPONSE_TIME, Metric.TIME_TO_FIRST_TOKEN}
    assert chosen.histogram(Metric.RESPONSE_TIME).total == 5_000_000
