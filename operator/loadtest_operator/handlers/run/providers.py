"""Which adapter serves which provider of faults: a table beside `core.faults.providers`, complete or an error at import."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loadtest_operator.adapters.faults import pods
from loadtest_operator.adapters.workers import proxy
from loadtest_operator.adapters.workers.proxy import Way
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.faults.provider import Order
from loadtest_operator.core.faults.providers import PROVIDERS
from loadtest_operator.core.faults.view import View
from loadtest_operator.handlers.context import Context
from loadtest_operator.handlers.run.memory import RunMemory


@dataclass(frozen=True, slots=True)
class Adapter:
    """Eyes and hands of a provider. They raise AdapterError."""

    look: Callable[[Way, View | None], Awaitable[View]]
    inject: Callable[[Way, str, Order], Awaitable[None]]
    recover: Callable[[Way, str], Awaitable[None]]


ADAPTERS = {
    "DelayProxy": Adapter(proxy.look, proxy.inject, proxy.recover),
    "PodKill": Adapter(pods.look, pods.inject, pods.recover),
}
if set(ADAPTERS) != {provider.name for provider in PROVIDERS}:
    raise TypeError(
        f"providers {[provider.name for provider in PROVIDERS]} and adapters {sorted(ADAPTERS)} do not match"
    )


def way(context: Context, namespace: str, names: Names, run: RunMemory) -> Way:
    """To what makes the faults of this run."""
    return Way(context.kube, context.control, run.known, namespace, names, run.token, context.clock())
