"""One real request of each kind, before any load: does the target answer what will be asked of it?

From the operator, straight to a ready endpoint of the Service (or through the API server's pod proxy), byte for byte as the
workers will send it. A 4xx is an answer about the request, anything else may pass with time. Each request has its own
time-out, as under load; how long all of them may take is the caller's to say.

What a target answers is only shown where it is the LoadTest's namespace's own, and no key was sent: else whoever may create a
LoadTest could read through it what he may not reach himself.
"""

import asyncio
import json
import re
import secrets
import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from loadgen import __version__
from loadgen.core.prompts.material import authorities, header
from loadgen.core.prompts.workload import BodyFactory
from loadgen.core.protocols import gradio
from loadgen.core.protocols.openai import ChunkKind
from loadgen.core.protocols.sse import ParseError, SseParser
from loadgen.core.protocols.table import POSTED
from loadgen.core.schedule.segment import Segment
from loadgen.model.access import Access
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.requests import Gradio, GradioProtocol, Http, Request
from loadtest_operator.adapters.errors import AdapterError, ForbiddenError, RetryableError, translated
from loadtest_operator.adapters.kube.api import KubeApi
from loadtest_operator.adapters.workers.http import prefix
from loadtest_operator.core.common.settings import WorkerAccess
from loadtest_operator.core.observed import ProbeResult
from loadtest_operator.core.scaling.target import TargetView

MOST_BYTES = 1024 * 1024
COMMON = {"User-Agent": f"loadgen/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
"""What the workers send with every request."""
NOT_LET_IN = (401, 403)
SUCCESSFUL = range(200, 300)
"""As for the workers: some frameworks answer a POST with 201."""
EXPECT_LIMIT = 64 * 1024
"""As in the workers: where `expectBody` is looked for."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Letter:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    seconds: int


@dataclass(frozen=True, slots=True)
class Way:
    """How the target is talked to."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What proves who we are."""
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    own: bool = True
    """Whether the target's answers may be shown."""

    @classmethod
    def of(cls, view: TargetView, access: Access, material: Material, *, own: bool = True) -> "Way":
        """As the workers do: the certificate must be for the Service's name, whichever address is talked to."""
        parts, found = urlsplit(view.url), header(access, material)
        proof = dict([found]) if found else {}
        if parts.scheme != "https":
            return cls(proof, own=own)
        name = access.tls.server_name if access.tls else None
        trusted = ssl.create_default_context(cadata=authorities(access, material))
        return cls(proof, trusted, name or parts.hostname, own)

    @property
    def hides(self) -> str:
        """Why nothing of an answer is shown, as a sentence's end; empty where it may be."""
        if self.headers:
            return " (its text is not shown: it might repeat the key)"
        return "" if self.own else " (its text is not shown: the target is not of this namespace)"


class Prober:
    """Sends probes, the way the operator reaches pods."""

    def __init__(self, session: aiohttp.ClientSession, kube: KubeApi, access: WorkerAccess) -> None:
        self._session, self._kube, self._access = session, kube, access

    async def probe(
        self,
        plan: Plan,
        view: TargetView,
        before: ProbeResult | None,
        way: Way = Way(),
        material: Material = NO_MATERIAL,
    ) -> ProbeResult:
        """Every kind of request once, one after the other; the first that fails is the result."""
        bodies = await asyncio.to_thread(BodyFactory, plan, Segment(0, 1), material)
        for place, request in enumerate(plan.requests):
            complaint, refused = await self._one(request, bodies.body(place), view, way)
            if complaint:
                again = (before.refused_in_a_row if before else 0) + 1 if refused else 0
                return ProbeResult(ok=False, message=complaint, refused_in_a_row=again)
        return ProbeResult(ok=True)

    async def _one(self, request: Request, body: bytes, view: TargetView, way: Way) -> tuple[str, bool]:
        """What was wrong (empty: nothing), and whether the target refused the request itself."""
        method, path, headers, expected = _shape(request)
        body, session = _in_session(request, body)
        what = f"probe {request.name}: {method} {view.url}{path}"
        letter = _Letter(method, path, {**headers, **way.headers}, body, request.timeout_seconds)
        try:
            answer = await self._send(view, letter, way)
            if answer.status in SUCCESSFUL and (further := _listening(request, answer, session)):
                accepts = {**COMMON, "Accept": "text/event-stream", **way.headers}
                listening = _Letter("GET", further, accepts, b"", request.timeout_seconds)
                answer = await self._send(view, listening, way)
        except AdapterError as error:
            return f"{what}: {error}", False
        excerpt = way.hides or _excerpt(answer.body)
        if answer.status in NOT_LET_IN and self._lost_its_key(view, way):
            return "", False
        if answer.status in expected:
            return _lacking(request, answer, what, excerpt, quoted=not way.hides), False
        return (
            f"{what} answered {answer.status}{excerpt}",
            400 <= answer.status < 500 and answer.status != 429,
        )

    def _lost_its_key(self, view: TargetView, way: Way) -> bool:
        """The API server takes Authorization for itself and passes none on: being refused says that somebody is there."""
        return self._by_proxy(view) and "Authorization" in way.headers

    def _by_proxy(self, view: TargetView) -> bool:
        return self._access is WorkerAccess.API_SERVER_PROXY and bool(view.endpoints and view.endpoints[0].pod)

    async def _send(self, view: TargetView, letter: _Letter, way: Way) -> _Answer:
        if self._by_proxy(view):
            pod = f"{'https:' if way.tls else ''}{view.endpoints[0].pod}:{view.endpoints[0].port}"
            path = f"/api/v1/namespaces/{view.namespace}/pods/{pod}/proxy{letter.path}"
            status, body = await self._kube.proxied(
                letter.method,
                path,
                headers=letter.headers,
                body=letter.body or None,
                timeout_seconds=letter.seconds,
                read=_beginning,
            )
            _not_the_servers(status, body)
            return _Answer(status, body)
        timeout = aiohttp.ClientTimeout(total=letter.seconds, connect=5)
        url = URL(_base(view) + letter.path, encoded=True)
        with translated("no answer over TLS (see spec.target.tls)" if way.tls else "no answer"):
            async with self._session.request(
                letter.method,
                url,
                headers=_with_host(letter.headers, view),
                data=letter.body or None,
                timeout=timeout,
                allow_redirects=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                ssl=way.tls or True,
                server_hostname=way.server_name,
            ) as response:
                return _Answer(response.status, await _beginning(response))


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    return await prefix(response, MOST_BYTES)


def _not_the_servers(status: int, body: bytes) -> None:
    """A refusal by the API server on the way says nothing about the target. Raises ForbiddenError."""
    if status == 403 and b"pods/proxy" in body and re.search(rb'"kind": ?"Status"', body):
        raise ForbiddenError(
            "the API server does not let the operator through to the target (pods/proxy): see its roles"
        )


def _shape(request: Request) -> tuple[str, str, dict[str, str], Container[int]]:
    """Method, path, headers and expected statuses, as the workers have them."""
    asked = request.asked
    if not isinstance(asked, Http):
        accept = "text/event-stream" if asked.streams and type(asked) in POSTED else "application/json"
        return "POST", asked.path, {**COMMON, "Accept": accept, "Content-Type": "application/json"}, SUCCESSFUL
    given = {name.lower() for name in asked.headers}
    common = {name: value for name, value in COMMON.items() if name.lower() not in given}
    return asked.method, asked.path, {**common, **asked.headers}, asked.expect_status


def _with_host(headers: Mapping[str, str], view: TargetView) -> dict[str, str]:
    """The Service's name, as the workers call it, whichever address is talked to."""
    given = {name.lower() for name in headers}
    return {**headers} if "host" in given else {"Host": urlsplit(view.url).netloc, **headers}


def _base(view: TargetView) -> str:
    """A ready endpoint, for a Service's name only means something inside the cluster."""
    if not view.endpoints:
        if view.namespace and not view.elsewhere:
            # Its name is asked for nobody: what it leads to may have changed since the Service was looked at.
            raise RetryableError("the Service has no ready endpoint that could be asked")
        return view.url
    endpoint = view.endpoints[0]
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{urlsplit(view.url).scheme}://{host}:{endpoint.port}{urlsplit(view.url).path}"


def _lacking(request: Request, answer: _Answer, what: str, excerpt: str, *, quoted: bool) -> str:
    """A completion without its sign (a choice) is no answer, whatever its status; nor is a page without the text it must contain.

    Regular expressions are left to the workers: a bad one (they may take for ever) would stop the operator for all.
    """
    spoken = POSTED.get(type(request.asked))
    if spoken is not None and spoken.sign not in answer.body:
        return f"{what} answered {answer.status} without any output{excerpt}"
    if request.gradio is not None:
        wrong = _called(request.gradio, answer.body)
        told = wrong if quoted else "answered, but not as a Gradio app that has run the function"
        return f"{what} {told}{excerpt}" if wrong else ""
    wanted = request.http.expect_body.contains if request.http and request.http.expect_body else None
    if wanted is not None and wanted.encode() not in answer.body[:EXPECT_LIMIT]:
        return f"{what} answered {answer.status} without {wanted[:100]!r}{excerpt}"
    return ""


def _in_session(request: Request, body: bytes) -> tuple[bytes, str]:
    """A Gradio app's page has a session, and the probe one of its own; all other bodies stay as they are."""
    if request.gradio is None or request.gradio.protocol is not GradioProtocol.QUEUE_JOIN:
        return body, ""
    session = secrets.token_hex(8)
    return gradio.in_session(body, session), session


def _listening(request: Request, answer: _Answer, session: str) -> str:
    """Where a Gradio call's outputs come from; empty for what has one answer, or a wrong one."""
    if request.gradio is None or request.gradio.protocol is GradioProtocol.PREDICT:
        return ""
    try:
        event = gradio.event_id(answer.body)
    except ParseError:
        return ""
    return request.gradio.listening(session or event)


def _called(asked: Gradio, body: bytes) -> str:
    """What is wrong with a call's answer."""
    try:
        messages = [gradio.decode_predict(body)] if asked.protocol is GradioProtocol.PREDICT else _streamed(asked, body)
    except ParseError as error:
        return f"answered what is {error}"
    errors = [message.error for message in messages if message.error is not None]
    if errors:
        return f"failed in the app with {errors[0]!r}"
    if not any(message.done for message in messages):
        return "ended before the function was complete"
    return "" if any(message.has_output for message in messages) else "answered without any output"


def _streamed(asked: Gradio, body: bytes) -> list[ChunkKind]:
    parser = SseParser()
    events = [*parser.feed(body), *parser.close()]
    if not events:
        gradio.event_id(body)  # raises with what is wrong where no event was named
    return [gradio.STREAMED[asked.protocol](event) for event in events]


def _excerpt(body: bytes) -> str:
    text = body[:200].decode(errors="replace").strip()
    return f": {json.dumps(text, ensure_ascii=False)}" if text else ""
