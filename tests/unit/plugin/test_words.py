"""Durations, names, manifests, completion: small things that are typed by hand."""

import contextlib
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders import a_load_test, a_spec
from kubectl_loadtest import words
from kubectl_loadtest.core import around, complete, manifest, stored
from kubectl_loadtest.core.stored import Kept
from kubectl_loadtest.problems import BadInputError
from loadgen.model.report import Verdict
from loadgen.report.html.surroundings import Span
from loadtest_operator.api.status import LoadTestStatus
from unit.loadgen.test_html import usual
from unit.plugin.statuses import finished


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("1h0m5s", 3605)]
)
def test_durations(text: str, seconds: int) -> None:
    """As kubectl's users write them."""
    assert words.seconds(text) == seconds


@given(st.text())
def test_no_duration_is_made_of_anything(text: str) -> None:
    """A positive number of seconds, or a sentence."""
    with contextlib.suppress(BadInputError):
        assert words.seconds(text) > 0


@pytest.mark.parametrize("text", ["", "A", "a/b", "..", "a b", "-a", "a\n", "loadtest/", "a?x", "é", "a" * 300])
def test_no_name(text: str) -> None:
    """Nothing that would be another path of the API."""
    with pytest.raises(BadInputError):
        words.object_name(text, "name")


@pytest.mark.parametrize("text", ["chat", "loadtest/chat", "loadtests/chat"])
def test_names_as_kubectl_prints_them(text: str) -> None:
    """With the kind or without."""
    assert words.object_name(text, "name") == "chat"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 LoadTests"),
        ("a: [", "is not YAML"),
        ("requests: []\nload: {}", "a bare plan has no target"),
        (yaml.safe_dump_all([a_load_test(), a_load_test()]), "holds 2 LoadTests"),
        ("kind: LoadTest\nspec: {}", "metadata.name is missing"),
        ("kind: LoadTest\nmetadata: {name: 5}", "metadata.name is missing"),
        ("kind: LoadTest\nmetadata: []", "metadata.name is missing"),
        ("a: 2026-99-99", "is not YAML"),
        ("kind: LoadTestSchedule\nmetadata: {name: a}", "a LoadTestSchedule runs by itself"),
    ],
    ids=[
        "nothing",
        "no YAML",
        "a bare plan",
        "two LoadTests",
        "no metadata",
        "a name that is a number",
        "metadata that is a list",
        "a date that is none",
        "another kind",
    ],
)
def test_files_that_are_no_load_test(text: str, said: str) -> None:
    """The file's name and what is wrong."""
    with pytest.raises(BadInputError) as refused:
        manifest.parse(text, "chat.yaml")
    assert str(refused.value).startswith("chat.yaml")
    assert said in str(refused.value)


def test_what_else_is_in_the_file_is_named() -> None:
    """It is not applied, so nobody thinks that it was."""
    other = {"kind": "ConfigMap", "metadata": {"name": "prompts"}}
    found = manifest.parse(yaml.safe_dump_all([other, a_load_test()]), "chat.yaml")
    assert manifest.problems(found) == []
    assert manifest.advice(found)[0].startswith("ConfigMap prompts is in the file too and is not applied")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (a_spec(load={"workers": 0}), "spec.load.workers is 0: write at least 1"),
        (a_spec(target={}), "spec.target: set exactly one of serviceRef and url, not 0"),
        (
            a_spec(target={"serviceRef": {"name": "a", "port": 80, "prot": 1}}),
            "spec.target.serviceRef.prot is not a known field",
        ),
        (a_spec(ttlSecondsAfterFinished=-1), "spec.ttlSecondsAfterFinished is -1"),
        (None, "spec is empty"),
        ([], "spec is []"),
    ],
    ids=["the plan's part", "no target", "a field that is none", "the operator's part", "no spec", "a list"],
)
def test_problems_are_sentences(spec: object, said: str) -> None:
    """Field, value, remedy."""
    found = manifest.parse(yaml.safe_dump({**a_load_test(), "spec": spec}), "chat.yaml")
    assert any(said in problem for problem in manifest.problems(found)), manifest.problems(found)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (["ru"], ["run\tapply a LoadTest from a file and run it", ":4"]),
        (["run", ""], [":0"]),
        (["watch", "c"], ["chat", ":4"]),
        (["watch", "-n", "demo", "c"], ["chat", ":4"]),
        (["watch", "-n", ""], [":4"]),
        (["watch", "chat", ""], [":4"]),
        (["report", "chat", "--h"], ["--html", "--help", ":4"]),
        (["report", "chat", "--html", ""], [":0"]),
        (["nothing", ""], [":4"]),
    ],
    ids=[
        "a command",
        "a file",
        "a name",
        "a name after an option",
        "an option's value",
        "after the name",
        "an option",
        "an option's file",
        "no command",
    ],
)
def test_completion(typed: list[str], answer: list[str]) -> None:
    """As cobra wants it: candidates, then a directive."""
    assert complete.complete(typed, lambda: ["chat", "other"]) == answer


def test_completion_knows_every_command() -> None:
    """A new command without completion is a mistake."""
    from kubectl_loadtest.cli import app

    assert {
        command.name or command.callback.__name__ for command in app.registered_commands if not command.hidden
    } == set(complete.COMMANDS)


def a_kept(**more: object) -> Kept:
    return Kept(1, Verdict.PASSED, datetime(2026, 1, 1, 12, 0, 40, tzinfo=UTC), (), **{"current": True, **more})


def test_surroundings_count_from_the_loads_start() -> None:
    """Replicas from before it are there at second 0; a fault whose end nobody saw lasts to the end of the run."""
    status = LoadTestStatus.model_validate(
        finished(
            faults=[{"name": "slow", "result": "NotRecovered", "injectedTime": "2026-01-01T12:00:05Z"}],
            scaling={
                "changes": [
                    {"time": "2026-01-01T11:59:00Z", "ready": 1},
                    {"time": "2026-01-01T11:59:30Z", "ready": 2},
                    {"time": "2026-01-01T12:00:10Z", "ready": 3},
                ]
            },
        )
    )
    found = around.surroundings("chat", a_kept(), stored.Stored(usual(), {}), status)

    assert found.faults == [Span("slow", 5.0, 40.0)]
    (ready,) = found.replicas
    assert ready.points == [(0.0, 2), (10.0, 3), (40.0, 3)]


def test_of_an_earlier_run_the_document_tells() -> None:
    """Not the status, which is about another run; what cannot be read is said."""
    status = LoadTestStatus.model_validate(finished(faults=[{"name": "now", "injectedTime": "2026-01-01T12:00:05Z"}]))
    then = {
        "faults": [{"name": "then", "injectedTime": "2026-01-01T12:00:05Z", "recoveredTime": "2026-01-01T12:00:09Z"}]
    }
    earlier = a_kept(current=False)

    assert around.surroundings("", earlier, stored.Stored(usual(), then), status).faults == [Span("then", 5.0, 9.0)]
    odd = around.surroundings("", earlier, stored.Stored(usual(), {"faults": [{"name": 1}]}), status)
    assert odd.faults == []
    assert "is of another release and left out" in odd.notes[0]
