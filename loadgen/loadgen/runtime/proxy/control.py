"""The proxy's control API: put a fault in, take it out, and what became of each; how well the proxy does.

    GET    /v1/state?after=K
    PUT    /v1/faults/{name}     FaultOrder; ordering a known fault again changes nothing
    DELETE /v1/faults/{name}     also of a fault that is gone or was never there

Every answer is a `ProxyState`. Behind the run's token, like a worker's.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic.alias_generators import to_camel

from loadgen.model.base import listed
from loadgen.model.proxy import (
    FASTEST,
    HIGHEST_STATUS,
    KINDS,
    LONGEST_DELAY_MILLISECONDS,
    LONGEST_FAULT_SECONDS,
    LOWEST_STATUS,
    PULSES_A_STATE,
    SLOWEST,
    AtRest,
    DelayOrder,
    Details,
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
    if len(order.kinds) != 1:
        return f"the order has {', '.join(map(to_camel, order.kinds)) or 'no kind'}: give exactly one of {listed([*map(to_camel, KINDS)])}"
    if not 0 < order.duration_seconds <= LONGEST_FAULT_SECONDS:
        return (
            f"durationSeconds is {order.duration_seconds}: use more than 0 and at most {LONGEST_FAULT_SECONDS}; "
            "the proxy ends the fault by itself"
        )
    ((kind, details),) = order.kinds.items()
    wrong = _outside(details) or (_jitter(details) if isinstance(details, DelayOrder) else None)
    return wrong and f"{to_camel(kind)}.{wrong}"


LIMITS: Mapping[str, tuple[int, int]] = {
    "latency_milliseconds": (0, LONGEST_DELAY_MILLISECONDS),
    "correlation_percent": (0, 100),
    "connections_percent": (1, 100),
    "percent": (0, 100),
    "delay_milliseconds": (0, LONGEST_DELAY_MILLISECONDS),
    "status_code": (LOWEST_STATUS, HIGHEST_STATUS),
    "bytes_per_second": (SLOWEST, FASTEST),
}


def _outside(details: Details) -> str | None:
    for field_name, (least, most) in LIMITS.items():
        value = getattr(details, field_name, None)
        if value is not None and not least <= value <= most:
            return f"{to_camel(field_name)} is {value}: use {least} to {most}"
    return None


def _jitter(delay: DelayOrder) -> str | None:
    if 0 <= delay.jitter_milliseconds <= delay.latency_milliseconds:
        return None
    return (
        f"jitterMilliseconds is {delay.jitter_milliseconds}: use 0 to the latency, {delay.latency_milliseconds}, "
        "for a delay cannot be negative"
    )


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
