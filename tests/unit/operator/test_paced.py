"""Answers that are asked for again when they are old enough."""

import contextlib
from datetime import timedelta

import pytest

from loadtest_operator.core.common.paced import Paced
from unit.operator.world import NOON


class Somebody:
    """Who counts how often he was asked."""

    def __init__(self, answer: object = "yes") -> None:
        self.asked, self.answer = 0, answer

    async def __call__(self) -> object:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def asked(somebody: Somebody, *seconds: float, given: tuple[object, ...] = ()) -> int:
    """How often he was asked when we wanted to know at these seconds, every two at most."""
    paced = Paced()
    for place, second in enumerate(seconds):
        circumstances = given[place] if given else None
        with contextlib.suppress(RuntimeError):
            await paced.ask("it", 2, NOON + timedelta(seconds=second), somebody, given=circumstances)
    return somebody.asked


async def test_an_answer_is_good_for_its_time() -> None:
    assert await asked(Somebody(), 0, 1, 1.9, 2, 3) == 2


async def test_what_is_not_there_is_asked_for_at_every_look() -> None:
    assert await asked(Somebody(None), 0, 1, 1.5) == 3


async def test_other_circumstances_make_it_old() -> None:
    assert await asked(Somebody(), 0, 0.5, 1, given=(1, 1, 2)) == 2


async def test_a_failure_is_no_answer() -> None:
    assert await asked(Somebody(RuntimeError()), 0, 0.5) == 2


async def test_a_clock_that_was_set_back_makes_everything_old() -> None:
    assert await asked(Somebody(), 100, 0, 1) == 2


async def test_after_a_failure_the_last_answer_is_still_known() -> None:
    paced, somebody = Paced(), Somebody()
    await paced.ask("it", 2, NOON, somebody)
    somebody.answer = RuntimeError()
    with pytest.raises(RuntimeError):
        await paced.ask("it", 2, NOON + timedelta(seconds=9), somebody)

    assert paced.last("it") == "yes"
