"""nginx counts the requests it has served; ours must be as many."""

from urllib.request import urlopen

import pytest

from loadgen.model.plan import Metric

pytestmark = pytest.mark.real


def served(url: str) -> int:
    """All requests so far, this one too (the third number of the third line of stub_status)."""
    with urlopen(url + "/status", timeout=10) as response:
        return int(response.read().split()[9])


def test_every_request_is_counted_once(nginx: str, play) -> None:
    before = served(nginx)
    report = play(nginx, {"http": {"path": "/"}}, seconds=2, concurrency=8)
    counts = report.total.counts
    assert counts.failed == counts.dropped == 0, report.total.errors
    assert 0 <= served(nginx) - before - 1 - counts.sent <= 2
    assert report.total.latencies[Metric.E2E_LATENCY].count == counts.succeeded


def test_a_target_that_only_fails_is_refused_with_the_reason(nginx: str, play) -> None:
    with pytest.raises(AssertionError, match="failed with Http404"):
        play(nginx, {"http": {"path": "/missing"}}, seconds=1)


def test_a_status_that_is_expected_is_a_success(nginx: str, play) -> None:
    report = play(nginx, {"http": {"path": "/missing", "expectStatus": [404]}}, seconds=1)
    assert report.total.counts.failed == 0
    assert report.total.counts.succeeded > 10
