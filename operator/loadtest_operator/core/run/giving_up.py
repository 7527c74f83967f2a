"""The last resort: a run whose every look fails on a bug of ours ends in Error, instead of never."""

from datetime import datetime

from loadgen.model.report import Verdict
from loadtest_operator.api.meta import ConditionType
from loadtest_operator.api.status import LoadTestStatus, Phase
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.evidence.status import validated

PATIENCE = 6
"""Looks in a row that may fail."""


def given_up(status: LoadTestStatus, why: str, now: datetime, generation: int) -> LoadTestStatus:
    """Finished with Error. No table is asked: the table may be what is broken."""
    message = f"the operator could not go on with this run: {why}; please report this"
    claims = [
        conditions.yes(ConditionType.FINISHED, reasons.INTERNAL_ERROR, message),
        conditions.no(ConditionType.PASSED, reasons.INTERNAL_ERROR, message),
        conditions.no(ConditionType.READY, reasons.INTERNAL_ERROR, message),
        conditions.no(ConditionType.LOAD_RUNNING, reasons.LOAD_ENDED),
        conditions.no(ConditionType.RECONCILING, reasons.INTERNAL_ERROR),
        conditions.yes(ConditionType.STALLED, reasons.INTERNAL_ERROR, message),
    ]
    return validated(
        status,
        {
            "phase": Phase.FINISHED,
            "verdict": Verdict.ERROR,
            "message": message,
            "run": status.run.model_copy(update={"completion_time": now.replace(microsecond=0)}),
            "conditions": conditions.updated(status.conditions, claims, now, generation),
        },
    )
