"""What a rule answers: how things stand, what to write, what to do. Rules are tried in order and the first answer
counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtest_operator.core.actions import Action
from loadtest_operator.core.common.conditions import Claim
from loadtest_operator.core.observed import Observed
from loadtest_operator.core.run.lifecycle import Move

SLOW, QUICK, SOON, AT_ONCE = 2.0, 1.0, 0.2, 0.01
"""Seconds between two looks: quick while load is offered, soon where somebody waits for what takes moments, at once where
nothing is waited for but the next rule."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule's answer."""

    says: str = ""
    """The sentence for `status.message`."""
    event: Move | None = None
    claims: tuple[Claim, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `status.run` to set."""
    status: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the status to set."""
    actions: tuple[Action, ...] = ()
    wake_after: float = SLOW


Rule = Callable[[Observed], Step | None]


def first(rules: tuple[Rule, ...], observed: Observed) -> Step:
    """The answer of the first rule that has one; the last rule of a list always has."""
    for rule in rules:
        if (step := rule(observed)) is not None:
            return step
    raise AssertionError(f"no rule knew what to do in phase {observed.phase}")
