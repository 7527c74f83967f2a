"""`loadgen run` and `loadgen lint` as a user calls them: exit codes and sentences."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fakes.bad import unused_port
from fakes.serving import Server
from fakes.simulators import Simulator
from loadgen.cli import app

PLAN = """
requests:
- {name: page, http: {path: /health}}
load:
  stages: [{name: steady, durationSeconds: 2, arrivalRate: 40}]
thresholds:
- {name: fast, metric: ResponseTime, statistic: P50, operator: LessThan, value: VALUE}
"""


def loadgen(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadgen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def plan(tmp_path: Path) -> Callable[[str], str]:
    """Writes the plan with a threshold's value; gives its path."""

    def write(value: str) -> str:
        file = tmp_path / "plan.yaml"
        file.write_text(PLAN.replace("VALUE", value))
        return str(file)

    return write


@pytest.mark.parametrize(("value", "verdict", "code"), [("2000", "Passed", 0), ("1", "Failed", 1)])
def test_run(
    value: str, verdict: str, code: int, plan: Callable[[str], str], simulator: Callable[..., Simulator], tmp_path: Path
) -> None:
    """The verdict decides the exit code; the report says the same."""
    server = simulator("--plain-ms=20")

    done = loadgen("run", plan(value), "--url", server.url, "--workers", "1", "--out", str(tmp_path / "r.json"))

    assert done.returncode == code, done.stdout + done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["verdict"] == verdict
    assert report["total"]["counts"]["succeeded"] > 0
    assert verdict in done.stdout
    assert loadgen("report", str(tmp_path / "r.json")).stdout.startswith(verdict)


def refused(plan: str, url: str, folder: Path) -> str:
    """A run whose probe fails is not measured: Inconclusive, with a report that says why."""
    done = loadgen("run", plan, "--url", url, "--out", str(folder / "r.json"))

    assert done.returncode == 3, done.stdout + done.stderr
    report = json.loads((folder / "r.json").read_text())
    assert report["verdict"] == "Inconclusive"
    assert report["message"][:50] in done.stdout
    return str(report["message"])


def test_unreachable(plan: Callable[[str], str], tmp_path: Path) -> None:
    """A sentence before any load."""
    assert "nothing listens there" in refused(plan("1"), f"http://127.0.0.1:{unused_port()}", tmp_path)


def test_wrong_path(plan: Callable[[str], str], bad_server: Callable[[str], Server], tmp_path: Path) -> None:
    """A 404 is found out by the probe, which repeats what the server said."""
    message = refused(plan("1"), bad_server("not-found").url, tmp_path)

    assert "Http404" in message
    assert 'the server said "not found"' in message


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://user:hunter2@127.0.0.1:1", "hunter2"),
        ("http://user:hun?ter2@127.0.0.1:1", "ter2"),
        ("ftp://user:hunter2@127.0.0.1", "hunter2"),
        ("http://user:hunter2@[::1", "hunter2"),
        ("http://127.0.0.1:1/?key=hunter2", "hunter2"),
        ("http://127.0.0.1:99999", "Traceback"),
        ("http://127.0.0.1:0", "Traceback"),
        ("http://a..b", "Traceback"),
        ("127.0.0.1:80", "Traceback"),
    ],
)
def test_a_bad_url_is_a_sentence_without_its_secrets(plan: Callable[[str], str], url: str, secret: str) -> None:
    done = loadgen("run", plan("1"), "--url", url)

    assert done.returncode == 2, done.stderr
    assert "target" in done.stderr
    assert secret not in done.stdout + done.stderr


def test_bad_plan(plan: Callable[[str], str]) -> None:
    """Field, value and remedy; nothing is sent."""
    file = plan("1")
    Path(file).write_text(Path(file).read_text().replace("arrivalRate", "arivalRate"))

    for command in (("run", file, "--url", "http://127.0.0.1:1"), ("lint", file)):
        done = loadgen(*command)
        assert done.returncode == 2
        assert "arivalRate" in done.stdout + done.stderr


BAD_FILES: dict[str, tuple[str, str]] = {
    "nothing": ("", "holds 0 plans"),
    "a number": ("42", "exactly one is needed"),
    "two plans": (f"{PLAN}\n---\n{PLAN}", "holds 2 plans"),
    "a control character": ("a: \0", "is not YAML"),
    "brackets without end": ("[" * 5000, "nested too deeply"),
    "a list that holds itself": ("requests: &a [*a]\nload: *a\n", "requests[0]"),
    "a number of 400 digits": (PLAN.replace("40", "4" * 400), "arrivalRate"),
    "a rate without end": (PLAN.replace("40", ".inf"), "arrivalRate"),
    "a schedule of nothing": ("kind: LoadTestSchedule\nspec: {loadTestTemplate: 3}\n", "spec.loadTestTemplate"),
    "a path with a line break": (PLAN.replace("/health", '"/a\\r\\nX: y"'), "path"),
    "a header with a line break": (PLAN.replace("/health", '/, headers: {a: "b\\r\\nc: d"}'), "headers"),
    "a header's name with a blank": (PLAN.replace("/health", "/, headers: {a b: c}"), "'a b'"),
    "a length of its own": (PLAN.replace("/health", "/, headers: {content-length: '5'}"), "content-length"),
    "a target that is a number": (
        "apiVersion: loadtest.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\nspec: {target: 5}\n",
        "requests",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_a_sentence(name: str, tmp_path: Path) -> None:
    """Exit code 2 and what is wrong, whatever the file holds; no traceback."""
    content, named = BAD_FILES[name]
    (tmp_path / "plan.yaml").write_text(content.replace("VALUE", "1"))

    done = CliRunner().invoke(app, ["run", str(tmp_path / "plan.yaml"), "--url", "http://127.0.0.1:1"])

    assert done.exit_code == 2, done.output
    assert named in done.output
    assert "Traceback" not in done.output


def test_a_report_that_cannot_be_written_is_an_error_of_this_machine(
    plan: Callable[[str], str], tmp_path: Path
) -> None:
    """What came out has been shown all the same."""
    url = f"http://127.0.0.1:{unused_port()}"

    done = loadgen("run", plan("1"), "--url", url, "--out", str(tmp_path / "no" / "r.json"))

    assert done.returncode == 4
    assert "nothing listens there" in done.stdout
    assert "cannot be written" in done.stderr


def test_manifest(tmp_path: Path) -> None:
    """What needs a cluster is named and left aside."""
    file = tmp_path / "test.yaml"
    lines = "".join(f"  {line}\n" for line in PLAN.replace("VALUE", "1").splitlines())
    head = "apiVersion: loadtest.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\nspec:\n"
    file.write_text(f"{head}  target: {{serviceRef: {{name: a, port: 80}}}}\n{lines}")

    done = loadgen("run", str(file), "--url", f"http://127.0.0.1:{unused_port()}")

    assert "ignored: spec.target" in done.stderr
