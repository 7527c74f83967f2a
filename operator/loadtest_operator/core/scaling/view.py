"""What expectations are judged by, and what a judgement is made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loadgen.model.report import Result
from loadtest_operator.api.loadtest import LoadTestSpec
from loadtest_operator.api.outcome import Cause
from loadtest_operator.core.scaling import scale_ups, spans
from loadtest_operator.core.scaling.autoscaler import Autoscaler
from loadtest_operator.core.scaling.scale_ups import ScaleUp
from loadtest_operator.core.scaling.spans import NOT_WATCHED, Span
from loadtest_operator.core.scaling.timeline import Sample, Timeline

BLINK_SECONDS = 30
"""Two decisions of the controller: a metric that is missing for no longer, as in a rollout, hides and explains nothing."""


@dataclass(frozen=True, slots=True)
class View:
    """One run's target, as far as it was seen."""

    spec: LoadTestSpec
    timeline: Timeline
    started: datetime | None
    now: datetime
    ended: bool
    """Nothing more will be seen."""

    @property
    def start(self) -> datetime:
        """Second 0 of the load; now, while that is not known."""
        return self.started or self.now

    @property
    def until(self) -> datetime:
        """Up to when it is known what happened."""
        return self.timeline.until or self.start

    @property
    def seen(self) -> tuple[Sample, ...]:
        """What held when the load began, and what came after."""
        return self.timeline.from_moment(self.start)

    @property
    def scaler(self) -> Autoscaler | None:
        """The autoscaler as it was seen last."""
        return next((sample.scaler for sample in reversed(self.timeline.samples) if sample.scaler), None)

    @property
    def scale_ups(self) -> tuple[ScaleUp, ...]:
        return scale_ups.scale_ups(self.spec, self.timeline, self.started) if self.started else ()

    def moment(self, second: float) -> datetime:
        return self.start + timedelta(seconds=second)

    def second(self, moment: datetime) -> float:
        """Seconds since the load's start."""
        return (moment - self.start).total_seconds()

    def stage_start(self, stage: str) -> datetime:
        return self.moment(self.spec.stage_start(stage))

    def sample_at(self, moment: datetime) -> Sample | None:
        """The newest sample that is not later."""
        return next((sample for sample in reversed(self.timeline.samples) if sample.time <= moment), None)

    def samples(self, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """What held when a scope began, and what came in it."""
        return tuple(sample for sample in self.timeline.from_moment(start) if sample.time <= end)

    def blindness(self, start: datetime, end: datetime) -> tuple[Span, ...]:
        """When the autoscaler could not act, was not there, or may have been so in a gap."""
        found = spans.within(spans.spans(self.timeline, is_blind, spans.seen_in), start, end)
        unseen = {gap.because for gap in self.timeline.gaps}
        return tuple(_merged(span for span in found if span.value or span.stops or span.because in unseen))

    def describe(self, span: Span) -> str:
        """Why a stretch of time keeps something from being decided, with how long and when, and what would decide it."""
        if span.because == NOT_WATCHED and span.end > self.until:
            return (
                f"it was watched until second {self.second(self.until):.0f} only, {span.seconds:.0f} s too short: "
                f"raise scaling.settleSeconds by {max(1, round(span.seconds))}"
            )
        # The whole gap, not only the part of it that lies in the scope.
        gap = next((gap for gap in self.timeline.gaps if gap.start <= span.start and span.end <= gap.end), span)
        begin, end = self.second(gap.start), self.second(gap.end)
        return f"{gap.because}, for {gap.seconds:.1f} s from second {begin:.1f} to {end:.1f}; run it again to decide"


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement in words, without the name. `start` and `end` are its own scope."""

    result: Result
    observed: str
    wanted: str
    start: datetime
    end: datetime
    why: str = ""
    """Why it is not known."""
    open: bool = False
    """Still to be decided: watching goes on."""
    late: float = 0.0
    """By how many seconds it was missed, at least."""
    met: datetime | None = None
    """By when it was certain to be met."""
    cause: Cause | None = None
    """Where what makes it unknown names it."""


def _merged(found: Iterable[Span]) -> Iterator[Span]:
    """Neighbours as one."""
    last: Span | None = None
    for span in found:
        if last is not None and last.end == span.start:
            last = replace(last, end=span.end)
            continue
        if last is not None and last.seconds:
            yield last
        last = span
    if last is not None and last.seconds:
        yield last


def is_blind(sample: Sample) -> bool:
    return sample.scaler is None or bool(sample.scaler.blind_because)


def described(found: Sequence[Span], view: View, because: str) -> str:
    """`for 59 s, from second 12 to 71`: the longest of several stretches."""
    longest = max(found, key=lambda span: span.seconds)
    begin, end = view.second(longest.start), view.second(longest.end)
    more = f" ({len(found)} times, {sum(span.seconds for span in found):.0f} s together)" if len(found) > 1 else ""
    return f"{because} for {longest.seconds:.0f} s, from second {begin:.0f} to {end:.0f}{more}"
