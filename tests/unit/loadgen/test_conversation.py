"""Conversations: what each turn's request holds, who goes on, and what ends."""

import json
from typing import Any

import pytest

from loadgen.core.prompts import conversation
from loadgen.core.prompts.conversation import Conversation, Conversations
from loadgen.core.prompts.workload import BodyFactory
from loadgen.core.protocols import openai
from loadgen.core.schedule.segment import Segment
from unit.loadgen.plans import a_plan

ANSWER = 'fine, "thanks" \\ ümlaut\n'


def talks(turns: int = 3, **prompt: Any) -> Conversations:
    chat = {"model": "m", "prompt": prompt or {"text": 'how "are" you'}, "turns": turns, "maxTokens": 5}
    return BodyFactory(a_plan(requests=[{"name": "chat", "openAIChat": chat}]), Segment(0, 1)).conversations(0)


def answer(all_talks: Conversations, one: Conversation, text: str = ANSWER) -> None:
    for piece in text:
        one.hear(piece)
    all_talks.answered(one)


def said(all_talks: Conversations, one: Conversation) -> list[tuple[str, str]]:
    body = json.loads(all_talks.body(one))
    assert body["max_tokens"] == 5
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_each_turn_carries_all_before_it() -> None:
    all_talks = talks()
    one = all_talks.next()
    user = ("user", 'how "are" you')
    assert said(all_talks, one) == [user]
    answer(all_talks, one)
    assert all_talks.next() is one
    assert said(all_talks, one) == [user, ("assistant", ANSWER), user]
    before = all_talks.body(one)
    answer(all_talks, one, "well")
    again = all_talks.body(all_talks.next())
    assert again.startswith(before[: before.rindex(b"]")])


def test_a_first_turn_is_what_a_single_chat_sends() -> None:
    chat = {"model": "m", "prompt": {"text": "hi"}, "turns": 2}
    factory = BodyFactory(a_plan(requests=[{"name": "chat", "openAIChat": chat}]), Segment(0, 1))
    all_talks = factory.conversations(0)
    assert all_talks.body(all_talks.next()) == factory.body(0)


def test_the_one_that_has_waited_longest_goes_on() -> None:
    all_talks = talks(synthetic={"inputTokens": {"mean": 5}})
    one, two, three = (all_talks.next() for _ in range(3))
    assert len({bytes(talk.messages) for talk in (one, two, three)}) == 3
    answer(all_talks, two)
    answer(all_talks, one)
    assert [all_talks.next(), all_talks.next()] == [two, one]
    assert all_talks.next() not in (one, two, three)


def test_after_its_last_turn_a_conversation_is_over() -> None:
    all_talks = talks(turns=2)
    one = all_talks.next()
    answer(all_talks, one)
    assert all_talks.next() is one
    answer(all_talks, one)
    assert all_talks.next() is not one


def test_what_is_too_long_ends() -> None:
    all_talks = talks()
    one = all_talks.next()
    for _ in range(3):
        one.hear("x" * conversation.LONGEST)
    assert one.heard <= 2 * conversation.LONGEST
    all_talks.answered(one)
    assert all_talks.next() is not one


def test_those_that_wait_are_bounded_together() -> None:
    all_talks = talks()
    size = conversation.LONGEST - 1000
    ones = [all_talks.next() for _ in range(conversation.MOST_WAITING // size + 2)]
    for one in ones:
        one.messages = bytearray(size)
        all_talks.answered(one)
    goes_on = [all_talks.next() for _ in ones]
    assert goes_on[:-2] == ones[:-2]
    assert not set(goes_on[-2:]) & set(ones)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ('{"choices":[{"delta":{"content":"hi"}}]}', "hi"),
        ('{"choices":[{"message":{"content":"hi"}},{"message":{"content":"no"}}]}', "hi"),
        ('{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"x"},7]}}]}', "a"),
        ('{"choices":[{"delta":{"reasoning_content":"hm"}}]}', ""),
        ('{"choices":[{"text":"hi"}]}', "hi"),
        ('{"choices":[]}', ""),
    ],
)
def test_what_a_message_says(message: str, text: str) -> None:
    assert openai.text(message.encode()) == text
