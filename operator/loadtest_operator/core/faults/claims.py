"""The conditions FaultsInjected and FaultsRecovered, from what became of each fault."""

from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.outcome import FaultResult, FaultStatus
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.observed import Observed

INJECTED, RECOVERED = ConditionType.FAULTS_INJECTED, ConditionType.FAULTS_RECOVERED
NOT_YET = frozenset({FaultResult.PENDING, FaultResult.INJECTING})
OVER = frozenset({FaultResult.RECOVERED, FaultResult.NOT_INJECTED, FaultResult.PARTIAL})


def claims(observed: Observed, statuses: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    """FaultsInjected and FaultsRecovered, as far as they are known."""
    spec = observed.spec
    if spec is None or not spec.occurrences:
        return conditions.yes(INJECTED, reasons.NO_FAULTS), conditions.yes(RECOVERED, reasons.NO_FAULTS)
    required = {fault.name for fault in spec.occurrences if fault.required}
    return _injection_claims(statuses, required) + _recovery_claims(statuses)


def _injection_claims(statuses: tuple[FaultStatus, ...], required: set[str]) -> tuple[Claim, ...]:
    missing = [status for status in statuses if status.result is FaultResult.NOT_INJECTED]
    partial = [status for status in statuses if status.result is FaultResult.PARTIAL]
    if needed := [status for status in missing if status.name in required]:
        return (conditions.no(INJECTED, reasons.NOT_INJECTED, _said(needed)),)
    if needed := [status for status in partial if status.name in required]:
        return (conditions.no(INJECTED, reasons.PARTLY_INJECTED, _said(needed)),)
    if missing or partial:
        return (conditions.no(INJECTED, reasons.OPTIONAL_NOT_INJECTED, _said(missing + partial)),)
    if statuses and not any(status.result in NOT_YET for status in statuses):
        return (conditions.yes(INJECTED, reasons.FAULTS_INJECTED),)
    return ()


def _recovery_claims(statuses: tuple[FaultStatus, ...]) -> tuple[Claim, ...]:
    if stuck := [status for status in statuses if status.result is FaultResult.NOT_RECOVERED]:
        return (conditions.no(RECOVERED, reasons.NOT_RECOVERED, _said(stuck)),)
    if statuses and all(status.result in OVER for status in statuses):
        return (conditions.yes(RECOVERED, reasons.FAULTS_RECOVERED),)
    return ()


def _said(statuses: list[FaultStatus]) -> str:
    return "; ".join(f"{status.name}: {status.message}" for status in statuses)
