"""What a person sees: the verdict first, what does not hold before what does, the next step last."""

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from kubectl_loadtest.core import advice
from kubectl_loadtest.core.starting import Wanted
from kubectl_loadtest.core.watching import seen
from kubectl_loadtest.views import ending, live
from kubectl_loadtest.views.screen import Safe
from loadgen.model.report import ValidityLevel, Verdict
from loadtest_operator.api.status import LoadTestStatus
from unit.plugin.statuses import FIGURES, a_run, a_test, finished

THRESHOLDS = [
    {"name": "errors", "result": "Passed", "observed": "0 %", "wanted": "<= 1 %", "window": "run"},
    {"name": "ttft-p95", "result": "Failed", "observed": "1710 ms", "wanted": "< 1500 ms", "window": "peak"},
    {
        "name": "e2e-p99",
        "result": "Unknown",
        "observed": "n/a",
        "wanted": "< 9 s",
        "window": "peak",
        "message": "e2e-p99: 400 more requests would decide",
    },
]
SCALING = {
    "replicas": {"initial": 1, "peak": 3, "final": 3},
    "expectations": [{"name": "grows", "result": "Passed", "observed": "3 replicas", "wanted": "at least 3"}],
    "scaleUps": [{"fromReplicas": 1, "toReplicas": 3, "seconds": {"decided": "6", "serving": "10.3"}}],
}


def shown(picture: RenderableType, width: int = 120) -> str:
    """As a terminal of this width without colour shows it."""
    written = io.StringIO()
    Console(file=written, width=width, color_system=None, markup=False).print(Safe(picture))
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def a_status(verdict: str = "Failed", **more: Any) -> LoadTestStatus:
    summary = {
        **FIGURES,
        "requests": {"planned": 200, "succeeded": 197, "failed": 3},
        "errors": [{"class": "Http503", "count": 3}],
        "validity": {"level": "Degraded", "reasons": ["lag P99 was 30 ms"]},
        "stages": [{"name": "peak", **FIGURES}],
    }
    whole = finished(3, verdict, summary=summary, thresholds=THRESHOLDS, scaling=SCALING, **more)
    return LoadTestStatus.model_validate(whole)


def test_an_ending_reads_from_the_verdict_to_the_next_step() -> None:
    """Verdict, why, where; what was asked for, failures first; figures; how well it was measured; what now."""
    lines = shown(ending.picture("demo", "chat", a_status())).splitlines()

    assert lines[0] == "Failed  it Failed"
    assert (
        lines[1] == "LoadTest demo/chat · run 3 · http://web.demo:80 · began 2026-01-01 12:00:00 UTC · took 5 min 3 s"
    )
    titles = [line for line in lines if line and not line.startswith(" ")][2:]
    assert titles == [
        "Asked for",
        "Measured; response times and TTFT in milliseconds",
        "Scale-ups",
        "Seen",
        "Measurement: Degraded",
        "Next",
    ]
    judged = [line.split()[:2] for line in lines[lines.index("Asked for") + 1 :][:5]]
    assert judged == [
        ["result", "observed"],
        ["ttft-p95", "FAIL"],
        ["e2e-p99", "?"],
        ["errors", "ok"],
        ["grows", "ok"],
    ]
    text = "\n".join(lines)
    assert "e2e-p99: 400 more requests would decide" in text
    assert "197 of 200 requests ok, 3 failed, 0 dropped, 0 cut off: Http503 3" in text
    assert "replicas: 1 at the start, 3 at most, 3 at the end" in text
    assert "lag P99 was 30 ms" in text
    assert "kubectl loadtest rerun chat -n demo --wait" in text.replace("\n     ", " ")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_every_width_is_kept(width: int) -> None:
    """No line is longer, and no number is cut: what does not fit is left out whole."""
    look = seen(a_test(a_run(3, summary={**FIGURES, "stages": [{"name": "peak", **FIGURES}]})), Wanted("1"))
    for picture in (ending.picture("demo", "chat", a_status()), live.picture("LoadTest demo/chat", look, [])):
        text = shown(picture, width)
        assert max(map(len, text.splitlines())) <= width
        assert "480" in text or "P95" in text


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_next_step(verdict: Verdict) -> None:
    """With the names filled in."""
    steps = advice.next_steps("demo", "chat", a_status(verdict))
    assert steps
    assert "{" not in "".join(steps)


@pytest.mark.parametrize("reason", advice.BY_REASON)
def test_a_reason_brings_its_own_step_first(reason: Any) -> None:
    """What is particular before what is general."""
    condition = {
        "type": "WorkersReady", "status": "False", "reason": reason.name, "lastTransitionTime": "2026-01-01T12:00:00Z"
    }  # fmt: skip
    steps = advice.next_steps("demo", "chat", a_status("Error", conditions=[condition]))
    assert len(steps) == 2
    assert steps[0] == advice.BY_REASON[reason].format(namespace="demo", name="chat", run=3)


def test_a_generator_that_was_the_limit_needs_more_workers() -> None:
    """Whatever else is advised."""
    status = a_status("Inconclusive")
    summary = status.summary
    assert summary is not None
    assert summary.validity is not None
    limited = summary.validity.model_copy(update={"level": ValidityLevel.GENERATOR_LIMITED})
    status = status.model_copy(update={"summary": summary.model_copy(update={"validity": limited})})
    assert "spec.load.workers" in advice.next_steps("demo", "chat", status)[0]


def test_nothing_measured_is_said() -> None:
    """No zero stands for what was not there."""
    text = shown(ending.picture("demo", "chat", LoadTestStatus.model_validate(finished(1, "Error"))))
    assert "Measurement: nothing was measured" in text
    assert "requests ok" not in text
    assert "0" not in text.split("Measurement")[0].replace("2026-01-01 12:00:00", "").replace("web.demo:80", "")


def test_a_live_picture() -> None:
    """Where it is, what is known, what is odd."""
    status = a_run(
        3,
        run={"currentStage": "peak", "progressPercent": 62},
        workers={"desired": 4, "ready": 3, "failed": 1},
        summary={**FIGURES, "requests": {"planned": 9, "succeeded": 8, "failed": 1}},
        scaling={"replicas": {"initial": 1, "current": 2, "peak": 3}, "message": "the autoscaler has no metric"},
        faults=[{"name": "slow", "injectedTime": "2026-01-01T12:00:05Z"}],
    )
    text = shown(live.picture("LoadTest demo/chat", seen(a_test(status), Wanted("1")), ["as of 3 s ago"]))

    assert text.splitlines()[0] == "LoadTest demo/chat · run 3 · Running · stage peak · 62 %"
    assert text.splitlines()[1] == "━" * 24 + "┄" * 16
    assert text.splitlines()[2] == "in Running"
    for said in (
        "workers: 3 of 4 ready, 1 lost",
        "8 of 9 requests ok, 1 failed",
        "replicas: 2 now, 1 at the start, 3 at most",
        "the autoscaler has no metric",
        "fault slow: Pending, in force from 12:00:05",
        "as of 3 s ago",
    ):
        assert said in text


def test_before_the_operator_came() -> None:
    """An older run's figures are not shown as the new run's."""
    old = finished(2, "Passed", "old", summary=FIGURES)
    text = shown(live.picture("LoadTest demo/chat", seen(a_test(old, token="new"), Wanted("new", 2)), []))
    assert text == "LoadTest demo/chat · waiting for its run to begin\n"


def test_many_stages_leave_room_for_the_newest() -> None:
    """A terminal shows the top of what is too long; how many are left out is said, and at the end all are there."""
    stages = [{"name": f"s{number}", **FIGURES} for number in range(20)]
    look = seen(a_test(a_run(summary={**FIGURES, "stages": stages})), Wanted("1"))
    text = shown(live.picture("LoadTest demo/chat", look, []))
    assert [line.split()[1] for line in text.splitlines() if line.startswith("stage ")] == [
        f"s{n}" for n in range(12, 20)
    ]
    assert "12 earlier stages are not shown" in text
    ended = shown(ending.picture("demo", "chat", LoadTestStatus.model_validate(finished(summary=look.status.summary))))
    assert ended.count("stage s") == 20
