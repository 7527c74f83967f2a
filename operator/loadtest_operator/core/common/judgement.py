"""What the end of a run says, made once by `core.evidence`: status, stored report, metrics and Events are views of it."""

from dataclasses import dataclass

from loadgen.model.report import ThresholdResult, Validity, Verdict, Window
from loadtest_operator.api.outcome import FaultStatus, ScalingStatus
from loadtest_operator.core.common.conditions import Claim


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that the end of a run says."""

    verdict: Verdict
    message: str
    claims: tuple[Claim, ...]
    total: Window | None = None
    validity: Validity | None = None
    thresholds: tuple[ThresholdResult, ...] = ()
    scaling: ScalingStatus | None = None
    faults: tuple[FaultStatus, ...] = ()
