"""What would have suited the load better, with its arithmetic, checked in worlds that really have those settings."""

import math
from dataclasses import replace

import pytest

from loadtest_operator.api.outcome import ScalingStatus
from loadtest_operator.core.scaling.replay import advice
from loadtest_operator.core.scaling.replay.course import Record
from loadtest_operator.core.scaling.replay.recommendation import advised
from loadtest_operator.core.scaling.shadow.orders import milli
from unit.operator.replay_world import CPU, RATE, World, forbidden
from unit.operator.test_replay import orders


def test_the_arithmetic_is_shown_and_right() -> None:
    """6 requests/s each, 4.2 with headroom: one for 2 a second, five for 18; CPU at 4.2 a second is 12 × 4.2 + 3 = 53 %."""
    _, found = advised(World(orders=orders(most=2)).record())

    assert (found.minimum, found.maximum) == (1, 5)
    ((name, target),) = found.targets
    assert name == "cpu"
    assert int(target.removesuffix("%")) == pytest.approx(53.4 / 1.1, abs=3)
    assert found.arithmetic[:3] == (
        "a replica answered at most 6 requests/s; with 30% headroom 4.2 requests/s each",
        "minReplicas: ⌈2 / 4.2⌉ = 1, for the quietest stage",
        "maxReplicas: ⌈18 / 4.2⌉ = 5, for the busiest ten seconds",
    )
    assert found.arithmetic[3].startswith("target of cpu: (1")
    assert not found.least


@pytest.mark.parametrize("most", [1, 2])
def test_with_what_is_recommended_requests_wait_less(most: int) -> None:
    """In the world itself, and by as much as was said."""
    world = World(orders=orders(most=most))
    _, found = advised(world.record())
    ((_, target),) = found.targets
    metric = replace(CPU, target=int(target.removesuffix("%")))
    better = World(orders=replace(orders(metric), minimum=found.minimum, maximum=found.maximum))
    better.record()

    assert better.short < 0.7 * world.short
    assert found.played.short_seconds == pytest.approx(better.short, rel=0.15)
    assert found.played.replica_seconds == pytest.approx(sum(better.replicas), rel=0.2)


def test_a_quantity_is_recommended_for_what_is_counted_in_units() -> None:
    _, found = advised(World(orders=orders(RATE)).record())

    ((name, target),) = found.targets
    assert name == "rate"
    assert milli(target) / 1000 == pytest.approx(4.2 / 1.1, rel=0.05)


def test_where_no_replica_was_ever_short_fewer_may_do() -> None:
    _, found = advised(World(orders=orders(least=6), capacity=50).record())

    assert found.least
    assert "never short of room" in found.arithmetic[0]


def test_the_score_tells_too_few_from_too_many() -> None:
    """By the world's own numbers: a pod takes 6 requests/s, so three are needed for 18 and one for 2 or 3."""
    world = World(orders=orders())
    found, _ = advised(world.record())
    needed = [math.ceil(rate / world.capacity) for length, rate in world.stages for _ in range(length)]
    pairs = list(zip(world.ready, needed, strict=True))

    assert found.short == pytest.approx(sum(there < wanted for there, wanted in pairs) / len(pairs), abs=0.03)
    assert found.spare == pytest.approx(sum(there > wanted for there, wanted in pairs) / len(pairs), abs=0.03)
    assert found.replica_seconds == sum(world.replicas)
    assert found.needed_seconds == pytest.approx(sum(needed), rel=0.05)


def test_where_no_replica_was_ever_short_nobody_knows_what_was_spare() -> None:
    found, _ = advised(World(orders=orders(least=6), capacity=50).record())

    assert (found.short, found.spare, found.needed_seconds) == (0, None, None)


def shown(record: Record) -> ScalingStatus:
    return advice.beside(ScalingStatus(autoscaler="web"), record)


def test_the_status_has_both() -> None:
    found = shown(World(orders=orders(most=2)).record())

    assert found.score is not None
    assert found.recommendation is not None
    assert found.recommendation.max_replicas == 5
    assert found.recommendation.headroom_percent == "30"
    assert found.recommendation.message is None
    assert " replica-seconds, " in found.recommendation.played


def test_what_is_not_known_is_said_and_nothing_recommended() -> None:
    found = shown(forbidden(World().record()))

    assert (found.score, found.recommendation.max_replicas if found.recommendation else 0) == (None, None)
    assert found.recommendation is not None
    assert found.recommendation.message == "not known: metric cpu had no value that could be read: no rights"


def test_a_long_run_is_not_played_when_it_ends() -> None:
    """Other runs wait for the operator."""
    record = World(orders=orders()).record()
    stage = record.report.plan.load.stages[0].model_copy(update={"duration_seconds": 7 * 3600})
    load = record.report.plan.load.model_copy(update={"stages": (stage,)})
    plan = record.report.plan.model_copy(update={"load": load})
    found = shown(replace(record, report=record.report.model_copy(update={"plan": plan})))

    assert found.recommendation is not None
    assert "longer than 6 h: ask kubectl loadtest whatif" in (found.recommendation.message or "")
