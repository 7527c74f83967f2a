"""One request of each kind before the load: a target that is not there, or a path that does not exist, is a sentence, not a report."""

import asyncio
from dataclasses import dataclass

from loadgen.core.prompts.material import OPEN
from loadgen.core.schedule.segment import Segment
from loadgen.model.access import Access
from loadgen.model.errors import TargetError
from loadgen.model.plan import Plan
from loadgen.model.references import NO_MATERIAL, Material
from loadgen.model.wire import Failure
from loadgen.runtime.clock import SECOND, monotonic_ns
from loadgen.runtime.http.client import client
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.http.target import Target
from loadgen.runtime.kinds.table import kinds
from loadgen.runtime.recording.meter import Meter

ADVICE = {
    Failure.DNS: "the host name cannot be resolved; check --url",
    Failure.CONNECT_REFUSED: "nothing listens there; is the server up, and the port right?",
    Failure.CONNECT_TIMEOUT: "no connection within the time-out; is a firewall or a NetworkPolicy in the way?",
    Failure.TLS: "the TLS handshake failed; check http/https, and target.tls: ca for a private authority, serverName for another name",
    Failure.TOTAL_TIMEOUT: "no complete answer within timeoutSeconds; is the model loaded?",
    Failure.PARSE: "the answer is not what the protocol says; is this the right kind of request for this server?",
    Failure.UNEXPECTED_STATUS: "the status is not among expectStatus",
    Failure.UNEXPECTED_BODY: "the body does not hold what expectBody asks for (in its first 64 KiB)",
    Failure.EMPTY_OUTPUT: "the answer had no output",
    Failure.STREAM_TRUNCATED: "the stream ended without its terminal event",
    Failure.STREAM_ERROR: "the stream carried an error",
    "Http401": "the server wants credentials: target.authorization, or others than those in LOADTEST_AUTHORIZATION",
    "Http403": "the server does not let these credentials in",
    "Http404": "the path does not exist there; check the request's path (and the model's name)",
}


@dataclass(slots=True)
class _Outcome:
    """Waits for one exchange."""

    future: "asyncio.Future[str | None]"

    def completed(self, exchange: Exchange, failure: str | None, stamp: int) -> None:
        if not self.future.done():
            self.future.set_result(failure)


async def probe(plan: Plan, url: str, access: Access = OPEN, material: Material = NO_MATERIAL) -> None:
    """Every kind of request must succeed once. Raises TargetError."""
    target = Target.parse(url, access, material)
    for index, kind in enumerate(kinds(plan, Segment(0, 1), target, Meter(watch_throttling=False), material)):
        outcome = _Outcome(asyncio.get_running_loop().create_future())
        pool = client(plan, target, outcome, (kind,))
        now = monotonic_ns()
        pool.dispatch(Exchange(kind, 0, index, now, now))
        try:
            failure = await asyncio.wait_for(outcome.future, kind.timeout_ns / SECOND)
        except TimeoutError:
            failure = Failure.TOTAL_TIMEOUT
        finally:
            pool.close()
            await asyncio.sleep(0)
        if failure is not None:
            advice = ADVICE.get(failure, "see the server's log")
            raise TargetError(f"{url}: request {plan.requests[index].name!r} failed with {failure}: {advice}")
