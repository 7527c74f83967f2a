"""Bodies: valid JSON, the right length, and never the same beginning twice."""

import json
import statistics
from typing import Any

import pytest

from loadgen.core.prompts.words import WORDS
from loadgen.core.prompts.workload import BodyFactory
from loadgen.core.schedule.segment import Segment
from loadgen.model.requests import PROTOCOLS, Gradio, for_every_protocol
from unit.loadgen.plans import a_plan

WHOLE = Segment(0, 1)


def chat(prompt: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"name": "chat", "openAIChat": {"model": "m", "prompt": prompt, **more}}]


def bodies(count: int, requests: list[dict[str, Any]], segment: Segment = WHOLE) -> list[dict[str, Any]]:
    factory = BodyFactory(a_plan(requests=requests), segment)
    return [json.loads(factory.body(0)) for _ in range(count)]


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


def test_a_text_is_sent_as_it_is() -> None:
    text = 'with "quotes", \\ and\nlines, and ümlauts'
    assert bodies(1, chat({"text": text}, maxTokens=5, temperature="0.7")) == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 5,
            "temperature": 0.7,
        }
    ]


def test_what_some_servers_refuse_can_be_left_out_or_called_otherwise() -> None:
    """stream_options, and max_tokens where only max_completion_tokens is known."""
    (body,) = bodies(1, chat({"text": "hi"}, maxCompletionTokens=5, includeUsage=False))
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_completion_tokens": 5,
    }


def test_a_table_over_the_protocols_says_what_it_lacks() -> None:
    """At import, so that a further protocol is nowhere forgotten."""
    with pytest.raises(TypeError, match="Gradio"):
        for_every_protocol({asked: 1 for asked in PROTOCOLS.values() if asked is not Gradio})


def test_a_busted_text_never_begins_alike() -> None:
    prompts = [prompt_of(body) for body in bodies(500, chat({"text": 'say "hi"', "cacheBust": True}))]
    salts, texts = zip(*(prompt.split("\n") for prompt in prompts), strict=True)
    assert set(texts) == {'say "hi"'}
    assert len(set(salts)) == 500
    assert all(len(salt.split(" ")) == 4 and set(salt.split(" ")) <= set(WORDS) for salt in salts)
    assert [prompt_of(body) for body in bodies(500, chat({"text": 'say "hi"', "cacheBust": True}))] == prompts


def test_a_completion_has_a_prompt_and_no_messages() -> None:
    asked = {"model": "m", "prompt": {"text": "Once"}, "maxTokens": 5, "stream": False}
    (body,) = bodies(1, [{"name": "text", "openAICompletions": asked}])
    assert body == {"model": "m", "prompt": "Once", "stream": False, "max_tokens": 5}


def test_an_answer_that_is_not_streamed_asks_for_no_stream_options() -> None:
    (body,) = bodies(1, chat({"text": "x"}, stream=False))
    assert body == {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": False}


def test_synthetic_lengths_are_normal() -> None:
    made = bodies(2000, chat({"synthetic": {"inputTokens": {"mean": 60, "stddev": 10}}}))
    lengths = [len(prompt_of(body).split(" ")) for body in made]
    assert statistics.fmean(lengths) == pytest.approx(60, abs=1)
    assert statistics.stdev(lengths) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("mean", [1, 3, 4, 5, 1000, 65536])
def test_synthetic_prompts_have_exactly_as_many_words_as_asked(mean: int) -> None:
    (body,) = bodies(1, chat({"synthetic": {"inputTokens": {"mean": mean}}}))
    words = prompt_of(body).split(" ")
    assert len(words) == mean
    assert set(words) <= set(WORDS)


def test_no_two_prompts_begin_alike() -> None:
    made = bodies(2000, chat({"synthetic": {"inputTokens": {"mean": 20}}}))
    assert len({" ".join(prompt_of(body).split(" ")[:4]) for body in made}) == 2000


def test_segments_draw_different_prompts_and_the_same_ones_again() -> None:
    requests = chat({"synthetic": {"inputTokens": {"mean": 20}}})
    one, two, again = (bodies(3, requests, Segment(index, 2)) for index in (0, 1, 0))
    assert one == again != two


def test_a_plain_request_has_its_body() -> None:
    factory = BodyFactory(a_plan(requests=[{"name": "p", "http": {"method": "POST", "body": "raw ü"}}]), Segment(0, 1))
    assert factory.body(0) == "raw ü".encode()


def test_a_gradio_function_gets_its_inputs() -> None:
    asked = {"apiName": "/predict", "data": ' [ "say {prompt}", 0.7, ["{prompt}", {"a": null}] ]'}
    prompt = 'a "word"\n'
    request = [{"name": "call", "gradio": {**asked, "prompt": {"text": prompt}}}]
    assert bodies(1, request) == [{"data": [f"say {prompt}", 0.7, [prompt, {"a": None}]]}]
    request = [{"name": "call", "gradio": {**asked, "prompt": {"synthetic": {"inputTokens": {"mean": 5}}}}}]
    (body,) = bodies(1, request)
    assert body["data"][0] == "say " + body["data"][2][0]
    assert bodies(1, [{"name": "call", "gradio": {"apiName": "f", "data": "[1]"}}]) == [{"data": [1]}]


def test_a_gradio_function_without_a_name_has_its_number() -> None:
    asked = {"fnIndex": 0, "data": '["{prompt}"]', "prompt": {"text": "hi"}, "protocol": "QueueJoin"}
    assert bodies(1, [{"name": "join", "gradio": asked}]) == [{"data": ["hi"], "fn_index": 0}]


def test_there_are_as_many_words_as_bytes() -> None:
    assert len(set(WORDS)) == 256
