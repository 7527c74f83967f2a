"""What a plan takes from Secrets and ConfigMaps, on real sockets: it arrives at the target and nowhere else."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from plans import CHAT, PAGE, WHOLE, a_plan
from runs import run
from test_proxy import proxied
from test_worker import working

from fakes.bad import request
from fakes.certificates import Authority
from fakes.serving import serving
from loadgen.model.access import Access

KEY = "sk-0123456789abcdef"
BEARER = {"authorization": {"bearer": {"secretKeyRef": {"name": "gateway", "key": "token"}}}}
API_KEY = {"authorization": {"header": {"name": "api-key", "secretKeyRef": {"name": "gateway", "key": "token"}}}}
TOKEN = {"secrets/gateway/token": KEY.encode()}
CA = {"ca": {"configMapKeyRef": {"name": "trust", "key": "ca.crt"}}}
JSONL = {"configMapKeyRef": {"name": "prompts", "key": "a.jsonl"}}
FROM_FILE = {"name": "file", "openAIChat": {"model": "m", "prompt": {"jsonl": JSONL}, "stream": False}}
POST = {"name": "post", "http": {"method": "POST", "bodyFrom": {"configMapKeyRef": {"name": "bodies", "key": "b"}}}}
ANSWER = b'{"choices":[{"message":{"role":"assistant","content":"word"}}],"usage":{"completion_tokens":1}}'
STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@dataclass
class Heard:
    """What a target was asked, and under which name."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    names: set[str | None] = field(default_factory=set)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            self.bodies.append(await reader.readexactly(int(lengths[0]) if lengths else 0))
            self.heads.append(head)
            body = STREAM if "text/event-stream" in head else ANSWER
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def sni(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.names.add(name)

    def lines(self, name: str) -> list[str]:
        """A header's lines in all requests."""
        return [line for head in self.heads for line in head.split("\r\n") if line.lower().startswith(f"{name}:")]


@contextmanager
def target(tls: ssl.SSLContext | None = None) -> Iterator[Heard]:
    heard = Heard()
    if tls is not None:
        tls.sni_callback = heard.sni  # type: ignore[assignment]
    with serving(heard.answer, scheme="https" if tls else "http", tls=tls) as server:
        heard.url = server.url
        yield heard


def an_access(**fields: Any) -> Access:
    return Access.model_validate(fields)


@pytest.mark.parametrize(("access", "line"), [(BEARER, f"Authorization: Bearer {KEY}"), (API_KEY, f"api-key: {KEY}")])
async def test_every_kind_of_request_has_the_header(access: dict[str, Any], line: str) -> None:
    with target() as heard:
        tally, _ = await run(
            a_plan([CHAT, WHOLE, PAGE], {"arrivalRate": 30}), heard.url, access=an_access(**access), material=TOKEN
        )

    assert tally.select().counts.succeeded == 30
    assert heard.lines(line.partition(":")[0].lower()) == [line] * 30


async def test_prompts_and_bodies_come_from_files() -> None:
    lines = "\n".join(json.dumps({"prompt": f"prompt {number}"}) for number in range(40))
    material = {"configmaps/prompts/a.jsonl": lines.encode(), "configmaps/bodies/b": b"\x00raw\xff"}
    with target() as heard:
        await run(a_plan([FROM_FILE, POST], {"arrivalRate": 60}), heard.url, material=material)

    prompts = [json.loads(body)["messages"][0]["content"] for body in heard.bodies if body.startswith(b"{")]
    assert 15 < len(prompts) <= 40
    assert len(set(prompts)) == len(prompts)
    assert {body for body in heard.bodies if not body.startswith(b"{")} == {b"\x00raw\xff"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.of(tmp_path_factory.mktemp("pki") / "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.of(tmp_path_factory.mktemp("pki") / "theirs")


async def over_tls(
    url: str, pem: bytes | None, server_name: str | None = None, via: str = ""
) -> tuple[int, dict[str, int]]:
    """Successes and errors of three requests."""
    tls = {**(CA if pem else {}), **({"serverName": server_name} if server_name else {})}
    access = an_access(tls=tls) if tls else Access()
    material = {"configmaps/trust/ca.crt": pem} if pem else {}
    tally, _ = await run(a_plan(PAGE, {"arrivalRate": 3}), url, access=access, material=material, via=via)
    await asyncio.sleep(0.1)  # closings take turns of the server's loop
    return tally.select().counts.succeeded, tally.select().counts.errors


async def test_only_the_right_authority_and_name_are_believed(authority: Authority, stranger: Authority) -> None:
    with target(authority.server("DNS:chat.demo.svc", "IP:127.0.0.1")) as heard:
        assert await over_tls(heard.url, authority.pem) == (3, {})
        assert await over_tls(heard.url, authority.pem, "chat.demo.svc") == (3, {})
        assert await over_tls(heard.url, stranger.pem + authority.pem) == (3, {})
        asked = len(heard.heads)
        assert await over_tls(heard.url, None) == (0, {"Tls": 3})
        assert await over_tls(heard.url, stranger.pem) == (0, {"Tls": 3})
        assert await over_tls(heard.url, authority.pem, "other.demo.svc") == (0, {"Tls": 3})

    assert len(heard.heads) == asked
    assert "chat.demo.svc" in heard.names


async def test_a_self_signed_certificate_is_its_own_authority(authority: Authority) -> None:
    """Nobody needs a switch that turns verification off: the certificate itself is the ca, its name the serverName."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "ca.crt", authority.folder / "ca.key")
    with target(context) as heard:
        assert await over_tls(heard.url, authority.pem, "authority") == (3, {})


async def test_through_the_delay_proxy_the_name_stays_the_targets(authority: Authority) -> None:
    """TCP goes to the proxy; SNI, the certificate's name and Host are the Service's."""
    with target(authority.server("DNS:chat.demo.svc")) as heard:
        async with proxied(heard.url.replace("https://", "")) as (through, _):
            via = through.removeprefix("http://")
            right = await over_tls("https://chat.demo.svc:8443/base", authority.pem, via=via)
            wrong = await over_tls("https://other.demo.svc:8443", authority.pem, via=via)

    assert (right, wrong) == ((3, {}), (0, {"Tls": 3}))
    assert heard.names == {"chat.demo.svc", "other.demo.svc"}
    assert heard.lines("host") == ["Host: chat.demo.svc:8443"] * 3
    assert {head.split()[1] for head in heard.heads} == {"/base/"}


def write(folder: Path, **files: str) -> Path:
    """`secrets__gateway__token` is secrets/gateway/token."""
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def processes_of(pid: int) -> Iterator[str]:
    """Command line and environment of a process and its children."""
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    assert len(family) >= 3
    for one in family:
        yield Path(f"/proc/{one}/cmdline").read_text()
        yield Path(f"/proc/{one}/environ").read_text()


async def test_a_workers_secret_is_nowhere_but_in_its_requests(tmp_path: Path) -> None:
    """Not on a command line or in an environment, a state, a delta, a metric or the log, although the target echoes it."""
    data = write(tmp_path / "data", secrets__gateway__token=KEY)
    environment = {"LOADTEST_ACCESS": json.dumps(BEARER), "LOADTEST_DATA": str(data)}
    plan = a_plan([PAGE, CHAT], {"arrivalRate": 50}, {"arrivalRate": 1, "durationSeconds": 600})
    echoes = serving(_echoing, scheme="http")
    with echoes as server:
        async with working(plan, server.url, tmp_path, **environment) as worker:
            await worker.start()
            await worker.reach("Running")
            await asyncio.sleep(1.5)
            seen = list(processes_of(worker.process.pid))
            seen.append(json.dumps((await worker.call("GET", "/v1/state"))[1]))
            async with worker.session.get("/v1/deltas", params={"after": 0}) as answer:
                seen.append((await answer.read()).decode("latin-1"))
            async with worker.session.get("/metrics", headers={"Authorization": ""}) as answer:
                seen.append(await answer.text())
            worker.process.terminate()
            seen.append(await worker.exited())

    assert "Parse" in seen[-1]
    assert not [text[:200] for text in seen if KEY in text]


async def _echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back the head of every request, where a chat expects a protocol."""
    while True:
        head = await request(reader)
        body = b"data: " + head.replace(b"\r\n", b" ") + b"\n\n"
        assert KEY.encode() in head
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def test_a_worker_without_its_file_says_so(tmp_path: Path) -> None:
    """An exit code and a sentence, which the pod's message shows."""
    (tmp_path / "plan.json").write_text(a_plan(PAGE, {"arrivalRate": 1}).model_dump_json())
    environment = {
        "LOADTEST_PLAN": str(tmp_path / "plan.json"),
        "LOADTEST_TARGET": "http://127.0.0.1:1",
        "LOADTEST_ACCESS": json.dumps(BEARER),
        "LOADTEST_DATA": str(tmp_path),
    }
    done = loadgen("worker", **environment)

    assert done.returncode == 2
    assert "Secret gateway, key token" in done.stderr
    assert "Traceback" not in done.stderr


def loadgen(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadgen", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=variables)


def manifest(folder: Path) -> str:
    """A LoadTest with a key and a file of prompts."""
    stages = [{"name": "steady", "durationSeconds": 2, "arrivalRate": 20}]
    spec = {
        "target": {"serviceRef": {"name": "chat", "port": 80}, **BEARER},
        "requests": [FROM_FILE],
        "load": {"stages": stages},
    }
    head = {"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "x"}}
    (folder / "test.yaml").write_text(json.dumps({**head, "spec": spec}))
    return str(folder / "test.yaml")


def test_a_laptop_takes_the_key_from_its_environment_and_files_from_a_folder(tmp_path: Path) -> None:
    data = write(tmp_path / "data", **{"prompts__a.jsonl": '{"prompt": "from a file"}\n'})
    file, report = manifest(tmp_path), tmp_path / "report.json"
    with target() as heard:
        done = loadgen(
            *("run", file, "--url", heard.url, "--workers", "1", "--data", str(data), "--out", str(report)),
            LOADTEST_AUTHORIZATION=KEY,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(heard.lines("authorization")) == {f"Authorization: Bearer {KEY}"}
    assert {json.loads(body)["messages"][0]["content"] for body in heard.bodies} == {"from a file"}
    assert KEY not in done.stdout + done.stderr + report.read_text()
    assert "ignored: spec.target.serviceRef" in done.stderr


def test_a_laptop_without_them_says_what_is_missing(tmp_path: Path) -> None:
    done = loadgen("run", manifest(tmp_path), "--url", "http://127.0.0.1:1", LOADTEST_AUTHORIZATION="")

    assert done.returncode == 2
    assert "put the value into the environment variable LOADTEST_AUTHORIZATION" in done.stderr
    assert "give --data FOLDER with the file FOLDER/prompts/a.jsonl" in done.stderr


def test_a_key_that_nothing_asks_for_is_not_sent(tmp_path: Path) -> None:
    stages = [{"name": "steady", "durationSeconds": 1, "arrivalRate": 5}]
    (tmp_path / "plan.yaml").write_text(json.dumps({"requests": [PAGE], "load": {"stages": stages}}))
    with target() as heard:
        done = loadgen("run", str(tmp_path / "plan.yaml"), "--url", heard.url, LOADTEST_AUTHORIZATION=KEY)

    assert "LOADTEST_AUTHORIZATION is not sent: there is no spec.target.authorization" in done.stderr
    assert heard.heads
    assert heard.lines("authorization") == []
