"""The laptop path is the product: everything that is shown anywhere runs as it is shown, only shorter.

Every sample, every plan in README and docs, every protocol, several kinds of requests at once: no traceback, a report, and an exit
code that says what the report says. What the verdict is depends on a plan's own bounds and is no matter here.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.bad import BAD
from fakes.bad import serve as serve_badly
from fakes.everything import everything
from fakes.serving import Server, serving
from loadgen.model.report import Verdict
from loadgen.model.requests import PROTOCOLS as ASKED
from loadgen.model.requests import Request

ROOT = Path(__file__).parents[3]
CODES = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCONCLUSIVE: 3}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "chat": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}}},
    "whole": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}, "stream": False}},
    "talk": {"openAIChat": {"model": "m", "prompt": {"text": "hi"}, "turns": 2}},
    "text": {"openAICompletions": {"model": "m", "prompt": {"text": "hi"}}},
    "embedding": {"openAIEmbeddings": {"model": "m", "prompt": {"text": "hi"}}},
    "call": {"gradio": {"apiName": "predict", "data": "[]"}},
    "join": {"gradio": {"fnIndex": 0, "data": "[]", "protocol": "QueueJoin"}},
    "predict": {"gradio": {"apiName": "predict", "data": "[]", "protocol": "Predict", "basePath": "/"}},
    "page": {"http": {"path": "/health", "expectBody": {"contains": "ready"}}},
}
STAGES = {"load": {"stages": [{"name": "only", "durationSeconds": 60, "arrivalRate": 8}]}}

WEIGHTED = {"name": "weighted", "http": {"path": "/health"}}


def fences() -> Iterator[tuple[str, Any]]:
    """Every YAML document in README and docs that has requests, with its place."""
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for place, block in enumerate(re.findall(r"```yaml\n(.*?)```", file.read_text(), re.DOTALL)):
            for document in yaml.safe_load_all(block):
                if (plan := plan_of(document)) is not None:
                    yield f"{file.name} {place}", plan


def plan_of(document: Any) -> dict[str, Any] | None:
    """What of a document can be run: a test, a schedule's or a sweep's, or requests (then with a stage, and one that has a weight)."""
    if isinstance(document, list):
        names = {str(Request.model_fields[name].alias) for name in ASKED}
        return {"requests": [*document, WEIGHTED], **STAGES} if all(names & set(one) for one in document) else None
    if "requests" not in inner(document):
        return None
    if document.get("kind") == "LoadTestSweep":
        return {**document, "kind": "LoadTest", "spec": inner(document)}
    return document if document.get("kind") in ("LoadTest", "LoadTestSchedule") else {**STAGES, **inner(document)}


def inner(document: dict[str, Any]) -> dict[str, Any]:
    """The part that has requests and load: of a test, a schedule, or a bare plan."""
    spec = document.get("spec", document)
    found: dict[str, Any] = spec.get("loadTestTemplate", {}).get("spec", spec)
    return found


def samples() -> Iterator[tuple[str, Any]]:
    for file in sorted((ROOT / "deploy/samples").glob("*.yaml")):
        plan = plan_of(yaml.safe_load(file.read_text()))
        assert plan is not None
        yield file.name, plan


SHOWN = [*samples(), *fences()]


def shortened(plan: dict[str, Any]) -> dict[str, Any]:
    """The same in a second a stage, at rates that a busy machine can serve."""
    load = inner(plan)["load"]
    for stage in load["stages"]:
        stage["durationSeconds"] = 1
        if "rampSeconds" in stage:
            stage["rampSeconds"] = 1
        for level in {"arrivalRate", "concurrency"} & set(stage):
            stage[level] = 8
    load |= {"gracefulStopSeconds": 5}
    return plan


def loadgen(plan: dict[str, Any], url: str, folder: Path, *more: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run it; the report that it wrote."""
    file, out = folder / "plan.yaml", folder / "report.json"
    file.write_text(yaml.safe_dump(plan))
    command = [
        sys.executable,
        "-m",
        "loadgen",
        "run",
        str(file),
        "--url",
        url,
        "--workers",
        "1",
        "--out",
        str(out),
        *more,
    ]
    environment = os.environ | {"LOADTEST_AUTHORIZATION": "sk-123"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    return done, json.loads(out.read_text()) if out.exists() else None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(everything) as one:
        yield one


def material(folder: Path) -> Path:
    """What the plans refer to."""
    for place, content in {"prompts/chat.jsonl": '{"prompt": "hi"}\n', "bodies/cat.png": "png"}.items():
        file = folder / "data" / place
        file.parent.mkdir(parents=True)
        file.write_text(content)
    return folder / "data"


def test_plans_are_found_where_they_are_shown() -> None:
    """Or the test below would be empty one day."""
    assert {name.split(" ")[0] for name, _ in SHOWN} >= {
        "README.md",
        "requests.md",
        "references.md",
        "chat-capacity.yaml",
        "nightly.yaml",
    }


@pytest.mark.parametrize(("name", "plan"), SHOWN, ids=[name for name, _ in SHOWN])
def test_what_is_shown_runs(name: str, plan: dict[str, Any], server: Server, tmp_path: Path) -> None:
    done, report = loadgen(shortened(plan), server.url, tmp_path, "--data", str(material(tmp_path)))

    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert report is not None, done.stderr
    assert done.returncode == CODES[report["verdict"]], done.stdout
    if name == "broken-path.yaml":
        assert (report["verdict"], report["total"]["counts"]["planned"]) == ("Inconclusive", 0)
        assert "Http404" in report["message"]
    else:
        counts = report["total"]["counts"]
        assert counts["succeeded"] == counts["planned"] - counts["dropped"] > 0, report["total"]["errors"]


def test_all_protocols_at_once(server: Server, tmp_path: Path) -> None:
    """Each kind is probed and sent; each has its own successes."""
    requests = [{"name": name, **asked} for name, asked in PROTOCOLS.items()]
    plan = {
        "requests": requests,
        "load": {"seed": 1, "stages": [{"name": "only", "durationSeconds": 3, "arrivalRate": 40}]},
    }

    done, report = loadgen(plan, server.url, tmp_path)

    assert report is not None, done.stderr
    assert done.returncode == CODES[report["verdict"]], done.stdout
    assert report["total"]["errors"] == []
    assert report["total"]["counts"]["succeeded"] > 60


@pytest.mark.parametrize("client", ["Native", "Compatible"])
@pytest.mark.parametrize(
    "name", ["silence", "garbage", "reset-in-body", "not-tls", "error-event", "unavailable", "close-at-once"]
)
def test_a_broken_server_is_inconclusive_with_a_report(name: str, client: str, tmp_path: Path) -> None:
    """The probe says what is wrong with which request; there was no load, so no verdict on the server."""
    requests = [{"name": name, "timeoutSeconds": 2, **PROTOCOLS[name]} for name in ("chat", "page")]
    plan = {"requests": requests, "load": {"client": client, **STAGES["load"]}}
    with serve_badly(name) as bad:
        done, report = loadgen(plan, bad.url, tmp_path)

    assert done.returncode == 3, done.stdout + done.stderr
    assert report is not None
    assert (report["verdict"], report["total"]["counts"]["planned"]) == ("Inconclusive", 0)
    assert any(failure in report["message"] for failure in BAD[name].chat), report["message"]
    assert "Traceback" not in done.stderr
