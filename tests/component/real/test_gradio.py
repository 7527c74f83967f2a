"""A real Gradio 6 app: calls through its queue and without it, and plain HTTP requests."""

import json

import pytest

from loadgen.model.plan import Metric
from loadgen.model.report import Report

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # the first use installs

PIECES, PAUSE_SECONDS = 5, 0.1
"""As in fakes/gradio_app.py, which only imports where Gradio is."""
JSON = {"Content-Type": "application/json"}


def post(path: str) -> dict[str, object]:
    return {"http": {"method": "POST", "path": path, "headers": JSON, "body": json.dumps({"data": ["hello"]})}}


def assert_refused(report: Report, failure: str) -> None:
    assert report.verdict == "Inconclusive"
    assert failure in report.message
    assert report.total.counts.planned == 0


def test_answers_at_once(gradio: str, play) -> None:
    report = play(gradio, post("/gradio_api/run/shout"), seconds=2, concurrency=2)
    assert report.total.counts.failed == 0, report.total.errors
    assert report.total.counts.succeeded > 5


def test_queues_a_call(gradio: str, play) -> None:
    """Gently: nobody fetches the results, and a full queue is a 503."""
    report = play(gradio, post("/gradio_api/call/spell"), seconds=2, rate=20)
    assert report.total.counts.failed == 0, report.total.errors
    assert report.total.counts.succeeded > 5


def test_the_path_of_older_versions_is_gone(gradio: str, play) -> None:
    assert_refused(play(gradio, post("/run/predict"), seconds=1), "Http404")


SHOUT, SPELL, FAIL, REPEAT = 3, 4, 5, 6
"""Functions without a name."""


def a_call(function: str | int, **more: object) -> dict[str, object]:
    asked = {"fnIndex": function, "protocol": "QueueJoin"} if isinstance(function, int) else {"apiName": function}
    return {"gradio": {"data": '["{prompt}"]', "prompt": {"text": "hello"}, **asked, **more}}


@pytest.mark.parametrize("function", ["spell", SPELL, REPEAT])
def test_a_generators_outputs_are_timed_to_complete(gradio: str, play, function: str | int) -> None:
    """The app pauses before each of its pieces; where it is quicker than the stream, pieces may be joined."""
    report = play(gradio, a_call(function), seconds=4, concurrency=2)

    counts, latencies = report.total.counts, report.total.latencies
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert counts.succeeded > 3
    pause = 1000 * PAUSE_SECONDS
    first, whole = latencies[Metric.TIME_TO_FIRST_TOKEN].mean, latencies[Metric.E2E_LATENCY].mean
    assert pause <= first < 3 * pause
    assert PIECES * pause <= whole < PIECES * pause + 500
    assert latencies[Metric.TIME_TO_FIRST_BYTE].mean < first
    assert latencies[Metric.INTER_CHUNK_LATENCY].count == counts.succeeded * (PIECES - 1)


@pytest.mark.parametrize(("function", "more"), [("shout", {}), ("shout", {"protocol": "Predict"}), (SHOUT, {})])
def test_a_function_that_answers_at_once(gradio: str, play, function: str | int, more: dict[str, object]) -> None:
    report = play(gradio, a_call(function, **more), seconds=2, rate=5)

    counts, latencies = report.total.counts, report.total.latencies
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert counts.succeeded == counts.planned > 3
    assert (Metric.TIME_TO_FIRST_TOKEN in latencies) is not bool(more)


@pytest.mark.parametrize(
    ("function", "failure"),
    [
        ("fail", "StreamError"),
        ("missing", "Http500"),
        (FAIL, "StreamError"),
        (7, "Http500"),
    ],
)
def test_what_goes_wrong_is_told_before_the_load(gradio: str, play, function: str | int, failure: str) -> None:
    """Nothing is loaded, and the report says why."""
    assert_refused(play(gradio, a_call(function), seconds=1), failure)


def test_a_name_that_leads_elsewhere_is_no_plan(gradio: str, play) -> None:
    with pytest.raises(AssertionError, match="apiName"):
        play(gradio, a_call("shout/../spell"), seconds=1)
