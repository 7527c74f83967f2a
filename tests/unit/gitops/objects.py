"""LoadTests and schedules as the API server has them, in every phase and with every verdict: played, not written."""

from collections.abc import Iterator
from typing import Any

from builders import a_spec, a_stage, a_valid_spec
from loadgen.model.report import Verdict
from loadtest_operator.api.status import Phase
from unit.operator.schedule_world import ScheduleWorld
from unit.operator.situations import SITUATIONS, Situation, played
from unit.operator.sweep_world import SweepWorld, a_grid
from unit.operator.world import World

Object = dict[str, Any]
GATE = "loadtest.dev/gate"
ENDS: list[tuple[Situation, Object]] = [
    (situation, played(place).status.model_dump(mode="json", exclude_none=True))
    for place, situation in enumerate(SITUATIONS)
]
"""How each situation of docs/verdicts.md ends."""


def a_load_test(status: Object | None = None, *, gate: str | None = None, generation: int = 1, **spec: Any) -> Object:
    """With the token of its run, unless another is asked for."""
    annotations = {} if gate is None else {GATE: gate}
    return {
        "metadata": {"name": "chat", "generation": generation, "annotations": annotations},
        "spec": {"runToken": "1", **spec},
        **({} if status is None else {"status": status}),
    }


def on_its_way(**spec: Any) -> Iterator[tuple[Phase, Object]]:
    """The status at every look of a run that passes, but its last."""
    world = World(a_valid_spec(a_stage(durationSeconds=20), **spec))
    while world.status.phase is not Phase.FINISHED:
        world.step()
        if world.status.phase is not Phase.FINISHED:
            assert world.status.phase
            yield world.status.phase, world.status.model_dump(mode="json", exclude_none=True)


def a_schedule(world: ScheduleWorld, *, gate: str | None = None) -> Object:
    """As it is after the last look."""
    annotations = {} if gate is None else {GATE: gate}
    status = {"status": world.stored} if world.stored else {}
    return {"metadata": {"generation": world.generation, "annotations": annotations}, "spec": world.spec, **status}


def nightly(*verdicts: Verdict, **changes: Any) -> ScheduleWorld:
    """Every hour; its runs ended like this, the newest last."""
    world = ScheduleWorld({"schedule": "0 * * * *", "loadTestTemplate": {"spec": a_spec()}, **changes})
    world.run(minutes=1)
    for verdict in verdicts:
        world.run(hours=1)
        world.finish(verdict)
        world.run(minutes=1)
    return world


def a_sweep(world: SweepWorld, *, gate: str | None = None) -> Object:
    """As it is after the last look."""
    annotations = {} if gate is None else {GATE: gate}
    status = {"status": world.stored} if world.stored else {}
    return {"metadata": {"generation": world.generation, "annotations": annotations}, "spec": world.spec, **status}


def ended(verdict: Verdict) -> SweepWorld:
    """A sweep with this verdict."""
    values = {Verdict.PASSED: (10, 30), Verdict.FAILED: (60, 80)}.get(verdict, (10,))
    world = SweepWorld(a_grid(*values, repeats=1), limit=5 if verdict is Verdict.INCONCLUSIVE else float("inf"))
    if verdict is Verdict.ERROR:
        world.refusals = ("not allowed",)
    world.look()
    if verdict is Verdict.ABORTED:
        world.edit(abort=True)
        world.finish("Aborted")
    world.run()
    assert world.status.verdict is verdict, world.stored
    return world
