"""What a status tells of the cluster, on the axis of the report: seconds since the load began, and nothing that was not seen."""

from datetime import UTC, datetime
from typing import Any

from kubectl_loadtest.core.around import surroundings
from kubectl_loadtest.core.stored import Kept, Stored
from loadgen.report.html.surroundings import Span, Surroundings
from loadtest_operator.api.status import LoadTestStatus
from unit.loadgen.test_html import usual
from unit.plugin.statuses import finished

BEGUN = "2026-01-01T12:00:00Z"
ROSE = "2026-01-01T12:00:05Z"


def around(**scaling: Any) -> Surroundings:
    status = LoadTestStatus.model_validate(finished(1, "Passed", scaling=scaling))
    run = Kept(1, None, datetime(2026, 1, 1, 12, 1, tzinfo=UTC), (), current=True)
    return surroundings("demo/chat", run, Stored(usual().model_copy(update={"start_time": BEGUN}), {}), status)


def scale_up(**seconds: str) -> dict[str, Any]:
    return {"fromReplicas": 1, "toReplicas": 3, "loadStepTime": ROSE, "seconds": seconds}


def test_a_scale_up_is_an_episode_in_its_steps() -> None:
    (episode,) = around(scaleUps=[scale_up(decided="6", podScheduled="7", podReady="15", serving="15.5")]).episodes

    assert episode.name == "1 → 3"
    assert episode.steps == [
        Span("the autoscaler decides", 5, 11),
        Span("a node is found", 11, 12),
        Span("the pod gets ready", 12, 20),
        Span("traffic comes in", 20, 20.5),
    ]


def test_a_step_that_nobody_saw_the_end_of_is_left_out() -> None:
    (episode,) = around(scaleUps=[scale_up(decided="6", serving="15.5")]).episodes

    assert episode.steps == [Span("the autoscaler decides", 5, 11)]


def test_without_a_load_step_there_is_no_episode() -> None:
    """Where it would begin is not known."""
    assert around(scaleUps=[{**scale_up(decided="6"), "loadStepTime": None}]).episodes == []


def test_what_the_autoscaler_steers_by_has_its_target_or_why_there_is_no_value() -> None:
    metrics = [
        {"type": "Resource", "name": "cpu", "current": "63%", "target": "60%"},
        {"type": "External", "name": "queue", "target": "5", "lack": "Absent", "message": "nobody serves it"},
    ]
    (table,) = [one for one in around(metrics=metrics).tables if one.title == "What the autoscaler steers by"]

    assert table.rows == [
        ("cpu", "Resource", "63%", "60%", ""),
        ("queue", "External", "–", "5", "nobody serves it"),
    ]
