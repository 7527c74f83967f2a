"""One request of each kind before the load: what would fail a thousand times is one sentence, in the server's own words where it has any.

Its outcome is a reason not to measure, never a verdict on the target. A redirect is a fault of the plan: following would
measure two requests as one, and the path (or URL) that the target names repairs it.
"""

import asyncio
import re
from dataclasses import dataclass, field

from loadgen.core.prompts.material import OPEN, header
from loadgen.core.protocols.words import printable, words
from loadgen.core.schedule.segment import Segment
from loadgen.model.access import Access
from loadgen.model.errors import ProbeError, TargetError
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.client import client
from loadgen.runtime.http.exchange import Consumer, Exchange, Following, Kind
from loadgen.runtime.http.heads import encoding_of
from loadgen.runtime.http.target import Target, shown
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.recording.meter import Meter

BODY_LIMIT = 16 * 1024
"""Bytes of an answer in which its sentence is looked for."""
ADVICE = {
    Failure.DNS: "the host name cannot be resolved; check --url",
    Failure.CONNECT_REFUSED: "nothing listens there; is the server up, and the port right?",
    Failure.CONNECT_TIMEOUT: "no connection within the time-out; is a firewall or a NetworkPolicy in the way?",
    Failure.TLS: "the TLS handshake failed; check http/https, and target.tls: ca for a private authority, serverName for another name",
    Failure.SEND: "the connection was closed before the request was out; is this an HTTP server, and http or https?",
    Failure.LOCAL: "this machine itself could not open a connection: are ports, files (ulimit -n) or memory used up?",
    Failure.TOTAL_TIMEOUT: "no complete answer within timeoutSeconds; is the model loaded?",
    Failure.FIRST_BYTE_TIMEOUT: "no answer began within firstByteTimeoutSeconds; is the model loaded?",
    Failure.STALL_TIMEOUT: "the answer stopped for stallTimeoutSeconds",
    Failure.PARSE: "the answer is not what the protocol says; is this the right kind of request for this server, and does it stream?",
    Failure.ENCODING: "nobody asked for that compression, and it is not read here (gzip and deflate are): turn it off in the gateway",
    Failure.UNEXPECTED_STATUS: "the status is not among expectStatus",
    Failure.UNEXPECTED_BODY: "the body does not hold what expectBody asks for (in its first 64 KiB)",
    Failure.EMPTY_OUTPUT: "the answer had no output",
    Failure.STREAM_TRUNCATED: "the stream ended without its terminal event",
    Failure.STREAM_ERROR: "the answer carried an error",
    Failure.CONNECTION_LOST: "the connection was closed before the answer was whole; is this an HTTP server, and http or https?",
    "Http401": "the server wants credentials: target.authorization, or others than those in LOADTEST_AUTHORIZATION",
    "Http403": "the server does not let these credentials in",
    "Http404": "the path does not exist there; check the request's path (and the model's name)",
    "Http405": "the path does not take this method; check the request's path",
}
HINTS = (
    ("stream_options", "includeUsage: false leaves that field out"),
    ("max_completion_tokens", "write maxCompletionTokens in place of maxTokens"),
    ("max_tokens", "leave maxTokens out, or write maxCompletionTokens"),
)
"""What in a server's words calls for which field of the plan."""
_OF_THE_BODY = (Failure.ENCODING, Failure.PARSE)
_LETS_NOBODY_IN = (401, 403, 407)
_PIECE = 4
"""Characters of a key that must not be repeated."""


@dataclass(slots=True)
class _Outcome:
    """Waits for one exchange."""

    future: "asyncio.Future[str | None]"

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        if not self.future.done():
            self.future.set_result(failure)

    def acted(self, exchange: Exchange, now: int) -> None:
        """Nobody asks."""


@dataclass(slots=True)
class Witness:
    """A kind whose last answer is remembered, whatever its status."""

    kind: Kind
    body: bytearray = field(default_factory=bytearray)
    head: bytes = b""
    bodiless: bool = False
    idempotent: bool = True
    timeout_ns: int = 0
    consume: Consumer | None = None
    following: Following | None = None

    def __post_init__(self) -> None:
        self.bodiless, self.idempotent, self.timeout_ns = self.kind.bodiless, self.kind.idempotent, self.kind.timeout_ns
        self.consume, self.following = self._take, self._follow if self.kind.following else None

    def wire(self, exchange: Exchange) -> bytes:
        """As ever."""
        return self.kind.wire(exchange)

    def _take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        self.body += body[: BODY_LIMIT - len(self.body)]
        return self.kind.consume is not None and self.kind.consume(exchange, body, stamp)

    def _follow(self, exchange: Exchange) -> bytes | None:
        data = self.kind.following(exchange) if self.kind.following else None
        if data is not None:
            self.body.clear()
        return data

    def verdict(self, exchange: Exchange) -> str | None:
        """As ever; the head is gone afterwards."""
        self.look(exchange)
        return self.kind.verdict(exchange)

    def truncated(self, exchange: Exchange) -> str:
        """As ever."""
        self.look(exchange)
        return self.kind.truncated(exchange)

    def look(self, exchange: Exchange) -> None:
        """Remember the head, as far as it has come."""
        if exchange.connection is not None:
            self.head = exchange.connection.head or self.head

    def field(self, name: str) -> str:
        """A header's value, printable; empty where there is none."""
        head = self.head.partition(b"\r\n\r\n")[0].decode("latin-1")
        found = re.search(rf"^{re.escape(name)}:(.*)$", head, re.IGNORECASE | re.MULTILINE)
        return printable(found.group(1)) if found else ""


async def probe(plan: Plan, url: str, access: Access = OPEN, material: Material = NO_MATERIAL) -> None:
    """Every kind of request must succeed once. Raises ProbeError; TargetError where the plan or the URL is at fault."""
    target = Target.parse(url, access, material)
    sent = kinds(plan, Segment(0, 1), target, Meter(watch_throttling=False), material)
    for request, kind in zip(plan.requests, sent, strict=True):
        witness, now = Witness(kind), monotonic_ns()
        exchange = Exchange(witness, 0, 0, now, now)
        failure = await _outcome(plan, target, exchange)
        if kind.consume is None and failure in _OF_THE_BODY:
            failure = await _outcome(
                plan, target, Exchange(kind, 0, 0, now, now)
            )  # the load reads no body of it either
        if failure is None:
            continue
        witness.look(exchange)
        what = f"{shown(url)}: request {request.name!r}"
        if 300 <= exchange.status < 400 and (location := witness.field("Location")):
            raise TargetError(_redirected(what, exchange.status, location))
        raise ProbeError(
            f"{what} failed with {failure}{_reason(failure, exchange.status, witness, _keys(access, material))}"
        )


async def _outcome(plan: Plan, target: Target, exchange: Exchange) -> str | None:
    outcome = _Outcome(asyncio.get_running_loop().create_future())
    pool = client(plan, target, outcome, (exchange.kind,))
    pool.dispatch(exchange)
    try:
        return await asyncio.wait_for(outcome.future, exchange.kind.timeout_ns / SECOND)
    except TimeoutError:
        return pool.cancel(exchange) or Failure.TOTAL_TIMEOUT
    finally:
        pool.close()
        await asyncio.sleep(0)


def _redirected(what: str, status: int, location: str) -> str:
    where = shown(location)
    scheme, slashes, rest = where.partition("://")
    host, slash, path = rest.removeprefix("…@").partition("/")
    remedy = (
        f"give --url {scheme}://{host}, and write path: {slash or '/'}{path}" if slashes else f"write path: {where}"
    )
    return f"{what} is redirected (HTTP {status}) to {where}: no load test follows, it would measure two requests as one; {remedy}"


def _reason(failure: str, status: int, witness: Witness, keys: tuple[str, ...]) -> str:
    """What is known: the status, the encoding, the server's own words; and what would help."""
    said, known = words(bytes(witness.body)), []
    if status and f"Http{status}" != failure:
        known.append(f"HTTP {status}")
    if failure == Failure.ENCODING:
        known.append(f"Content-Encoding {printable(encoding_of(witness.head))}")
    elif failure == Failure.PARSE and (kind := witness.field("Content-Type")):
        known.append(kind)
    shows = not keys or (status not in _LETS_NOBODY_IN and not any(repeats(key, said) for key in keys))
    hints = [hint for needle, hint in HINTS if needle in said and status >= 400][:1]
    advice = hints[0] if hints else _advice(failure, status, said)
    quoted = f'the server said "{said}"' if shows else "the server's words are not shown, they might repeat the key"
    parts = [f" ({', '.join(known)})" if known else "", f": {quoted}" if said else "", f": {advice}" if advice else ""]
    return "".join(parts)


def _advice(failure: str, status: int, said: str) -> str:
    if 300 <= status < 400:
        return "it redirects and does not say where (no Location)"
    return ADVICE.get(failure, "" if said else "see the server's log")


def _keys(access: Access, material: Material) -> tuple[str, ...]:
    """What a server's words must not repeat: the key as it is kept, and as it is sent."""
    sent = header(access, material)
    if access.authorization is None or sent is None:
        return ()
    kept = material[access.authorization.source.secret_key_ref.path].decode("latin-1")
    return kept, sent[1].rpartition(" ")[2]


def repeats(key: str, text: str) -> bool:
    """Whether a text has a piece of the key."""
    return any(key[place : place + _PIECE] in text for place in range(max(len(key) - _PIECE + 1, 1)))
