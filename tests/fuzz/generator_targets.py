"""What the generator reads: servers' answers, orders to its workers, records of other releases; each is taken or refused in words."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from fuzz.answers import an_answer, changed, cuts
from fuzz.cases import Target
from loadgen.core.protocols import embeddings, gradio, openai, words
from loadgen.core.protocols.openai import ChunkKind
from loadgen.core.protocols.sse import Event, ParseError, SseParser
from loadgen.core.schedule.segment import Segment
from loadgen.core.stats import hdr
from loadgen.core.stats.histogram import BINS, Histogram, sparse_of
from loadgen.model.plan import Plan
from loadgen.report import documents, junit, sweep, terminal
from loadgen.report.documents import ReportError
from loadgen.report.html import page
from loadgen.runtime.http.connection import STALE_NS, BodyConnection, CallConnection, Connection
from loadgen.runtime.http.exchange import Exchange, Kind
from loadgen.runtime.http.target import Target as Server
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.recording.meter import Meter
from loadgen.runtime.worker.control import Control
from unit.loadgen.capacity.test_provision import swept
from unit.loadgen.test_html import one_second, two_kinds
from unit.loadgen.test_known_answers import NOTHING, Transport

PROTOCOLS: tuple[dict[str, Any], ...] = (
    {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "hi"}}},
    {"name": "whole", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "stream": False}},
    {"name": "talk", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "turns": 2}},
    {"name": "text", "openAICompletions": {"model": "m", "prompt": {"text": "hi"}}},
    {"name": "embedding", "openAIEmbeddings": {"model": "m", "prompt": {"text": "hi"}}},
    {"name": "call", "gradio": {"apiName": "predict", "data": "[]"}},
    {"name": "join", "gradio": {"fnIndex": 0, "data": "[]", "protocol": "QueueJoin"}},
    {"name": "predict", "gradio": {"apiName": "predict", "data": "[]", "protocol": "Predict", "basePath": "/"}},
    {"name": "page", "http": {"path": "/"}},
    {"name": "body", "http": {"path": "/", "expectBody": {"contains": "ready"}}},
    {"name": "head", "http": {"path": "/", "method": "HEAD"}},
)
LONGEST_ERROR = 400
CHAT = [
    b'{"id":"0","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}',
    b'{"choices":[{"delta":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}',
    b'{"choices":[{"message":{"content":[{"type":"text","text":"a"}],"audio":{"data":"QQ=="}},"finish_reason":"stop"}]}',
    b'{"choices":[],"usage":{"completion_tokens":7,"prompt_tokens":3}}',
    b'{"choices":[{"text":"a","error":{"message":"m"}}],"usage":{"completion_tokens":"7"}}',
    b'{"error":{"message":"out of memory","type":"server_error","code":500}}',
    b'{"object":"error","message":"no such model"}',
    b"[DONE]",
]
EMBEDDINGS = [b'{"data":[{"index":0,"embedding":[0.1,0.2]},{"index":1,"embedding":"QUJD"}],"error":null}']
GRADIO = [
    b'{"event_id":"3f2a"}',
    b'["a",null,{"path":"/tmp/x"}]',
    b'{"msg":"process_generating","output":{"data":[[["append",[],"x"]]]},"success":true}',
    b'{"msg":"process_completed","output":{"data":["x"],"error":null},"success":false,"title":"Error"}',
    b'{"data":["x",null],"error":{"error":"e","message":"m"}}',
]
EVENTS = (None, b"generating", b"complete", b"error", b"heartbeat")
MESSAGES: Mapping[str, tuple[list[bytes], Callable[[bytes, random.Random], object]]] = {
    "OpenAI": (CHAT, lambda data, _: openai.decode(data)),
    "what was said": (CHAT, lambda data, _: openai.decode(data) and openai.text(data)),
    "embeddings": (EMBEDDINGS, lambda data, _: embeddings.decode(data)),
    "Gradio's id": (GRADIO[:1], lambda data, _: gradio.event_id(data)),
    "Gradio's call": (GRADIO, lambda data, draw: gradio.decode_call(Event(data, draw.choice(EVENTS)))),
    "Gradio's join": (GRADIO, lambda data, _: gradio.decode_join(Event(data))),
    "Gradio's predict": (GRADIO, lambda data, _: gradio.decode_predict(data)),
}
"""Good messages of each protocol, and what decodes them."""


def a_message(draw: random.Random) -> str:
    """Decoded, or ParseError."""
    name = draw.choice(sorted(MESSAGES))
    good, decode = MESSAGES[name]
    try:
        found = decode(changed(draw.choice(good), draw), draw)
    except ParseError:
        return f"{name}: Parse"
    assert isinstance(found, ChunkKind | str)
    assert not isinstance(found, ChunkKind) or len(found.error or "") < LONGEST_ERROR
    return f"{name}: taken"


def a_stream(draw: random.Random) -> str:
    """The same events however it is cut, and no more kept than the limit."""
    events = [b"data: " + draw.choice(CHAT) + draw.choice((b"\n\n", b"\r\n\r\n", b"\r\r", b"\n")) for _ in range(4)]
    data = changed(b"".join(events), draw)
    whole, cut = (_events_of(pieces) for pieces in ([data], cuts(data, draw)))
    assert cut == whole or "too long" in (*cut, *whole), (whole, cut)
    return f"{min(len(whole), 5)} events"


def _events_of(pieces: list[bytes]) -> list[object]:
    parser, found = SseParser(limit=20_000), list[object]()
    try:
        for piece in pieces:
            found += parser.feed(piece)
        found += parser.close()
    except ParseError:
        found.append("too long")
    return found


def an_explanation(draw: random.Random) -> str:
    """The sentence in an error's body: printable, one line, bounded."""
    bodies = [
        *CHAT,
        *GRADIO,
        b'{"detail":[{"loc":["body","model"],"msg":"missing"}]}',
        b"<html><title>502</title></html>",
        b"data: x\n\n",
    ]
    said = words.words(changed(draw.choice(bodies), draw))
    assert len(said) <= words.LENGTH
    assert said.isprintable()
    return "said" if said else "nothing"


def an_http_answer(draw: random.Random) -> str:
    """Through a connection and each kind of request: it ends in one outcome with a class, or goes on."""
    name, kind = draw.choice(KINDS)
    owner, transport = _Owner(), Transport()
    connection = (CallConnection if kind.following else BodyConnection if kind.consume else Connection)(owner)
    connection.connection_made(transport)
    connection.send(Exchange(kind, 0, 0, 1, 1))
    data = an_answer(changed(b"\n\n".join(b"data: " + one for one in draw.sample(CHAT, 3)), draw), draw)
    if draw.random() < 0.5:
        data = an_answer(changed(draw.choice([*CHAT, *GRADIO, *EMBEDDINGS]), draw), draw)
    for piece in cuts(data, draw):
        if connection.alive:
            connection.data_received(piece)
    if connection.alive or draw.random() < 0.5:
        connection.eof_received()
    connection.connection_lost(None)
    assert sum(owner.outcomes.values()) == 1, owner.outcomes
    return f"{name}: {next(iter(owner.outcomes))}"


class _Owner:
    """Counts outcomes."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.received, self.known, self.stale_ns = 0, [NOTHING], STALE_NS

    def finished(self, _connection: object, _exchange: object, failure: str | None, _stamp: int) -> None:
        assert failure is None or isinstance(failure, str)
        self.outcomes[failure or "ok"] += 1

    ended = finished

    def stale(self, _exchange: object) -> None:
        self.outcomes["stale"] += 1

    def opened(self, _connection: object) -> None:
        """Nothing to do."""

    drained = lost = opened


def an_order(draw: random.Random) -> str:
    """To a worker's control API: obeyed, or 4xx with a sentence."""
    control = Control(cast(Any, _Supervisor()), lambda: None)
    body = changed(draw.choice((b'{"startAt":1764000000000000000}', b'{"reason":"enough"}', b"{}")), draw)
    after = draw.choice(("0", "1", "2", "-1", "1e3", "", "²", "٣", "9" * 5000, "0" * 5000 + "1", "0x1", " 1", "\ud800"))
    name = draw.choice(("start", "abort", "deltas"))
    return asyncio.run(_answered(getattr(control, name), body, after))


async def _answered(handler: Callable[[web.Request], Any], body: bytes, after: str) -> str:
    payload = StreamReader(cast(Any, _Protocol()), 2**16)
    payload.feed_data(body)
    payload.feed_eof()
    request = make_mocked_request("POST", "/v1/x", payload=payload)
    request._rel_url = request.rel_url.with_query({"after": after.encode("utf-8", "replace").decode()})
    try:
        answer = await handler(request)
    except web.HTTPBadRequest as error:
        return _said(error.text)
    if answer.status >= 400:
        return _said(answer.text)
    return str(answer.status)


def _said(text: str | None) -> str:
    assert json.loads(text or "")["error"]
    return "refused"


class _Protocol:
    """What a stream of bytes wants of its connection."""

    _reading_paused = False

    def resume_reading(self, **_: bool) -> None:
        """It never paused."""


class _Supervisor:
    """Has two deltas."""

    deltas = (b"", b"")

    def arm(self, start_at: int) -> None:
        assert isinstance(start_at, int)

    def abort(self, reason: str) -> None:
        assert isinstance(reason, str)

    def state(self) -> dict[str, str]:
        return {}

    def snapshot(self, after: int) -> bytes:
        return b"." * after


def a_record(draw: random.Random) -> str:
    """A stored report, ours or an older release's: shown in each way, or refused in words."""
    data = changed(draw.choice(REPORTS), draw)
    try:
        report = documents.load(data, "file")
    except ReportError:
        return "refused"
    assert documents.load(documents.dump(report)) == report
    shown = terminal.text(report), junit.render({"file": report}), page.render(report)
    assert all(shown)
    return "shown"


def a_sweep(draw: random.Random) -> str:
    """A stored sweep."""
    try:
        found = sweep.load(json.loads(changed(SWEEP, draw)), "file")
    except (ReportError, ValueError, RecursionError):
        return "refused"
    assert sweep.render(found)
    return "shown"


def a_histogram(draw: random.Random) -> str:
    """In HdrHistogram's notation: all its bins, or ValueError."""
    data = hdr.encode(_some(draw)).encode()
    try:
        counts = hdr.decode(changed(data, draw).decode("utf-8", "replace"))
    except ValueError:
        return "refused"
    assert len(counts) == BINS
    return "taken"


def _some(draw: random.Random) -> Histogram:
    histogram = Histogram()
    for _ in range(draw.randrange(5)):
        histogram.add(sparse_of([draw.randrange(1, 10**8)]))
    return histogram


def _kinds() -> list[tuple[str, Kind]]:
    plan = Plan.model_validate(
        {"requests": PROTOCOLS, "load": {"stages": [{"name": "s", "durationSeconds": 9, "arrivalRate": 1}]}}
    )
    made = kinds(plan, Segment(0, 1), Server.parse("http://127.0.0.1:1"), Meter(watch_throttling=False))
    return [(one["name"], kind) for one, kind in zip(PROTOCOLS, made, strict=True)]


KINDS = _kinds()
REPORTS = [documents.dump(one()).encode() for one in (one_second, two_kinds)]
REPORTS += [text.replace(b'"schemaVersion": "2"', b'"schemaVersion": "1"') for text in REPORTS]
SWEEP = swept().model_dump_json(by_alias=True, exclude_none=True).encode()
TARGETS: dict[str, Target] = {
    "answer's message": a_message,
    "event stream": a_stream,
    "explanation": an_explanation,
    "HTTP answer": an_http_answer,
    "order to a worker": an_order,
    "stored report": a_record,
    "stored sweep": a_sweep,
    "stored histogram": a_histogram,
}
