"""`kubectl loadtest report`: what the operator really stored, read back through the API."""

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import a_stage
from component.operator.theatre import theatre
from component.plugin.api import Server
from component.plugin.conftest import Call
from fakes import kube
from loadgen.model.report import SCHEMA_VERSION
from loadgen.report import documents
from unit.loadgen.pages import read
from unit.loadgen.test_html import usual
from unit.plugin.statuses import a_run, finished, past


@pytest.fixture(scope="module")
def played() -> kube.Cluster:
    """A whole run by the real operator on the emulated API: LoadTest test with its status, and its report."""

    async def play() -> kube.Cluster:
        async with theatre(a_stage(durationSeconds=5)) as stage:
            await stage.run()
            return stage.cluster

    return asyncio.run(play())


@pytest.fixture
def ended(server: Server, played: kube.Cluster) -> Server:
    """The same on the plugin's server."""
    server.objects = {kind: {key: dict(body) for key, body in found.items()} for kind, found in played.objects.items()}
    return server


def a_document(start_time: str = "2026-01-01T12:00:00Z", **changes: object) -> bytes:
    """As the operator packs it."""
    report = {**json.loads(documents.dump(usual())), "startTime": start_time}
    return gzip.compress(json.dumps({"report": report, **changes}).encode(), mtime=0)


def test_the_operators_report_is_shown(call: Call, ended: Server) -> None:
    """In the terminal's words, with the run's name; the checksum of the status holds."""
    said = call("report", "test")
    assert said.code == 0, said.err
    assert "LoadTest demo/test run 1" in said.out
    assert ended.test("test")["status"]["message"] in said.out.replace("\n", " ")
    assert said.err == ""


def test_as_a_page_and_as_json(call: Call, ended: Server, tmp_path: Path) -> None:
    """Both say what the status says."""
    status = ended.test("test")["status"]
    said = call("report", "test", "--json", "--html", str(tmp_path / "page.html"))
    assert said.code == 0, said.err
    report = documents.load(said.out)
    assert report.verdict == status["verdict"]
    root = read((tmp_path / "page.html").read_text())
    assert next(root.all("h1")).text == f"{status['verdict']} · demo/test run 1"
    assert status["message"] in root.text


def test_a_changed_report_is_not_shown(call: Call, ended: Server) -> None:
    """A byte more and it is another: nothing is printed, both sums are named."""
    (key,) = [key for key in ended.objects[("/api/v1", "configmaps")] if key[1].endswith("-report")]
    ended.keep(key[1], a_document())
    said = call("report", "test")
    assert said.code == 4
    assert said.out == ""
    assert ended.test("test")["status"]["artifacts"][0]["sha256"] in said.err


def test_a_report_that_is_gone(call: Call, ended: Server) -> None:
    """Named, with what may have happened."""
    (key,) = [key for key in ended.objects[("/api/v1", "configmaps")] if key[1].endswith("-report")]
    del ended.objects[("/api/v1", "configmaps")][key]
    said = call("report", "test")
    assert said.code == 2
    assert f"ConfigMap {key[1]}, which held the report, is gone" in said.err


def test_an_earlier_run(call: Call, put: Callable[..., None], server: Server, tmp_path: Path) -> None:
    """By its number; that its checksum is not known is said, on the page too."""
    put(a_run(2, history=[past(1, str(usual().verdict), artifact="chat-1-report")]))
    server.keep("chat-1-report", a_document())
    said = call("report", "chat", "--run", "1", "--html", str(tmp_path / "page.html"))
    assert said.code == 0, said.err
    assert "is not known" in said.err
    assert "is not known" in read((tmp_path / "page.html").read_text()).text


@pytest.mark.parametrize(
    ("status", "number", "said"),
    [
        (a_run(2, history=[past(1)]), None, "run 2 of LoadTest chat has not ended (Running); `--run 1` shows"),
        (a_run(2, history=[past(1)]), 1, "run 1 left no report; it ended Passed"),
        (finished(2, history=[past(1)]), 7, "has no run 7: known runs are 2, 1"),
        (finished(2), None, "run 2 left no report; it ended Passed"),
        (None, None, "has no run 0: known runs are none"),
        (finished(2, artifacts=[{"kind": "Bucket", "name": "b"}]), None, "stored as Bucket"),
    ],
    ids=[
        "a run that goes on",
        "an earlier run without a report",
        "a run that never was",
        "a run without a report",
        "no run yet",
        "a store of a newer operator",
    ],
)
def test_why_there_is_no_report(
    status: object, number: int | None, said: str, call: Call, put: Callable[..., None]
) -> None:
    """One sentence, exit code 2."""
    put(status)
    found = call("report", "chat", *(["--run", str(number)] if number else []))
    assert found.code == 2
    assert said in found.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is cut off"),
        (a_document()[:-20], "is cut off"),
        (b"hello", "is damaged"),
        (gzip.compress(b"hello"), "is not JSON"),
        (gzip.compress(b"[]"), "holds no report"),
        (gzip.compress(b'{"report": {"schemaVersion": "99"}}'), "schemaVersion '99'"),
        (
            gzip.compress(json.dumps({"report": {"schemaVersion": SCHEMA_VERSION}}).encode()),
            "is not a report of loadgen",
        ),
        (a_document("soon"), "its startTime 'soon' is no time"),
    ],
    ids=[
        "nothing",
        "half of it",
        "no archive",
        "no JSON",
        "another document",
        "a newer schema",
        "half a report",
        "no time",
    ],
)
def test_what_is_damaged_is_said(data: bytes, said: str, call: Call, put: Callable[..., None], server: Server) -> None:
    """Exit code 4; nothing is shown as if it were a report."""
    put(finished(1, artifacts=[{"kind": "ConfigMap", "name": "chat-1-report"}]))
    server.keep("chat-1-report", data)
    found = call("report", "chat")
    assert found.code == 4
    assert said in found.err
    assert found.out == ""


def test_a_contradiction_is_said(call: Call, put: Callable[..., None], server: Server) -> None:
    """The status counts, and nobody has to find out by himself that the report differs."""
    other = "Passed" if usual().verdict != "Passed" else "Failed"
    put(finished(1, other, artifacts=[{"kind": "ConfigMap", "name": "chat-1-report"}]))
    server.keep("chat-1-report", a_document())
    found = call("report", "chat")
    assert f"The stored report says {usual().verdict}, the LoadTest's status {other}" in found.err


def test_a_page_that_cannot_be_written(call: Call, ended: Server) -> None:
    """Said, with the path."""
    found = call("report", "test", "--html", "/nowhere/page.html")
    assert found.code == 2
    assert "cannot be written to /nowhere/page.html" in found.err


def test_what_the_cluster_saw_is_beside_it(
    call: Call, put: Callable[..., None], server: Server, tmp_path: Path
) -> None:
    """Faults with their bounds, expectations, scale-ups: in the terminal and on the page, with the status' words."""
    bound = {
        "metric": "ResponseTime", "statistic": "P95", "operator": "LessThan", "result": "Failed",
        "observed": "900 ms", "wanted": "< 800 ms", "message": "P95 was 900 ms while slow was in force",
    }  # fmt: skip
    fault = {"name": "slow", "result": "Recovered", "via": "DelayProxy", "injectedTime": "2026-01-01T12:00:05Z"}
    scaling = {
        "changes": [{"time": "2026-01-01T12:00:03Z", "desired": 2, "ready": 1}],
        "expectations": [{"name": "grows", "result": "Passed", "observed": "3", "wanted": "3", "message": "3 in time"}],
        "scaleUps": [{"fromReplicas": 1, "toReplicas": 3, "seconds": {"decided": "6"}}],
        "message": "the HPA had no metric for 3 s",
    }
    verdict = str(usual().verdict)
    artifacts = [{"kind": "ConfigMap", "name": "chat-1-report"}]
    put(finished(1, verdict, artifacts=artifacts, faults=[{**fault, "tolerate": [bound]}], scaling=scaling))
    server.keep("chat-1-report", a_document())

    said = call("report", "chat")
    page = call("report", "chat", "--html", str(tmp_path / "page.html"))

    assert (said.code, page.code) == (0, 0), said.err
    root = read((tmp_path / "page.html").read_text())
    assert root.rows("Faults")[1] == ["slow", "Recovered", "DelayProxy", "12:00:05", "–", ""]
    assert root.rows("Bounds over faults")[1][-1] == bound["message"]
    assert root.rows("Autoscaler")[1] == ["grows", "Passed", "3", "3", "3 in time"]
    assert root.rows("Scale-ups")[1] == ["1 → 3", "–", "+6 s", "–", "–", "–"]
    assert "the HPA had no metric for 3 s" in root.text
    assert "  slow · Recovered · DelayProxy · 12:00:05 · –" in said.out
    assert "the HPA had no metric for 3 s" in said.out
