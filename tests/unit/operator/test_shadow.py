"""The autoscaler's algorithm: against recordings of the real one, and by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest_operator.core.scaling.shadow import controller
from loadtest_operator.core.scaling.shadow.controller import Why
from loadtest_operator.core.scaling.shadow.limits import Memory
from loadtest_operator.core.scaling.shadow.orders import Flags, Orders, milli, orders_of
from loadtest_operator.core.scaling.shadow.proposals import PROPOSALS, NoValueError, propose
from loadtest_operator.core.scaling.shadow.sight import PENDING, Pod, Sight, Usage
from recordings import replay

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
QUEUE = {
    "type": "Pods",
    "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}},
}


def external(name: str = "rate", **target: str) -> dict[str, object]:
    kind = "AverageValue" if "averageValue" in target else "Value"
    return {"type": "External", "external": {"metric": {"name": name}, "target": {"type": kind, **target}}}


RATE = external(averageValue="10")
DEPTH = external("depth", value="10")


def orders(*metrics: object, behavior: object = None, **more: object) -> Orders:
    spec = {"minReplicas": 1, "maxReplicas": 20, "metrics": list(metrics), "behavior": behavior, **more}
    return orders_of(spec, Flags())


def pods(count: int, **more: object) -> tuple[Pod, ...]:
    plain = Pod("", started=-1000, since=-900, requests={"main": {"cpu": 1000}})
    return tuple(replace(plain, name=f"{place}", **more) for place in range(count))


def using(found: tuple[Pod, ...], milli_cpu: int) -> dict[str, Usage]:
    return {pod.name: Usage(-10, 10, {"main": {"cpu": milli_cpu}}) for pod in found}


@pytest.mark.parametrize("name", replay.names())
def test_it_agrees_with_the_real_one(name: str) -> None:
    """Nine of ten syncs exactly, and nearly all within one replica and one sync; steps as well as rest."""
    found = replay.agreement(replay.played(replay.load(name)))
    assert found.exact >= 0.9 * found.syncs
    assert found.near >= 0.98 * found.syncs
    assert found.moved_alike >= 0.9 * found.moved


@pytest.mark.parametrize("name", replay.names())
def test_it_sees_what_the_real_one_saw(name: str) -> None:
    """Each metric that the HPA has no value for has none here, and the other way round."""
    recording = replay.load(name)
    for sync in replay.played(recording):
        active = sync.status["conditions"].get("ScalingActive", ["True", ""])
        if sync.decision.why in (Why.LIMIT, Why.DISABLED) and not sync.decision.proposals:
            continue
        assert (active[0] == "True") == (sync.decision.why is not Why.INVALID), f"second {sync.at:.1f}: {active}"


def test_enough_was_recorded() -> None:
    """All types of metrics, and each thing that the algorithm does to one."""
    recordings = [replay.load(name) for name in replay.names()]
    kinds = {metric.key for recording in recordings for metric in recording.orders.metrics}
    whys = {sync.decision.why for recording in recordings for sync in replay.played(recording)}
    assert len(recordings) >= 12
    assert kinds == set(PROPOSALS) - {("ContainerResource", "AverageValue")}
    assert whys == set(Why)


@pytest.mark.parametrize(
    ("used", "target", "wanted"),
    [(950, 70, 6), (779, 70, 4), (770, 70, 4), (781, 70, 5), (630, 70, 4), (629, 70, 4), (619, 70, 4), (520, 70, 3)],
)
def test_a_utilization_is_cut_to_whole_percent(used: int, target: int, wanted: int) -> None:
    """77.9 % of 70 % is within a tolerance of 10 %, since 77/70 is."""
    found = pods(4)
    sight = Sight(4, 4, found, using(found, used))
    assert propose(orders(CPU).metrics[0], orders(CPU), sight, 0).replicas == wanted


def test_pods_that_wait_for_a_node_hold_it_back() -> None:
    """Four at 100 % of 70 % with four pending ask for no more than these eight."""
    running = pods(4)
    waiting = tuple(replace(pod, name=f"waiting-{pod.name}", phase=PENDING, ready=None) for pod in running)
    sight = Sight(8, 8, running + waiting, using(running, 1000))
    found = propose(orders(CPU).metrics[0], orders(CPU), sight, 0)
    assert (found.replicas, found.held, found.value) == (8, True, 100)


@pytest.mark.parametrize(("used", "wanted"), [(1400, 5), (300, 4)])
def test_a_pod_without_a_value_counts_against_the_change(used: int, wanted: int) -> None:
    """As idle where it would grow, as busy where it would shrink."""
    found = pods(4)
    sight = Sight(4, 4, found, using(found[:3], used))
    steering = orders(CPU).metrics[0]
    whole = propose(steering, orders(CPU), replace(sight, usage=using(found, used)), 0).replicas
    assert propose(steering, orders(CPU), sight, 0).replicas == {1400: 6, 300: 3}[used]
    assert whole == {1400: 8, 300: 2}[used], wanted


@pytest.mark.parametrize(
    ("pod", "counts"),
    [
        (Pod("new", started=-100, ready=True, since=-60), True),
        (Pod("new", started=-100, ready=True, since=-15), False),
        (Pod("new", started=-100, ready=False, since=-60), False),
        (Pod("new", started=-400, ready=False, since=-60), True),
        (Pod("new", started=-400, ready=False, since=-380), False),
        (Pod("new", started=-400, ready=None), False),
        (Pod("new", started=None, ready=True, since=-60), False),
    ],
)
def test_the_cpu_of_a_pod_that_starts(pod: Pod, counts: bool) -> None:
    """For five minutes it counts once a whole window was measured while it was ready; later unless it never was."""
    found = (*pods(1), replace(pod, requests={"main": {"cpu": 1000}}))
    sight = Sight(2, 2, found, using(found, 1400))
    assert propose(orders(CPU).metrics[0], orders(CPU), sight, 0).replicas == (4 if counts else 2)


def test_a_value_in_all_counts_ready_pods_only() -> None:
    """With nobody ready a Value metric asks for none at all, however long the queue is."""
    sight = Sight(4, 4, pods(4, ready=False), served={"depth": milli("80")})
    assert propose(orders(DEPTH).metrics[0], orders(DEPTH), sight, 0).replicas == 0


def test_some_metrics_without_a_value_only_let_it_grow() -> None:
    """The one that is left may ask for more, never for less."""
    both = orders(RATE, DEPTH)
    more, less = ({"rate": milli(value), "depth": None} for value in ("60", "20"))
    _, grows = controller.sync(both, Memory(desired=4), Sight(4, 4, pods(4), served=more), 0)
    _, stays = controller.sync(both, Memory(desired=4), Sight(4, 4, pods(4), served=less), 0)
    assert (grows.desired, grows.steps) == (6, True)
    assert (stays.desired, stays.steps, stays.why) == (4, False, Why.INVALID)
    assert "depth" in stays.invalid


def test_a_container_without_a_request_makes_its_metric_invalid() -> None:
    """As the HPA says it: a missing request."""
    found = pods(2, requests={"main": {"cpu": 100}, "side": {}})
    with pytest.raises(NoValueError, match="requests no cpu"):
        propose(orders(CPU).metrics[0], orders(CPU), Sight(2, 2, found, using(found, 90)), 0)


def test_a_quantity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no quantity; write it like"):
        milli("ten")


@given(
    current=st.integers(1, 20),
    value=st.integers(0, 10**7),
    select=st.sampled_from(["Max", "Min", "Disabled"]),
    policies=st.lists(st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 200)), min_size=1, max_size=3),
)
def test_it_never_leaves_its_limits(current: int, value: int, select: str, policies: list[tuple[str, int]]) -> None:
    """Between minimum and maximum, and never against what the metrics ask for."""
    rules = {
        "selectPolicy": select,
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": kind, "value": number, "periodSeconds": 15} for kind, number in policies],
    }
    given_ = orders(RATE, behavior={"scaleUp": rules, "scaleDown": rules})
    _, found = controller.sync(given_, Memory(((-1.0, current),)), Sight(current, current, served={"rate": value}), 0)
    assert found.wanted is not None
    assert 1 <= found.desired <= 20
    assert min(current, found.wanted) <= found.desired <= max(current, found.wanted, 1)
    assert found.desired == current or select != "Disabled"


@given(values=st.lists(st.integers(0, 300_000), min_size=1, max_size=40), window=st.integers(0, 300))
def test_it_goes_down_only_after_its_window(values: list[int], window: int) -> None:
    """What it wants is at least what it asked for at any sync within the window."""
    behavior = {"scaleUp": {}, "scaleDown": {"stabilizationWindowSeconds": window}}
    given_ = orders(RATE, behavior=behavior, maxReplicas=1000)
    memory, replicas, asked = Memory(), 1, []
    for place, value in enumerate(values):
        now = 15.0 * place
        memory, found = controller.sync(given_, memory, Sight(replicas, replicas, served={"rate": value}), now)
        memory = controller.after(given_, memory, replicas, found.desired, now)
        assert found.wanted is not None
        asked.append((now, found.wanted))
        if found.desired < replicas:
            assert found.desired >= max(number for at, number in asked if at > now - window or at == now)
        replicas = found.desired
