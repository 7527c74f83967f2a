"""Work between the loop's turns."""

import asyncio

import pytest

from loadgen.runtime.recording import steps
from loadgen.runtime.recording.steps import Aside, Steps, finish


def noting(said: list[str], name: str, count: int = 3) -> Steps[None]:
    for step in range(count):
        said.append(f"{name}{step}")
        yield


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_loop_turns_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time is up, here at once, others get theirs."""
    monkeypatch.setattr(steps, "TURN_NS", 0)
    said: list[str] = []

    Aside(asyncio.get_running_loop()).begin(noting(said, "a"))
    for turn in range(4):
        await asyncio.sleep(0)
        said.append(f"turn {turn}")

    assert said == ["a0", "turn 0", "a1", "turn 1", "a2", "turn 2", "turn 3"]


async def test_short_steps_share_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit."""
    monkeypatch.setattr(steps, "TURN_NS", 60 * 10**9)
    said: list[str] = []

    Aside(asyncio.get_running_loop()).begin(noting(said, "a"))
    await turns(1)

    assert said == ["a0", "a1", "a2"]


async def test_what_is_not_done_is_done_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, nothing twice, nothing left out; and at once when asked to."""
    monkeypatch.setattr(steps, "TURN_NS", 0)
    said: list[str] = []
    aside = Aside(asyncio.get_running_loop())

    aside.begin(noting(said, "a"))
    await turns(1)
    aside.begin(noting(said, "b"))
    assert said == ["a0", "a1", "a2"]
    await turns(1)
    aside.finish()
    assert said == ["a0", "a1", "a2", "b0", "b1", "b2"]
    aside.finish()
    await turns(5)

    assert said == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_all_at_once() -> None:
    """With the result."""

    def adding() -> Steps[int]:
        yield
        return 7

    assert finish(adding()) == 7
