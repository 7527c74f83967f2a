"""A real Gradio 6 app under plain HTTP requests: calls that answer at once, and calls that queue."""

import json

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # the first use installs

JSON = {"Content-Type": "application/json"}


def post(path: str) -> dict[str, object]:
    return {"http": {"method": "POST", "path": path, "headers": JSON, "body": json.dumps({"data": ["hello"]})}}


def test_answers_at_once(gradio: str, play) -> None:
    report = play(gradio, post("/gradio_api/run/shout"), seconds=2, concurrency=2)
    assert report.total.counts.failed == 0, report.total.errors
    assert report.total.counts.succeeded > 5


def test_queues_a_call(gradio: str, play) -> None:
    report = play(gradio, post("/gradio_api/call/spell"), seconds=2, concurrency=2)
    assert report.total.counts.failed == 0, report.total.errors
    assert report.total.counts.succeeded > 5


def test_the_path_of_older_versions_is_gone(gradio: str, play) -> None:
    with pytest.raises(AssertionError, match="failed with Http404"):
        play(gradio, post("/run/predict"), seconds=1)
