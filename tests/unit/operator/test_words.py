"""What is said about a spec that cannot be run, and what its defaults become."""

from typing import Any

import pytest

from builders import a_spec, a_stage
from loadtest_operator.api.worker import Resources
from loadtest_operator.handlers.run import gather


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"requests": [{"name": "a", "http": {"expectBody": {"matches": "("}}}]},
            "spec.requests[0].http.expectBody.matches: '(' is no regular expression: missing ), unterminated subpattern",
        ),
        ({"load": {"workers": 501}}, "spec.load.workers: input should be less than or equal to 500 (it is '501')"),
        (
            {"requests": [{"name": "a", "http": {"path": "/a b"}}]},
            "spec.requests[0].http.path: '/a b' cannot be sent as it is",
        ),
    ],
    ids=["a rule of ours", "a bound", "a path"],
)
def test_what_is_wrong_is_said_in_our_words(change: dict[str, Any], sentence: str) -> None:
    """Where (as the API server writes it), what was given, what would be right; nothing of the library that found it."""
    (said,) = gather.parsed(a_spec(**change))[1]
    assert said.startswith(sentence)


def test_a_message_names_some_of_many_stages() -> None:
    stages = [a_stage(f"stage-{number}") for number in range(64)]
    grows = {"name": "grows", "scaleUp": {"toAtLeast": 3, "withinSeconds": 8, "fromStage": "peek"}}
    (said,) = gather.parsed(a_spec(*stages, scaling={"expectations": [grows]}))[1]
    assert "and 56 more" in said
    assert len(said) < 250


@pytest.mark.parametrize(
    ("resources", "effective"),
    [
        ({}, ({"cpu": "100m", "memory": "128Mi"}, {"memory": "512Mi"})),
        ({"requests": {"memory": "2Gi"}}, ({"cpu": "100m", "memory": "2Gi"}, {"memory": "2Gi"})),
        ({"limits": {"cpu": "50m"}}, ({"cpu": "50m", "memory": "128Mi"}, {"cpu": "50m", "memory": "512Mi"})),
    ],
    ids=["nothing asked for", "more than the default limit", "less than the default request"],
)
def test_defaults_give_way_to_what_was_asked_for(resources: dict[str, Any], effective: Any) -> None:
    """The API server refuses a request above its limit."""
    assert Resources.model_validate(resources).effective == effective
