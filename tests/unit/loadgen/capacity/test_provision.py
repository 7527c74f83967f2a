"""Provisioning: by hand, against a simulated population, and never from a knee that was not held."""

import heapq
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from loadgen import cli
from loadgen.core.capacity.provision import Demand, NoCapacityError, provision
from loadgen.model.sweep import Conclusion, Hold, KneeFigures, LevelFigures, Sweep, SweepSpec
from unit.loadgen.capacity.test_sweeping import FIELD, a_sweep


def a_level(load: int, mean: float) -> LevelFigures:
    figures: dict[str, Any] = {"runs": 3, "passed": 3, "planned": 9, "attainment_percent": 99, "error_percent": 0}
    return LevelFigures(point={FIELD: Decimal(load)}, requests_per_second=load, response_time_mean=mean, **figures)


def swept(conclusion: Conclusion = Conclusion.CONFIRMED, field: str = FIELD, **more: Any) -> Sweep:
    """20 requests a second were held, at a mean of 500 ms."""
    return Sweep(
        generator="loadgen",
        target="http://x",
        spec=SweepSpec.model_validate(a_sweep()),
        conclusion=conclusion,
        message="it was so",
        runs=(),
        levels=(a_level(10, 300), a_level(20, 500), a_level(30, 4000)),
        knee=KneeFigures(field=field, bound="Known", load=22, low=20, high=24, attainment_percent=95),
        hold=Hold(level=20, seconds=60, held=True, message=""),
        **more,
    )


def test_by_hand() -> None:
    """1 000 users, a fifth active, 9.5 s of thinking: 200 / 10 s = 20/s; 14/s a replica with 30 % headroom: two."""
    found = provision(swept(), Demand(1000, 20, 9.5, 30, price=2.5, tokens=100))
    assert (found.requests_per_second, found.in_flight) == (pytest.approx(20), pytest.approx(10))
    assert (found.replicas, found.cost_per_hour) == (2, 5)
    assert "20 / 14 = 1.43 → 2 replica(s)" in found.steps
    assert found.steps[-1].endswith("= 0.6944 per million tokens")


@pytest.mark.parametrize(("users", "replicas"), [(70, 1), (71, 2), (140, 2), (141, 3), (1, 1)])
def test_an_exact_fit_needs_no_more(users: int, replicas: int) -> None:
    """7/s for each 70 users; a replica of 7/s takes 70 and not 71."""
    assert provision(swept(), Demand(users, 100, 9.5, 30, measured_replicas=2)).replicas == replicas


def test_concurrency_is_counted_in_flight() -> None:
    """A knee in concurrency holds what waits, not what comes."""
    found = provision(swept(field="load.stages[hold].concurrency"), Demand(1000, 20, 9.5, 0))
    assert (found.replicas, found.in_flight) == (1, pytest.approx(10))


def test_the_law_against_simulated_users() -> None:
    """200 users who think 9.5 s and wait 0.5 s, both exponential: as many questions as the law says, within 3 %."""
    rng = np.random.default_rng(1)
    waiting = [float(rng.exponential(9.5)) for _ in range(200)]
    heapq.heapify(waiting)
    asked = 0
    while (at := heapq.heappop(waiting)) < 1000:
        asked += 1
        heapq.heappush(waiting, at + rng.exponential(0.5) + rng.exponential(9.5))
    assert asked / 1000 == pytest.approx(provision(swept(), Demand(200, 100, 9.5, 0)).requests_per_second, rel=0.03)


@pytest.mark.parametrize("conclusion", [one for one in Conclusion if one is not Conclusion.CONFIRMED])
def test_only_a_held_knee_is_planned_with(conclusion: Conclusion) -> None:
    """Everything else is refused, with what the sweep said."""
    with pytest.raises(NoCapacityError, match="it was so"):
        provision(swept(conclusion), Demand(1, 100, 1, 0))


def test_the_command(tmp_path: Path) -> None:
    """Replicas first, then the arithmetic; 3 where nothing was held, 2 for what is no sweep."""
    file = tmp_path / "sweep.json"
    arguments = ["plan", "--sweep", str(file), "--users", "1000", "--active-percent", "20", "--think-seconds", "9.5"]
    file.write_text(swept().model_dump_json())
    done = CliRunner().invoke(cli.app, arguments)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "2 replica(s) for 1000 users")
    file.write_text(swept(Conclusion.UNCONFIRMED).model_dump_json())
    assert CliRunner().invoke(cli.app, arguments).exit_code == 3
    file.write_text(json.dumps({"kind": "Other"}))
    assert CliRunner().invoke(cli.app, arguments).exit_code == 2
