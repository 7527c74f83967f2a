"""The life of a run: one table, phases × events. Everything else asks this table; illegal pairs raise and change
nothing.

Every end, good or bad, goes through Evaluating: there is one place that gives a verdict. A phase says where a run
is, conditions say what is known; the phase is for people and for dispatching rules, never for evidence.
"""

from enum import StrEnum

from loadtest_operator.api.status import Phase


class Move(StrEnum):
    """What moves it."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    STARTED = "Started"
    START_MOVED = "StartMoved"
    LOAD_ENDED = "LoadEnded"
    STOPPED = "Stopped"
    SETTLED = "Settled"
    JUDGED = "Judged"
    RERUN = "Rerun"


TRANSITIONS: dict[Phase, dict[Move, Phase]] = {
    Phase.PENDING: {Move.ACCEPTED: Phase.PREPARING, Move.REFUSED: Phase.EVALUATING},
    Phase.PREPARING: {Move.STARTED: Phase.RUNNING, Move.STOPPED: Phase.EVALUATING},
    Phase.RUNNING: {
        Move.START_MOVED: Phase.RUNNING,
        Move.LOAD_ENDED: Phase.SETTLING,
        Move.STOPPED: Phase.SETTLING,
    },
    Phase.SETTLING: {Move.SETTLED: Phase.EVALUATING, Move.STOPPED: Phase.EVALUATING},
    Phase.EVALUATING: {Move.JUDGED: Phase.FINISHED, Move.STOPPED: Phase.EVALUATING},
    Phase.FINISHED: {Move.RERUN: Phase.PENDING},
}


class IllegalTransitionError(Exception):
    """An event came in a phase that does not know it: a bug, never a user's mistake."""


def after(phase: Phase, event: Move) -> Phase:
    """The phase that follows."""
    try:
        return TRANSITIONS[phase][event]
    except KeyError:
        known = ", ".join(TRANSITIONS[phase])
        raise IllegalTransitionError(f"{event} is not possible in phase {phase}; possible: {known}") from None


def mermaid() -> str:
    """The diagram of `docs/`, generated so that it cannot lie."""
    arrows = [
        f"    {phase} --> {target}: {event}"
        for phase, events in TRANSITIONS.items()
        for event, target in events.items()
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Phase.PENDING}", *arrows, f"    {Phase.FINISHED} --> [*]"])
