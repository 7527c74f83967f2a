"""The worker's control API: what an operator needs to start it, follow it and collect from it, and nothing else.

A run's bearer token is read from a file, compared in constant time, and never logged. Errors are JSON with a sentence.
"""

import asyncio
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Struct

from loadgen.runtime.worker.supervisor import AlreadyArmedError, NotReadyError, Supervisor

BODY_LIMIT = 65536
TOKEN_HEADER = "X-Loadtest-Token"  # noqa: S105 - a header's name
OPEN_PATHS = frozenset({"/healthz"})
_NUMBER = re.compile(r"[0-9]{1,18}")

T = TypeVar("T")


class StartOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """Body of POST /v1/start."""

    start_at: int
    """Wall clock of the worker, nanoseconds since 1970."""


class AbortOrder(Struct, forbid_unknown_fields=True):
    """Body of POST /v1/abort."""

    reason: str = "aborted by the control API"


def read_token(path: str) -> bytes:
    """The token; a trailing newline is not part of it."""
    return Path(path).read_bytes().strip()


def guarded(token: bytes) -> Middleware:
    """Middleware that lets nobody without the token in."""
    expected = b"Bearer " + token

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN_PATHS or (token and hmac.compare_digest(_credentials(request), expected)):
            return await handler(request)
        return refuse(401, "a bearer token is needed")

    return middleware


def _credentials(request: web.Request) -> bytes:
    """`Authorization`, or the token in a header of ours: the API server's pod proxy keeps the first for itself."""
    own = request.headers.get(TOKEN_HEADER)
    given = f"Bearer {own}" if own is not None else request.headers.get("Authorization", "")
    return given.encode("utf-8", "surrogateescape")


def refuse(status: int, sentence: str) -> web.Response:
    """An error that says why."""
    return web.json_response({"error": sentence}, status=status)


def as_json(value: object, status: int = 200) -> web.Response:
    """A struct as JSON."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


async def read(request: web.Request, shape: type[T]) -> T:
    """The request's body, or a 400 that names what is wrong."""
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        sentence = msgspec.json.encode({"error": str(error)}).decode()
        raise web.HTTPBadRequest(text=sentence, content_type="application/json") from error


class Control:
    """Routes from HTTP to a supervisor."""

    def __init__(self, supervisor: Supervisor, release: Callable[[], None]) -> None:
        self._supervisor, self._release = supervisor, release
        self._fetched = 0
        self._awaited: tuple[int, asyncio.Event] | None = None

    def collected(self, last: int) -> asyncio.Event:
        """Set once the delta of this number has been fetched and a newer one asked for."""
        event = asyncio.Event()
        self._awaited = (last, event)
        self._note(self._fetched)
        return event

    def _note(self, after: int) -> None:
        self._fetched = max(self._fetched, after)
        if self._awaited is not None and self._fetched >= self._awaited[0]:
            self._awaited[1].set()

    def application(self, token: bytes) -> web.Application:
        """The API behind its token."""
        application = web.Application(middlewares=[guarded(token)], client_max_size=BODY_LIMIT)
        application.add_routes(
            [
                web.get("/v1/state", self.state),
                web.post("/v1/start", self.start),
                web.post("/v1/abort", self.abort),
                web.get("/v1/deltas", self.deltas),
                web.post("/v1/release", self.release),
                web.get("/healthz", health),
            ]
        )
        return application

    async def state(self, _request: web.Request) -> web.Response:
        """GET /v1/state"""
        return as_json(self._supervisor.state())

    async def start(self, request: web.Request) -> web.Response:
        """POST /v1/start"""
        order = await read(request, StartOrder)
        try:
            self._supervisor.arm(order.start_at)
        except (AlreadyArmedError, NotReadyError) as error:
            return refuse(409, str(error))
        return as_json(self._supervisor.state())

    async def abort(self, request: web.Request) -> web.Response:
        """POST /v1/abort"""
        self._supervisor.abort((await read(request, AbortOrder)).reason)
        return as_json(self._supervisor.state())

    async def deltas(self, request: web.Request) -> web.Response:
        """GET /v1/deltas?after=K"""
        after = request.query.get("after", "0")
        if not _NUMBER.fullmatch(after) or int(after) > len(self._supervisor.deltas):
            return refuse(400, f"after={after[:60]!r} is not the number of a delta: 0 … {len(self._supervisor.deltas)}")
        self._note(int(after))
        return web.Response(body=self._supervisor.snapshot(int(after)), content_type="application/msgpack")

    async def release(self, _request: web.Request) -> web.Response:
        """POST /v1/release"""
        self._release()
        return web.json_response({})


async def health(_request: web.Request) -> web.Response:
    """GET /healthz"""
    return web.Response(text="ok\n")
