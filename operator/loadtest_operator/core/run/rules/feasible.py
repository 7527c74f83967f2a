"""Before any load: what the target's autoscaler rules out ends the run, what it makes doubtful is said once."""

from loadtest_operator.api.meta import ConditionType
from loadtest_operator.core.actions import Emit
from loadtest_operator.core.common import conditions, reasons
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run.rules.always import stop
from loadtest_operator.core.run.step import AT_ONCE, Rule, Step
from loadtest_operator.core.scaling import forecast

VERIFIED = ConditionType.SCALING_VERIFIED


def impossible(observed: Observed) -> Step | None:
    if observed.target is None or observed.job is not None:
        return None
    found = forecast.impossible(observed.valid_spec, observed.target)
    if not found:
        return None
    message = f"{'; '.join(found)}. No load was offered"
    return stop(observed, ConditionType.ACCEPTED, reasons.EXPECTATION_IMPOSSIBLE, message)


def doubtful(observed: Observed) -> Step | None:
    """Once a run: the condition remembers that it was said."""
    said = conditions.reason_of(observed.status.conditions, VERIFIED) is reasons.EXPECTATION_DOUBTFUL
    if observed.target is None or observed.job is not None or said:
        return None
    found = forecast.doubtful(observed.valid_spec, observed.target)
    if not found:
        return None
    message = "; ".join(found)
    return Step(
        says=message,
        claims=(conditions.unknown(VERIFIED, reasons.EXPECTATION_DOUBTFUL, message),),
        actions=(Emit("Warning", "ExpectationDoubtful", message[:1000]),),
        wake_after=AT_ONCE,
    )


RULES: tuple[Rule, ...] = (impossible, doubtful)
