"""What carries exchanges to the target: the generator's own connections, or aiohttp where those do not get through."""

from typing import Protocol

from loadgen.model.plan import ClientKind, Plan
from loadgen.model.wire import Failure
from loadgen.runtime.http.exchange import Exchange, Kind
from loadgen.runtime.http.openings import Listener
from loadgen.runtime.http.pool import Pool
from loadgen.runtime.http.target import Target


class Client(Protocol):
    """All of one shard's exchanges with one target; outcomes go to its listener."""

    received: int
    """Bytes read."""
    opened_count: int
    """Connections opened."""

    def dispatch(self, exchange: Exchange) -> None:
        """Send it now, or as soon as there is a connection."""

    def cancel(self, exchange: Exchange) -> Failure | None:
        """Give an exchange up without reporting it; where it was never sent, the class that says why."""

    def retire(self) -> None:
        """Close idle connections that are too old. Called once a second."""

    def close(self) -> None:
        """Drop everything."""


def client(plan: Plan, target: Target, listener: Listener, kinds: tuple[Kind, ...], *, proxies: bool = True) -> Client:
    """The one that the plan asks for; `proxies`: whether the environment's count (the compatible one alone knows them)."""
    if plan.load.client is ClientKind.NATIVE:
        return Pool(target, plan.load.connections, listener, kinds)
    from loadgen.runtime.http.compatible import Compatible

    return Compatible(target, listener, proxies=proxies)
