"""Faults: when to put them in, when to take them out, and what became of each.

A provider is four functions over the world it sees: preflight (is it there?), inject, observe (what is in force
since when?) and recover. Here they are pure: the state machine below asks a provider for actions and readings, so
that pod kills or Chaos Mesh come as another `Provider`. Every fault carries a dead-man's switch: whoever applies
it ends it by itself.

Windows are made of the times at which a fault really came and went, not of the planned ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadtest_operator.api.loadtest import Fault
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import FaultResult, FaultStatus
from loadtest_operator.api.status import Phase
from loadtest_operator.core.actions import Action, InjectFault, RecoverFault
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.observed import Observed

# How late a fault may begin before it counts as not injected: its window must still lie in its stage's neighbourhood.
PATIENCE = timedelta(seconds=15)
RECOVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider says is in force."""

    injected: datetime | None = None
    recovered: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to make a fault."""

    name: str
    preflight: Callable[[Observed], str]
    """Why it cannot work now; empty when it can."""
    inject: Callable[[Fault], Action]
    recover: Callable[[Fault], Action]
    observe: Callable[[Observed], Reading]


def _preflight_proxy(observed: Observed) -> str:
    proxy = observed.proxy
    if proxy is None:
        return "the delay proxy is gone"
    return "" if proxy.ready else f"the delay proxy is not ready: {proxy.problem}"


def _inject_delay(fault: Fault) -> Action:
    delay = fault.network_delay
    if delay is None:
        raise ValueError(f"fault {fault.name} is no network delay")
    return InjectFault(fault.name, delay.latency_milliseconds, delay.jitter_milliseconds, fault.duration_seconds)


def _observe_proxy(observed: Observed) -> Reading:
    proxy = observed.proxy
    return Reading(proxy.injected, proxy.recovered, proxy.problem) if proxy else Reading(problem="the proxy is gone")


DELAY_PROXY = Provider(
    "DelayProxy", _preflight_proxy, _inject_delay, lambda fault: RecoverFault(fault.name), _observe_proxy
)


def provider_of(fault: Fault) -> Provider:
    """Who makes this kind of fault. Today every kind is a network delay."""
    return DELAY_PROXY


@dataclass(frozen=True, slots=True)
class Progress:
    """All faults, one tick further."""

    statuses: tuple[FaultStatus, ...]
    actions: tuple[Action, ...]
    next_due: datetime | None = None


def advanced(observed: Observed) -> Progress:
    """The statuses and what must be done for them now. Does nothing before the load's start is fixed."""
    spec, start = observed.spec, observed.load_start
    if spec is None or start is None or not spec.faults:
        return Progress(observed.status.faults, ())
    old = {status.name: status for status in observed.status.faults}
    statuses, actions, due = [], [], []
    for fault in spec.faults:
        planned = start + timedelta(seconds=spec.fault_window(fault).start)
        status = old.get(fault.name) or FaultStatus(name=fault.name, via=provider_of(fault).name, planned_time=planned)
        status, action = _advance(observed, fault, status, planned)
        statuses.append(status)
        actions += [action] if action else []
        due += [planned] if status.result is FaultResult.PENDING else []
    return Progress(tuple(statuses), tuple(actions), min(due, default=None))


def _advance(
    observed: Observed, fault: Fault, status: FaultStatus, planned: datetime
) -> tuple[FaultStatus, Action | None]:
    if status.result is FaultResult.PENDING:
        return _pending(observed, fault, status, planned)
    if status.result is FaultResult.INJECTED:
        return _injected(observed, fault, status)
    return status, None


def _pending(
    observed: Observed, fault: Fault, status: FaultStatus, planned: datetime
) -> tuple[FaultStatus, Action | None]:
    provider = provider_of(fault)
    seen = provider.observe(observed)
    # Found in force: injected just now, or by an operator that was killed before it could write that down.
    if seen.injected is not None and seen.injected >= planned - timedelta(seconds=2):
        changed = {"result": FaultResult.INJECTED, "injected_time": seen.injected, "message": None}
        return _injected(observed, fault, status.model_copy(update=changed))
    if observed.phase is not Phase.RUNNING:
        return _not_injected(status, "the load ended before the fault was due"), None
    if observed.now > planned + PATIENCE:
        why = provider.preflight(observed) or seen.problem or "the operator was away when it was due"
        return _not_injected(status, why), None
    if observed.now < planned:
        return status, None
    why = provider.preflight(observed)
    return status.model_copy(update={"message": why or None}), None if why else provider.inject(fault)


def _not_injected(status: FaultStatus, why: str) -> FaultStatus:
    return status.model_copy(update={"result": FaultResult.NOT_INJECTED, "message": why})


def _injected(observed: Observed, fault: Fault, status: FaultStatus) -> tuple[FaultStatus, Action | None]:
    provider = provider_of(fault)
    seen = provider.observe(observed)
    begun = status.injected_time or observed.now
    if seen.recovered is not None and seen.recovered >= begun:
        return status.model_copy(update={"result": FaultResult.RECOVERED, "recovered_time": seen.recovered}), None
    end = begun + timedelta(seconds=fault.duration_seconds)
    if observed.now > end + RECOVERY:
        why = seen.problem or "it is still in force after its time"
        return status.model_copy(update={"result": FaultResult.NOT_RECOVERED, "message": why}), provider.recover(fault)
    # While a run is being stopped, faults go first.
    if observed.now > end + timedelta(seconds=1) or observed.phase is not Phase.RUNNING:
        return status, provider.recover(fault)
    return status, None


def open_faults(statuses: tuple[FaultStatus, ...]) -> bool:
    """Whether a fault may be in force."""
    return any(status.result is FaultResult.INJECTED for status in statuses)


def window(status: FaultStatus, load_start: datetime, margin: int = 0) -> range:
    """Whole seconds of the load in which the fault was in force."""
    if status.injected_time is None:
        return range(0)
    begun = (status.injected_time - load_start).total_seconds()
    ended = ((status.recovered_time or status.injected_time) - load_start).total_seconds()
    return range(math.floor(begun) - margin, math.ceil(ended) + margin)


def windows(observed: Observed) -> tuple[range, ...]:
    """What thresholds leave out: each fault's window and the second before it, for a request that was under way."""
    start = observed.load_start
    if start is None:
        return ()
    return tuple(window(status, start, margin=1) for status in observed.status.faults if status.injected_time)


def claims(observed: Observed, statuses: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    """FaultsInjected and FaultsRecovered."""
    spec = observed.spec
    if spec is None or not spec.faults:
        return (
            conditions.yes(ConditionType.FAULTS_INJECTED, reasons.NO_FAULTS),
            conditions.yes(ConditionType.FAULTS_RECOVERED, reasons.NO_FAULTS),
        )
    required = {fault.name for fault in spec.faults if fault.required}
    return _injection_claims(statuses, required) + _recovery_claims(statuses)


def _injection_claims(statuses: tuple[FaultStatus, ...], required: set[str]) -> tuple[Claim, ...]:
    missing = [status for status in statuses if status.result is FaultResult.NOT_INJECTED]
    message = "; ".join(f"{status.name}: {status.message}" for status in missing)
    if any(status.name in required for status in missing):
        return (conditions.no(ConditionType.FAULTS_INJECTED, reasons.NOT_INJECTED, message),)
    if missing:
        return (conditions.no(ConditionType.FAULTS_INJECTED, reasons.OPTIONAL_NOT_INJECTED, message),)
    if statuses and all(status.result is not FaultResult.PENDING for status in statuses):
        return (conditions.yes(ConditionType.FAULTS_INJECTED, reasons.FAULTS_INJECTED),)
    return ()


def _recovery_claims(statuses: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    stuck = [status for status in statuses if status.result is FaultResult.NOT_RECOVERED]
    if stuck:
        message = "; ".join(f"{status.name}: {status.message}" for status in stuck)
        return (conditions.no(ConditionType.FAULTS_RECOVERED, reasons.NOT_RECOVERED, message),)
    over = (FaultResult.RECOVERED, FaultResult.NOT_INJECTED)
    if statuses and all(status.result in over for status in statuses):
        return (conditions.yes(ConditionType.FAULTS_RECOVERED, reasons.FAULTS_RECOVERED),)
    return ()
