"""A real model server counts and times its own work; the generator must come to the same numbers from outside.

llama.cpp's counters: seconds spent on prompts (until the first token is sampled), seconds spent on generating (after
it), tokens predicted. One request at a time, so that sums over the run can be compared.
"""

from dataclasses import dataclass
from urllib.request import urlopen

import pytest

from loadgen.model.plan import Metric
from loadgen.model.report import Report

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # the first use installs

TOKENS = 12
PROMPT = {"synthetic": {"inputTokens": {"mean": 16, "stddev": 4}}}
OVERHEAD_MS = 40
"""HTTP, tokenising and a busy machine, per request."""


@dataclass(frozen=True)
class Work:
    """What the server did, by its own account."""

    tokens: float
    prompt_ms: float
    generation_ms: float

    @classmethod
    def of(cls, url: str) -> "Work":
        with urlopen(url + "/metrics", timeout=10) as response:
            rows = [line.split() for line in response.read().decode().splitlines() if not line.startswith("#")]
        counters = {row[0].removeprefix("llamacpp:"): float(row[1]) for row in rows if row}
        seconds = counters["prompt_seconds_total"], counters["tokens_predicted_seconds_total"]
        return cls(counters["tokens_predicted_total"], *(1000 * value for value in seconds))

    def since(self, earlier: "Work") -> "Work":
        return Work(
            self.tokens - earlier.tokens,
            self.prompt_ms - earlier.prompt_ms,
            self.generation_ms - earlier.generation_ms,
        )


def chat(*, stream: bool) -> dict[str, object]:
    return {"openAIChat": {"model": "smollm2", "prompt": PROMPT, "maxTokens": TOKENS, "stream": stream}}


def mean(report: Report, metric: Metric) -> float:
    found = report.total.latencies[metric].mean
    assert found is not None
    return found


@pytest.fixture
def streamed(llama: str, play) -> tuple[Report, Work]:
    """A run of streamed chats, and the server's work for it."""
    before = Work.of(llama)
    report = play(llama, chat(stream=True), seconds=8)
    return report, Work.of(llama).since(before)


def test_streams_match_the_servers_own_counts_and_times(streamed: tuple[Report, Work]) -> None:
    report, work = streamed
    counts, latencies = report.total.counts, report.total.latencies
    assert counts.succeeded > 3
    assert counts.failed == counts.dropped == 0, report.total.errors
    seen = counts.succeeded + latencies[Metric.INTER_CHUNK_LATENCY].count
    # The probe before the run has tokens too, and a token without text of its own (part of a character, the end) is no event.
    assert 0 <= work.tokens - seen <= TOKENS + 0.1 * seen
    requests = counts.succeeded + 1
    ttft, tpot = mean(report, Metric.TIME_TO_FIRST_TOKEN_FROM_SEND), mean(report, Metric.TIME_PER_OUTPUT_TOKEN)
    assert 0.75 * work.prompt_ms / requests < ttft < 1.25 * work.prompt_ms / requests + OVERHEAD_MS
    assert tpot == pytest.approx(work.generation_ms / (work.tokens - requests), rel=0.25)


def test_tokens_come_one_an_event(streamed: tuple[Report, Work]) -> None:
    report, _ = streamed
    gaps = report.total.latencies[Metric.INTER_CHUNK_LATENCY]
    most = report.total.counts.succeeded * (TOKENS - 1)
    assert 0.9 * most <= gaps.count <= most  # the model may end an answer early
    assert gaps.mean == pytest.approx(mean(report, Metric.TIME_PER_OUTPUT_TOKEN), rel=0.1)


def test_whole_answers_take_prompt_and_generation_together(llama: str, play) -> None:
    before = Work.of(llama)
    report = play(llama, chat(stream=False))
    work = Work.of(llama).since(before)
    counts = report.total.counts
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert -TOKENS < work.tokens - counts.succeeded * TOKENS <= TOKENS  # the model may end an answer early
    requests = counts.succeeded + 1
    served = (work.prompt_ms + work.generation_ms) / requests
    assert 0.75 * served < mean(report, Metric.E2E_LATENCY) < 1.25 * served + OVERHEAD_MS
    in_time = sum(second.output_tokens for second in report.series)
    assert work.tokens - 2 * TOKENS <= in_time <= work.tokens  # without the probe and what ends after the stage


def test_completions_stream_too(llama: str, play) -> None:
    """The older protocol of the same server, in the open model: it closes a connection after each stream."""
    text = {"model": "smollm2", "prompt": {"text": "Once upon a time"}, "maxTokens": TOKENS}
    before = Work.of(llama)
    report = play(llama, {"openAICompletions": text}, rate=3)
    work, counts = Work.of(llama).since(before), report.total.counts
    assert counts.succeeded > 1
    assert counts.failed == counts.dropped == 0, report.total.errors
    seen = counts.succeeded + report.total.latencies[Metric.INTER_CHUNK_LATENCY].count
    assert 0 <= work.tokens - seen <= TOKENS


def test_more_streams_than_slots_wait_for_one(llama: str, play) -> None:
    report = play(llama, chat(stream=True), concurrency=6)
    counts = report.total.counts
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert mean(report, Metric.TIME_TO_FIRST_TOKEN) > 2 * mean(report, Metric.TIME_PER_OUTPUT_TOKEN) * TOKENS
