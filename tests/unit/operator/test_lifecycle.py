"""The transition table: what it allows, what it refuses, and that every run can end."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loadtest_operator.api.status import Phase
from loadtest_operator.core.run import lifecycle
from loadtest_operator.core.run.lifecycle import TRANSITIONS, IllegalTransitionError, Move


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_can_be_left(phase: Phase) -> None:
    assert TRANSITIONS[phase]


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_can_reach_the_end(phase: Phase) -> None:
    reached = {phase}
    for _ in Phase:
        reached |= {target for known in reached for target in TRANSITIONS[known].values()}

    assert Phase.FINISHED in reached


def test_a_verdict_is_only_given_after_evaluating() -> None:
    sources = {phase for phase, events in TRANSITIONS.items() if Phase.FINISHED in events.values()}

    assert sources == {Phase.EVALUATING}


def test_illegal_pairs_raise_and_name_what_is_possible() -> None:
    with pytest.raises(IllegalTransitionError, match="Rerun"):
        lifecycle.after(Phase.FINISHED, Move.STARTED)


def test_the_diagram_has_every_arrow() -> None:
    arrows = sum(len(events) for events in TRANSITIONS.values())

    assert lifecycle.mermaid().count("-->") == arrows + 2


class AnyLife(RuleBasedStateMachine):
    """Whatever events come in whatever order: load is started at most once a run."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = Phase.PENDING
        self.starts = 0

    @rule(event=st.sampled_from(Move))
    def happens(self, event: Move) -> None:
        before = self.phase
        try:
            self.phase = lifecycle.after(before, event)
        except IllegalTransitionError:
            assert self.phase is before
            return
        self.starts = 0 if event is Move.RERUN else self.starts + (event is Move.STARTED)

    @invariant()
    def load_starts_once(self) -> None:
        assert self.starts <= 1


TestAnyLife = AnyLife.TestCase
