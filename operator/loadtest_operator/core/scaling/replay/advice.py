"""The score of an autoscaler and what would suit it better, as the status shows them, from a run that has ended."""

from loadtest_operator.api.outcome import MetricTarget, ScalingRecommendation, ScalingScore, ScalingStatus
from loadtest_operator.core.scaling.replay import recommendation
from loadtest_operator.core.scaling.replay.course import Record, UnknowableError
from loadtest_operator.core.scaling.replay.recommendation import HEADROOM, Recommendation, Score

MOST_LINES = 16


def beside(status: ScalingStatus, record: Record) -> ScalingStatus:
    """The status with both; where the run does not tell, with why."""
    try:
        score, found = recommendation.advised(record)
    except UnknowableError as error:
        return status.model_copy(update={"recommendation": ScalingRecommendation(message=f"not known: {error}")})
    return status.model_copy(update={"score": _score(score), "recommendation": _recommendation(found)})


def _score(found: Score) -> ScalingScore:
    return ScalingScore(
        short_percent=100 * found.short,
        spare_percent=None if found.spare is None else 100 * found.spare,
        replica_seconds=found.replica_seconds,
        needed_replica_seconds=found.needed_seconds,
    )


def _recommendation(found: Recommendation) -> ScalingRecommendation:
    waited = "" if found.played.short_seconds is None else f", {found.played.short_seconds} s short of room"
    return ScalingRecommendation(
        min_replicas=found.minimum,
        max_replicas=found.maximum,
        targets=tuple(MetricTarget(name=name, target=target) for name, target in found.targets),
        headroom_percent=100 * HEADROOM,
        arithmetic=found.arithmetic[:MOST_LINES],
        played=f"{found.played.shown}, {found.played.replica_seconds} replica-seconds{waited}",
        message=NEVER_SHORT if found.least else None,
    )


NEVER_SHORT = (
    "no replica was ever short of room, so what one can take is not known, only the most that was seen: fewer replicas may do. "
    "Run it with more load, or a lower maxReplicas, to know"
)
