"""Who makes which kind of fault: the one table. A kind without a provider, or with two, is an error at import."""

from collections.abc import Iterable, Mapping
from typing import Any

from loadtest_operator.api.faults import FAULT_KINDS, Fault
from loadtest_operator.core.actions import Create, Delete
from loadtest_operator.core.common.kinds import POD, Kind
from loadtest_operator.core.common.names import Names
from loadtest_operator.core.faults import delay_proxy, pod_kill
from loadtest_operator.core.faults.provider import Provider
from loadtest_operator.core.faults.view import View
from loadtest_operator.core.observed import Observed

PROVIDERS: tuple[Provider, ...] = (delay_proxy.PROVIDER, pod_kill.PROVIDER)


def by_kind(providers: Iterable[Provider], kinds: Iterable[str]) -> Mapping[str, Provider]:
    """Complete, or a sentence that says what is missing."""
    pairs = [(kind, provider) for provider in providers for kind in provider.kinds]
    if sorted(kind for kind, _ in pairs) != sorted(kinds):
        raise TypeError(f"kinds of faults {sorted(kinds)} and what providers make {sorted(pairs)} do not match")
    return dict(pairs)


BY_KIND = by_kind(PROVIDERS, FAULT_KINDS)


def provider_of(fault: Fault) -> Provider:
    return BY_KIND[fault.kind]


def used(observed: Observed) -> tuple[Provider, ...]:
    """Those that this run needs, in the table's order."""
    wanted = {provider_of(fault).name for fault in observed.spec.occurrences} if observed.spec else set()
    return tuple(provider for provider in PROVIDERS if provider.name in wanted)


def view_of(observed: Observed, provider: Provider) -> View:
    return observed.providers.get(provider.name) or View(trouble="nothing is known of it yet")


def not_ready(observed: Observed) -> str:
    """Who is not ready, and why; empty when all are."""
    waiting = [(provider, view_of(observed, provider)) for provider in used(observed)]
    return "; ".join(f"{each.title} is not ready: {view.why_not}" for each, view in waiting if not view.ready)


def objects(observed: Observed) -> tuple[Create, ...]:
    return tuple(create for provider in used(observed) for create in provider.objects(observed))


def ingress(observed: Observed) -> tuple[Mapping[str, Any], ...]:
    """Rules of the run's NetworkPolicy."""
    return tuple(rule for provider in used(observed) if (rule := provider.ingress(observed)) is not None)


def way(observed: Observed) -> str:
    """Through what workers reach the target, for the whole run: the path is the same in and outside a fault's window."""
    return next((way for provider in used(observed) if (way := provider.way(observed))), "")


def in_the_way(observed: Observed) -> tuple[Provider, ...]:
    """Providers that all load goes through."""
    return tuple(provider for provider in used(observed) if provider.way(observed))


def between(observed: Observed) -> tuple[str, ...]:
    """Components of the pods that all load goes through."""
    return tuple(component for each in in_the_way(observed) for kind, component in each.traces if kind == POD)


def lost(observed: Observed) -> str:
    """Why load goes nowhere any more; empty while it does."""
    gone = [(provider, view_of(observed, provider).lost) for provider in in_the_way(observed)]
    return "; ".join(f"{provider.title} was lost: {why}" for provider, why in gone if why)


def belongings(names: Names) -> tuple[Delete, ...]:
    """What any provider may have left of a run."""
    return tuple(delete for provider in PROVIDERS for delete in provider.belongings(names))


def traces() -> tuple[tuple[Kind, str], ...]:
    return tuple(trace for provider in PROVIDERS for trace in provider.traces)
