"""What if: predictions from a stored run, held against worlds in which the other settings are really played."""

from dataclasses import replace

import pytest

from loadtest_operator.core.scaling.replay.course import UnknowableError
from loadtest_operator.core.scaling.replay.prediction import MOST_ERROR, predict
from loadtest_operator.core.scaling.replay.settings import SettingError, changed
from loadtest_operator.core.scaling.shadow.orders import Behavior, Flags, Orders, Policy, Rules
from unit.operator.film import at
from unit.operator.replay_world import CPU, RATE, World, forbidden, torn

SLOW = Behavior(Rules(0, (Policy("Pods", 4, 15),)), Rules(60, (Policy("Percent", 100, 15),)))
FAST = Flags(sync=5.0)


def orders(*metrics: object, least: int = 1, most: int = 6, behavior: Behavior | None = SLOW) -> Orders:
    return Orders(least, most, metrics or (CPU,), behavior)  # type: ignore[arg-type]


def off(predicted: int, truth: list[int]) -> float:
    return abs(predicted - sum(truth)) / sum(truth)


OTHERS = [
    ("a higher target", ["target=80"], {"metrics": (replace(CPU, target=80),)}),
    ("a lower target", ["target=40"], {"metrics": (replace(CPU, target=40),)}),
    ("a lower maximum", ["max=3"], {"maximum": 3}),
    ("a higher minimum", ["min=3"], {"minimum": 3}),
    ("a longer window", ["stabilizationWindowSeconds=150"], {"behavior": replace(SLOW, down=replace(SLOW.down, window=150))}),
    ("a slower way up", ["scaleUp.policies=1Pods/60s"], {"behavior": replace(SLOW, up=Rules(0, (Policy("Pods", 1, 60),)))}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "other"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_what_is_predicted_is_what_happens(settings: list[str], other: dict[str, object]) -> None:
    """Replica-seconds within 5 % of the world that really has the other settings, and the same peak."""
    world = World(orders=orders())
    found = predict(world.record(), settings)
    truth = World(orders=replace(orders(), **other))
    truth.record()

    assert off(found.predicted.replica_seconds, truth.replicas) <= 0.05
    assert found.predicted.peak == max(truth.replicas)
    assert found.predicted.replica_seconds != found.happened.replica_seconds


def test_it_reproduces_the_run_and_says_how_well() -> None:
    world = World(orders=orders())
    found = predict(world.record(), [])

    assert found.happened.replica_seconds == sum(world.replicas)
    assert found.predicted == found.replayed
    assert found.error <= MOST_ERROR


@pytest.mark.parametrize("seconds", [5.0, 15.0, 30.0])
def test_the_controllers_beat_is_told_by_the_run(seconds: float) -> None:
    assert predict(World(orders=replace(orders(), flags=Flags(sync=seconds))).record(), []).error <= MOST_ERROR


def test_an_external_metric_is_shared_out() -> None:
    found = predict(World(orders=orders(RATE)).record(), ["target=9"])
    truth = World(orders=orders(replace(RATE, target=9000)))
    truth.record()

    assert off(found.predicted.replica_seconds, truth.replicas) <= MOST_ERROR


def test_a_run_that_was_short_tells_what_more_replicas_would_do() -> None:
    """The metric alone does not: it stands at what two replicas can take."""
    world = World(orders=orders(most=2))
    found = predict(world.record(), ["max=8"])
    truth = World(orders=orders(most=8))
    truth.record()

    assert found.measured.short
    assert found.measured.capacity == pytest.approx(world.capacity, rel=0.1)
    assert abs(found.predicted.peak - max(truth.replicas)) <= 1
    assert off(found.predicted.replica_seconds, truth.replicas) <= MOST_ERROR
    assert found.replayed.short_seconds == pytest.approx(world.short, rel=0.1)
    assert found.predicted.short_seconds == pytest.approx(truth.short, rel=0.1)


def test_a_faster_start_is_less_time_pending() -> None:
    found = predict(World(orders=orders(), cold_start=60).record(), ["coldStartSeconds=10"])

    assert found.measured.cold_start == pytest.approx(60, abs=1)
    assert found.predicted.pending_seconds < found.replayed.pending_seconds / 3


def test_what_no_replica_ever_had_to_take_is_not_known() -> None:
    """Six replicas were plenty; whether one could take it all, nobody saw."""
    found = predict(World(orders=orders(least=6), capacity=50).record(), ["min=1", "max=1"])

    assert not found.measured.short
    assert found.predicted.late_share is None
    assert "whether it can is not known" in found.beyond


def test_answers_that_fail_at_once_are_no_want_of_room() -> None:
    """Three of ten do, whatever the load: what a replica can take is not known from that."""
    found = predict(World(orders=orders(least=6), capacity=50, errors=0.3).record(), [])

    assert not found.measured.short


UNKNOWABLE = [
    ("a metric that does not follow the load", World(orders=orders(), deaf=True).record(), "does not follow the load"),
    ("a metric that may not be read", forbidden(World().record()), "metric cpu had no value that could be read: no rights"),
    ("a gap", torn(World().record(), 100, 20), "from second 100 on (the operator was away)"),
    ("faults", replace(World().record(), faults=True), "play a run without faults"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "why"), [row[1:] for row in UNKNOWABLE], ids=[row[0] for row in UNKNOWABLE])
def test_what_cannot_be_told_is_said(record: object, why: str) -> None:
    with pytest.raises(UnknowableError) as caught:
        predict(record, ["max=3"])  # type: ignore[arg-type]

    assert why in str(caught.value)


def test_a_run_that_another_hand_scaled_is_not_reproduced() -> None:
    record = World(orders=orders()).record()
    samples = tuple(
        replace(sample, replicas=5) if sample.time > at(100) else sample for sample in record.timeline.samples
    )

    with pytest.raises(UnknowableError, match="played with its own settings the run comes out as"):
        predict(replace(record, timeline=replace(record.timeline, samples=samples)), [])


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("max", "'max' is no setting: write NAME=VALUE"),
        ("maximum=3", "'maximum' cannot be set: what can be is min, max, target"),
        ("max=many", "max=many: write a number from 1 on"),
        ("max=2.5", "max=2.5: write a whole number"),
        ("min=0", "min=0: write a number from 1 on"),
        ("min=9", "min=9 is above max=6: set the other one too"),
        ("target=0", "target=0: write a number from 1 on"),
        ("target.rate=9", "the autoscaler steers by cpu; write target.cpu"),
        ("scaleUp.policies=4", "write policies as 4Pods/15s"),
        ("tolerance=nan", "tolerance=nan: write a number from 0 on"),
    ],
)
def test_a_wrong_setting_says_what_is_right(setting: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        changed(orders(), [setting])

    assert says in str(caught.value)
