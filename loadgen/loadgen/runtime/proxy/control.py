"""The proxy's control API: put a fault in, take it out, and what became of each; how well the proxy does.

    GET    /v1/state?after=K
    PUT    /v1/faults/{name}     FaultOrder; ordering a known fault again changes nothing
    DELETE /v1/faults/{name}     also of a fault that is gone or was never there

Every answer is a `ProxyState`. Behind the run's token, like a worker's.
"""

import secrets
from dataclasses import dataclass, field

from aiohttp import web

from loadgen.model.proxy import (
    LONGEST_DELAY_MILLISECONDS,
    LONGEST_FAULT_SECONDS,
    PULSES_A_STATE,
    AtRest,
    FaultOrder,
    ProxyState,
)
from loadgen.model.wire import WIRE_VERSION
from loadgen.runtime.clock import wall_ns
from loadgen.runtime.proxy.path import Proxy
from loadgen.runtime.proxy.pulse import Pulses
from loadgen.runtime.worker.control import BODY_LIMIT, as_json, guarded, health, read, refuse


def wrong_with(order: FaultOrder) -> str | None:
    """A sentence with the field, the value and what would do."""
    delay = order.delay
    if not 0 <= delay.latency_milliseconds <= LONGEST_DELAY_MILLISECONDS:
        return f"delay.latencyMilliseconds is {delay.latency_milliseconds}: use 0 to {LONGEST_DELAY_MILLISECONDS}"
    if not 0 <= delay.jitter_milliseconds <= delay.latency_milliseconds:
        return (
            f"delay.jitterMilliseconds is {delay.jitter_milliseconds}: use 0 to the latency, "
            f"{delay.latency_milliseconds}, for a delay cannot be negative"
        )
    if not 0 < order.duration_seconds <= LONGEST_FAULT_SECONDS:
        return (
            f"durationSeconds is {order.duration_seconds}: use more than 0 and at most {LONGEST_FAULT_SECONDS}; "
            "the proxy ends the fault by itself"
        )
    return None


@dataclass(slots=True, eq=False)
class Control:
    """Routes from HTTP to a proxy."""

    proxy: Proxy
    pulses: Pulses
    at_rest: AtRest | None = None
    boot: str = field(default_factory=lambda: secrets.token_hex(8))

    def application(self, token: bytes) -> web.Application:
        """The API behind its token."""
        application = web.Application(middlewares=[guarded(token)], client_max_size=BODY_LIMIT)
        application.add_routes(
            [
                web.get("/v1/state", self.get),
                web.put("/v1/faults/{name}", self.put),
                web.delete("/v1/faults/{name}", self.delete),
                web.get("/healthz", health),
            ]
        )
        return application

    def state(self, after: int) -> ProxyState:
        pulses = self.pulses.done[after : after + PULSES_A_STATE]
        return ProxyState(
            version=WIRE_VERSION,
            boot=self.boot,
            now=wall_ns(),
            cores=min(1.0, self.pulses.group.cores()),
            connections=len(self.proxy.clients),
            faults=self.proxy.injections.records(),
            last=after + len(pulses),
            pulses=pulses,
            at_rest=self.at_rest,
        )

    async def get(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not after.isdecimal():
            return refuse(400, f"after={after!r} is not the number of a pulse")
        return as_json(self.state(min(int(after), len(self.pulses.done))))

    async def put(self, request: web.Request) -> web.Response:
        order = await read(request, FaultOrder)
        if wrong := wrong_with(order):
            return refuse(400, wrong)
        self.proxy.injections.inject(request.match_info["name"], order)
        return as_json(self.state(len(self.pulses.done)))

    async def delete(self, request: web.Request) -> web.Response:
        self.proxy.injections.recover(request.match_info["name"])
        return as_json(self.state(len(self.pulses.done)))
