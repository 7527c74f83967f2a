"""What may not answer keeps nobody waiting."""

import asyncio

import pytest

from builders import a_stage
from component.operator.theatre import theatre
from loadtest_operator.api.status import Phase
from loadtest_operator.handlers.run.asking import Asking


async def test_an_answer_that_comes_late_is_noted_by_the_question_itself() -> None:
    asking, answer, answers = Asking(), asyncio.Event(), []

    async def question() -> None:
        await answer.wait()
        answers.append("here")

    await asking.ask("it", question)
    await asking.ask("it", question)  # it was asked already
    answer.set()
    await asyncio.sleep(0)
    await asking.ask("it", question)

    assert answers == ["here"]


async def test_what_a_question_raises_is_raised_by_the_look_that_finds_it() -> None:
    asking, go = Asking(), asyncio.Event()

    async def question() -> None:
        await go.wait()
        raise ZeroDivisionError("ours")

    await asking.ask("it", question)
    go.set()
    await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError, match="ours"):
        await asking.ask("it", question)


async def test_after_drop_no_answer_is_noted() -> None:
    asking, answer, answers = Asking(), asyncio.Event(), []

    async def question() -> None:
        await answer.wait()
        answers.append("here")

    await asking.ask("it", question)
    asking.drop()
    answer.set()
    await asyncio.sleep(0.01)

    assert answers == []


async def test_a_frozen_worker_does_not_keep_the_news_of_the_others() -> None:
    async with theatre(a_stage(durationSeconds=120)) as play:
        await play.run(Phase.RUNNING)
        await play.run_for(8)
        play.frozen = {"worker-0"}
        await play.look()
        before = [worker.collected for worker in play.context.memory("uid-of-test").run.workers.values()]
        await play.run_for(3)
        after = [worker.collected for worker in play.context.memory("uid-of-test").run.workers.values()]

    assert after[0] == before[0]
    assert after[1] > before[1]
