"""The gate script, with a kubectl and a clock on paper: it opens for Passed alone, and for the run that was asked for."""

import base64
import gzip
import json
import os
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from loadgen.model.errors import ExitCode
from loadgen.model.report import Verdict
from loadgen.report import documents
from loadtest_operator.api.loadtest import LoadTest
from unit.gitops.kstatus import GITOPS
from unit.loadgen.test_html import usual

GATE = GITOPS / "gate"
KUBECTL = """#!/bin/sh
case "$1" in
  patch) cat "$WORLD/file" ;;
  apply) cat >"$WORLD/applied"; echo "$*" >"$WORLD/apply"; cat "$WORLD/refusal" >&2 && exit 1; echo loadtest.loadtest.dev/chat-gate ;;
  get)
    case "$*" in
      *artifacts*) cat "$WORLD/artifact" ;;
      *binaryData*) cat "$WORLD/stored" ;;
      *message*) echo "what is known" ;;
      *) line=$(cat "$WORLD/looks" 2>/dev/null || echo 0); line=$((line + 1)); echo $line >"$WORLD/looks"
         sed -n "${line}p" "$WORLD/seen" | grep . || tail -n 1 "$WORLD/seen" ;;
    esac ;;
esac
"""
SLEEP = '#!/bin/sh\necho $(($(cat "$WORLD/clock") + $1)) >"$WORLD/clock.new" && mv "$WORLD/clock.new" "$WORLD/clock"\n'
DATE = '#!/bin/sh\ncat "$WORLD/clock"\n'


@dataclass(frozen=True)
class Ended:
    """What the script did."""

    code: int
    said: str
    seconds: int
    applied: str


@dataclass
class Place:
    """A folder with the tools that the script finds, and what they know."""

    folder: Path

    def __post_init__(self) -> None:
        for name, text in (("kubectl", KUBECTL), ("sleep", SLEEP), ("date", DATE)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(stat.S_IRWXU)
        (self.folder / "clock").write_text("1000")
        (self.folder / "file").write_text("{}")

    def gate(self, seen: Sequence[str], *arguments: str, refusal: str = "") -> Ended:
        """Runs it; `seen` is what the status says at each look, the last for ever."""
        (self.folder / "seen").write_text("".join(f"{line}\n" for line in seen))
        if refusal:
            (self.folder / "refusal").write_text(refusal)
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "WORLD": str(self.folder)}
        done = subprocess.run(
            ["sh", str(GATE / "gate.sh"), *(arguments or ("demo", "loadtest.yaml", "abc", "60"))],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        applied = self.folder / "apply"
        clock = int((self.folder / "clock").read_text())
        return Ended(
            done.returncode, done.stdout + done.stderr, clock - 1000, applied.read_text() if applied.exists() else ""
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


CODES = {
    Verdict.PASSED: ExitCode.PASSED,
    Verdict.FAILED: ExitCode.FAILED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.ERROR: ExitCode.ERROR,
    Verdict.ABORTED: ExitCode.ABORTED,
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_it_exits_as_loadgen_does(verdict: Verdict, place: Place) -> None:
    """And says the verdict and its reason."""
    ended = place.gate(["abc Pending ", "abc Running ", f"abc Finished {verdict}"])
    assert ended.code == CODES[verdict]
    assert f"gate: {verdict}: what is known" in ended.said
    assert ended.seconds == 10
    assert ended.applied == "apply -n demo -f - -o name\n"


@pytest.mark.parametrize(
    "seen",
    [
        ["old Finished Passed"],
        ["old Running ", "old Finished Passed"],
        [""],
        ["abc Running "],
        ["abc Finished Passed"[:12]],
        ["abcd Finished Passed"],
        ["abc Finished Passed Failed"],
        ["abc Finished Splendid"],
    ],
    ids=[
        "another run has passed",
        "another run goes on and passes",
        "nothing can be read",
        "it runs for ever",
        "it is finished and the verdict is not there yet",
        "a token that begins like ours",
        "two words",
        "a verdict of another release",
    ],
)
def test_nothing_but_passed_of_the_run_that_was_asked_for_opens_it(seen: list[str], place: Place) -> None:
    """What is not known is Inconclusive, at the latest when the time is over."""
    ended = place.gate(seen)
    assert ended.code == ExitCode.INCONCLUSIVE
    assert ended.seconds <= 65


def test_the_end_of_the_last_run_is_waited_for(place: Place) -> None:
    ended = place.gate(["old Running ", "old Finished Failed", "abc Pending ", "abc Finished Passed"])
    assert (ended.code, ended.seconds) == (0, 15)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "f.yaml", "abc"), "four arguments are needed"),
        (("demo", "f.yaml", "", "600"), "TOKEN ''"),
        (("demo", "f.yaml", 'a","abort":false,"x":"', "600"), "TOKEN"),
        (("demo", "f.yaml", "a b", "600"), "TOKEN 'a b'"),
        (("demo", "f.yaml", "abc", "10m"), "SECONDS '10m'"),
    ],
    ids=["one too few", "an empty token", "a token that would change more", "a token of two words", "not in seconds"],
)
def test_bad_input_is_told_before_anything_is_done(arguments: tuple[str, ...], said: str, place: Place) -> None:
    ended = place.gate(["abc Finished Passed"], *arguments)
    assert ended.code == ExitCode.BAD_INPUT
    assert said in ended.said
    assert not ended.applied


def test_a_load_test_that_is_refused_is_told(place: Place) -> None:
    """The API server's own words, and no wait."""
    ended = place.gate(["abc Finished Passed"], refusal="spec.load.stages: Required value")
    assert ended.code == ExitCode.BAD_INPUT
    assert "spec.load.stages: Required value" in ended.said
    assert ended.seconds == 0


def fetched(place: Place) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{place.folder}:{os.environ['PATH']}", "WORLD": str(place.folder)}
    command = ["sh", str(GATE / "report.sh"), "demo", "chat-gate", str(place.folder / "report.json")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_stored_report_is_one_that_loadgen_reads(place: Place) -> None:
    """As the operator stores it: compressed, beside what the platform saw."""
    whole = {"report": json.loads(documents.dump(usual())), "timeline": {}, "faults": []}
    (place.folder / "artifact").write_text("chat-gate-1-report")
    (place.folder / "stored").write_bytes(base64.b64encode(gzip.compress(json.dumps(whole).encode())))
    done = fetched(place)
    assert done.returncode == 0, done.stderr
    assert documents.load((place.folder / "report.json").read_bytes()) == usual()


def test_a_run_without_a_report_is_told(place: Place) -> None:
    (place.folder / "artifact").write_text("")
    done = fetched(place)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "has stored no report" in done.stderr
    assert not (place.folder / "report.json").exists()


@pytest.mark.parametrize("file", ["gate/loadtest.yaml", "argocd/hook.yaml", "argocd/wave.yaml"])
def test_the_load_tests_of_the_examples_are_valid(file: str) -> None:
    LoadTest.model_validate(yaml.safe_load((GITOPS / file).read_text()))


def test_the_time_of_each_gate_outlasts_its_load_test() -> None:
    """Else it would say Inconclusive of a run that goes on; and what calls it waits longer than it does."""
    longest = yaml.safe_load((GATE / "loadtest.yaml").read_text())["spec"]["activeDeadlineSeconds"]
    (metric,) = yaml.safe_load((GITOPS / "argo-rollouts" / "analysistemplate.yaml").read_text())["spec"]["metrics"]
    job = metric["provider"]["job"]["spec"]
    command = job["template"]["spec"]["containers"][0]["command"]
    assert longest < int(command[-1]) < job["activeDeadlineSeconds"]
    (hook,) = yaml.safe_load((GITOPS / "flagger" / "canary.yaml").read_text())["spec"]["analysis"]["webhooks"]
    assert longest < int(hook["metadata"]["cmd"].split()[-1]) < 60 * int(hook["timeout"].removesuffix("m"))


def test_a_gate_may_do_what_its_scripts_do_and_nothing_else() -> None:
    role = next(body for body in yaml.safe_load_all((GATE / "rbac.yaml").read_text()) if body["kind"] == "Role")
    assert role["rules"] == [
        {"apiGroups": ["loadtest.dev"], "resources": ["loadtests"], "verbs": ["get", "create", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]


@pytest.mark.parametrize("file", sorted(GITOPS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(GITOPS)))
def test_every_file_is_yaml(file: Path) -> None:
    assert json.dumps(list(yaml.safe_load_all(file.read_text())), default=str)
