"""What is played: each scene is a script of answers and a plan that meets them."""

from dataclasses import dataclass
from random import Random
from typing import Any

SECONDS = 12
CHAT = {"openAIChat": {"model": "scripted", "prompt": {"text": "one two three"}, "maxTokens": 64}}
PLAIN = {"http": {"path": "/"}}


@dataclass(frozen=True, eq=False)
class Scene:
    name: str
    about: str
    script: list[dict[str, Any]]
    request: dict[str, Any]
    stage: dict[str, Any]

    @property
    def plan(self) -> dict[str, Any]:
        stage = {"name": "hold", "durationSeconds": SECONDS} | self.stage
        return {
            "requests": [{"name": "load", "timeoutSeconds": 20} | self.request],
            "load": {"seed": 7, "stages": [stage], "gracefulStopSeconds": 25},
        }


def _answers(count: int, seed: int, **fixed: Any) -> list[dict[str, Any]]:
    draw = Random(seed)
    return [
        {"first": draw.uniform(20, 120), "gaps": [draw.uniform(4, 12) for _ in range(draw.randint(8, 24))]} | fixed
        for _ in range(count)
    ]


def _stalling(count: int) -> list[dict[str, Any]]:
    """Every third answer freezes once for 0.3 to 0.6 s."""
    draw, answers = Random(3), _answers(count, 2)
    for answer in answers[::3]:
        answer["gaps"][len(answer["gaps"]) // 2] = draw.uniform(300, 600)
    return answers


def _mixed(count: int) -> list[dict[str, Any]]:
    """One answer in ten is cut, one in ten is refused."""
    answers = _answers(count, 5)
    for index in range(count):
        if index % 10 == 3:
            answers[index]["end"] = "cut"
        if index % 10 == 7:
            answers[index] = {"headers": 5, "status": 503}
    return answers


OPEN, CLOSED = {"arrivalRate": 40}, {"concurrency": 12}
SCENES = (
    Scene(
        "plain",
        "plain answers after 2 to 60 ms",
        [{"headers": 2 + 58 * k / 96} for k in range(97)],
        PLAIN,
        {"arrivalRate": 120},
    ),
    Scene("plain, closed", "the same, 12 in flight", [{"headers": 2 + 58 * k / 96} for k in range(97)], PLAIN, CLOSED),
    Scene("tokens", "first token after 20 to 120 ms, then one each 4 to 12 ms", _answers(97, 1), CHAT, OPEN),
    Scene("tokens, closed", "the same, 12 in flight", _answers(97, 1), CHAT, CLOSED),
    Scene("stalls", "every third answer freezes once for 0.3 to 0.6 s", _stalling(97), CHAT, CLOSED),
    Scene("several tokens an event", "four tokens in each event", _answers(97, 4, perEvent=4), CHAT, OPEN),
    Scene("coalesced", "three events leave in one write", _answers(97, 6, together=3), CHAT, OPEN),
    Scene("late usage", "the usage comes 0.4 s after the last token", _answers(97, 8, usageAfter=400), CHAT, CLOSED),
    Scene("cut and refused", "one answer in ten is cut, one in ten is a 503", _mixed(100), CHAT, OPEN),
)
