"""What is sent for each kind of request, and what its answers mean.

A kind writes requests (a constant head, a length, a body from the core's factory) and judges answers. An answer is
right when the protocol says so, not when its status is 200: a stream must have had output and its terminal event, and
no error object on the way.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from loadgen import __version__
from loadgen.core.prompts.conversation import Conversations
from loadgen.core.prompts.workload import BodyFactory
from loadgen.core.protocols import gradio
from loadgen.core.protocols.table import POSTED
from loadgen.core.schedule.segment import Segment
from loadgen.model.plan import Plan
from loadgen.model.proxy import MARK
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.requests import (
    Asked,
    ExpectBody,
    Gradio,
    GradioProtocol,
    Http,
    OpenAIChat,
    Request,
    for_every_protocol,
)
from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND
from loadgen.runtime.http.exchange import Consumer, Exchange, Following, Kind, Stream
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.calls import KEY, CallKind
from loadgen.runtime.kinds.completions import StreamKind, WholeKind, unsuccessful
from loadgen.runtime.kinds.talks import TalkKind
from loadgen.runtime.recording.meter import Meter

EXPECT_LIMIT = 64 * 1024
"""Bytes of a body in which `expectBody` is looked for."""
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(slots=True)
class HttpKind:
    """A plain request: the status decides, and the body where the plan expects something of it; else bodies are dropped."""

    data: bytes
    expected: frozenset[int]
    bodiless: bool
    idempotent: bool
    timeout_ns: int
    holds: Callable[[bytes], object] | None = None
    """Whether a body is right."""
    consume: Consumer | None = None
    following: Following | None = None

    def __post_init__(self) -> None:
        self.consume = self.keep if self.holds else None

    def wire(self, exchange: Exchange) -> bytes:
        """Always the same bytes."""
        return self.data

    def keep(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """Collect the beginning of the body."""
        stream = exchange.stream = exchange.stream or Stream(bytearray())
        kept = cast(bytearray, stream.parser)
        kept += body[: EXPECT_LIMIT - len(kept)]
        return False

    def verdict(self, exchange: Exchange) -> str | None:
        """Success is an expected status."""
        status = exchange.status
        if status in self.expected:
            return None if self.holds is None or self._is_right(exchange.stream) else Failure.UNEXPECTED_BODY
        return unsuccessful(status)

    def _is_right(self, stream: Stream | None) -> bool:
        assert self.holds is not None  # noqa: S101  asked only where something is expected
        return bool(self.holds(bytes(cast(bytearray, stream.parser)) if stream else b""))

    def truncated(self, exchange: Exchange) -> str:
        """Fewer bytes than announced."""
        return Failure.CONNECTION_LOST


@dataclass(frozen=True, slots=True)
class _Making:
    """What a kind is made with."""

    body: Callable[[], bytes]
    conversations: Callable[[], Conversations]
    timeout_ns: int
    target: Target
    meter: Meter


def kinds(
    plan: Plan,
    segment: Segment,
    target: Target,
    meter: Meter,
    material: Material = NO_MATERIAL,
    bases: Sequence[str] = (),
) -> tuple[Kind, ...]:
    """One per request of the plan, in its order. `bases`: for each, what stands before its path instead of the target's base."""
    bodies = BodyFactory(plan, segment, material)
    based = [replace(target, base=base) for base in bases] or [target] * len(plan.requests)
    targets = [
        replace(each, mark=request.name) if each.proxied else each
        for each, request in zip(based, plan.requests, strict=True)
    ]
    return tuple(_kind(request, index, bodies, targets[index], meter) for index, request in enumerate(plan.requests))


def _kind(request: Request, index: int, bodies: BodyFactory, target: Target, meter: Meter) -> Kind:
    making = _Making(
        partial(bodies.body, index),
        partial(bodies.conversations, index),
        request.timeout_seconds * SECOND,
        target,
        meter,
    )
    return KINDS[type(request.asked)](request.asked, making)


def _posted(asked: Any, making: _Making) -> StreamKind | WholeKind:
    kind = StreamKind if asked.streams else WholeKind
    head = _json_head(asked.path, making.target, stream=asked.streams)
    return kind(head, making.body, making.timeout_ns, making.meter, POSTED[type(asked)].decode)


def _chat(asked: OpenAIChat, making: _Making) -> Kind:
    one = _posted(asked, making)
    return TalkKind(one, making.conversations(), making.timeout_ns) if asked.turns > 1 else one


def _gradio(asked: Gradio, making: _Making) -> Kind:
    return _FUNCTIONS[asked.protocol](asked, making)


def _predict(asked: Gradio, making: _Making) -> Kind:
    head = _json_head(asked.path, making.target, stream=False)
    return WholeKind(head, making.body, making.timeout_ns, making.meter, gradio.decode_predict)


def _call(asked: Gradio, making: _Making, session: Callable[[], str] | None = None) -> Kind:
    head = _json_head(asked.path, making.target, stream=False)
    listening = _head("GET", asked.listening(KEY), {"Accept": "text/event-stream"}, making.target) + b"\r\n"
    decode, parts = gradio.STREAMED[asked.protocol], listening.split(KEY.encode(), 1)
    return CallKind(head, making.body, parts, making.timeout_ns, making.meter, decode, session)


def _session() -> str:
    """Not from the plan's seed: an app keeps sessions, with their state and unread messages; a second run would meet the first one's."""
    return secrets.token_hex(8)


_FUNCTIONS: Mapping[GradioProtocol, Callable[[Gradio, _Making], Kind]] = {
    GradioProtocol.QUEUE: _call,
    GradioProtocol.QUEUE_JOIN: partial(_call, session=_session),
    GradioProtocol.PREDICT: _predict,
}


def _http(http: Http, making: _Making) -> HttpKind:
    body = making.body()
    headers = dict(http.headers)
    if body or http.method in {"POST", "PUT", "PATCH"}:
        headers["Content-Length"] = str(len(body))
    data = _head(http.method, http.path, headers, making.target) + b"\r\n" + body
    return HttpKind(
        data=data,
        expected=frozenset(http.expect_status),
        bodiless=http.method == "HEAD",
        idempotent=http.method in _IDEMPOTENT,
        timeout_ns=making.timeout_ns,
        holds=_holds(http.expect_body),
    )


KINDS: Mapping[type[Asked], Callable[[Any, _Making], Kind]] = for_every_protocol(
    {**dict.fromkeys(POSTED, _posted), OpenAIChat: _chat, Gradio: _gradio, Http: _http}
)
"""What sends and judges each protocol."""


def _holds(expected: ExpectBody | None) -> Callable[[bytes], object] | None:
    if expected is None:
        return None
    if expected.matches is not None:
        return re.compile(expected.matches.encode()).search
    wanted = (expected.contains or "").encode()
    return lambda body: wanted in body


def _json_head(path: str, target: Target, *, stream: bool) -> bytes:
    """Up to the value of Content-Length."""
    accept = "text/event-stream" if stream else "application/json"
    head = _head("POST", path, {"Accept": accept, "Content-Type": "application/json"}, target)
    return head + b"Content-Length: "


def _head(method: str, path: str, headers: dict[str, str], target: Target) -> bytes:
    """A request's head without its empty line; the plan's headers win over ours, the target's come last. The mark for a proxy is
    the first, where it is always in the first packet."""
    defaults = {
        "Host": target.authority,
        "User-Agent": f"loadgen/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    given = {name.lower() for name in headers}
    lines = [f"{method} {target.base}{path} HTTP/1.1", *([f"{MARK}: {target.mark}"] if target.mark else [])]
    lines += [f"{name}: {value}" for name, value in defaults.items() if name.lower() not in given]
    lines += [f"{name}: {value}" for name, value in (*headers.items(), *target.headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8")
