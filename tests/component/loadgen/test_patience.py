"""Time-outs for the beginning of an answer and for stalls, against servers that are silent or stop."""

import asyncio
from typing import Any

from plans import CHAT, PAGE, a_plan
from runs import run
from servers import OK, Script, answering, serving, slowly

from fakes.bad import DELTA, DONE, STREAM_HEAD, chunk, request, silence
from loadgen.core.stats.tally import Selection
from loadgen.model.plan import Metric

GAP = 0.4


def stopping(*parts: bytes, gap: float = 0.0) -> Script:
    """A stream's beginning, with a pause after each part, and then nothing."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(gap)
        await asyncio.sleep(60)

    return script


async def ran(script: Script, request: dict[str, Any], **timeouts: int) -> Selection:
    async with serving(script) as url:
        tally, _ = await run(a_plan(request | {"timeoutSeconds": 4} | timeouts, {"arrivalRate": 3}), url)
    return tally.select()


async def test_silence_is_a_first_byte_time_out_at_its_value() -> None:
    chosen = await ran(silence, PAGE, firstByteTimeoutSeconds=1, stallTimeoutSeconds=1)

    assert chosen.counts.errors == {"FirstByteTimeout": 3}
    assert chosen.histogram(Metric.RESPONSE_TIME).total == 3_000_000
    assert chosen.counts.good == 0


async def test_a_stream_that_stops_is_a_stall_from_its_last_byte() -> None:
    """A head, two outputs with a gap before the silence: counted from the intended start to a second after the last byte."""
    script = stopping(STREAM_HEAD + chunk(DELTA), chunk(DELTA), gap=GAP)

    chosen = await ran(script, CHAT, firstByteTimeoutSeconds=1, stallTimeoutSeconds=1)

    assert chosen.counts.errors == {"StallTimeout": 3}
    assert (1 + GAP) * 3e6 <= chosen.histogram(Metric.RESPONSE_TIME).total < (1 + 2 * GAP) * 3e6


async def test_a_stream_that_goes_on_outlives_both() -> None:
    """An answer of 2 s with gaps of 0.4 s."""
    parts = [STREAM_HEAD, *[chunk(DELTA)] * 4, chunk(DONE) + chunk(b"")]

    chosen = await ran(stopping(*parts, gap=GAP), CHAT, firstByteTimeoutSeconds=1, stallTimeoutSeconds=1)

    assert chosen.counts.succeeded == 3, chosen.counts.errors


async def test_without_them_only_the_whole_counts() -> None:
    chosen = await ran(slowly(1.3), PAGE, stallTimeoutSeconds=1)

    assert chosen.counts.succeeded == 3, chosen.counts.errors


async def test_a_kept_connection_is_not_silent_for_what_was_before() -> None:
    """Requests 1.5 s apart over one connection: what it read last was the answer before."""
    plan = a_plan(PAGE | {"stallTimeoutSeconds": 1}, {"arrivalRate": "0.6", "durationSeconds": 5})
    async with serving(answering(OK)) as url:
        tally, deltas = await run(plan, url)

    assert tally.select().counts.succeeded == 3
    assert sum(delta.pulse.connections_opened for delta in deltas) == 1
