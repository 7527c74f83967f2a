"""What a rule between fields is made of: its CEL, what it says, and the shapes that come up again and again."""

from dataclasses import dataclass
from typing import Any

from loadgen.model.base import listed
from loadtest_operator.api import worker

STAGES = "self.load.stages.map(s, s.name)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of x-kubernetes-validations."""

    rule: str
    message: str
    expression: str | None = None
    field: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API server wants it."""
        entry = {"rule": self.rule, "message": self.message}
        if self.expression:
            entry["messageExpression"] = self.expression
        if self.field:
            entry["fieldPath"] = self.field
        return entry


def exactly_one(*fields: str) -> Rule:
    """Exactly one of the optional members is set."""
    given = f"[{', '.join(f'has(self.{field})' for field in fields)}].filter(given, given).size()"
    return Rule(f"{given} == 1", f"set exactly one of {listed(fields)}")


def within_timeout(field: str) -> Rule:
    """A time-out for a part of a request is shorter than the whole's."""
    return Rule(
        f"!has(self.{field}) || self.{field} < self.timeoutSeconds",
        f"{field} can never be reached: it must be less than timeoutSeconds",
        field=f".{field}",
    )


def unchanged(field: str, *, optional: bool = False) -> Rule:
    """The member stays as it is until runToken changes."""
    same = f"self.{field} == oldSelf.{field}"
    if optional:
        same = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})"
    return Rule(
        f"self.runToken != oldSelf.runToken || ({same})",
        f"{field} cannot change while runToken stays the same: set a new runToken, which starts a new run "
        "(suspend, abort and ttlSecondsAfterFinished can change at any time)",
        field=f".{field}",
    )


def quoted(names: list[str]) -> str:
    """A CEL list of strings."""
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def harmless(field: str, known: worker.Harmless) -> Rule:
    """Keys without a prefix, and those with one that take nothing."""
    allowed = "".join(
        f" || (key == '{key}' && self.{field}[key] in {quoted([*values])})" for key, values in known.items()
    )
    return Rule(
        f"!has(self.{field}) || self.{field}.all(key, key.matches('{worker.LABEL_NAME}') && key != '{worker.TAKEN}'{allowed})",
        f"{field}: keys with a prefix, and {worker.TAKEN}, may add containers, volumes or rights to the pods: use other keys, or "
        + "; ".join(f"{key}: {' or '.join(values)}" for key, values in known.items()),
        field=f".{field}",
    )


def each(items: str, variable: str, wrong: str, said: str, message: str) -> Rule:
    """No item is wrong; the message says `said` (a CEL text) about the first that is. `names` are the stages'."""
    path = items.split(".")
    given = " && ".join(f"has(self.{'.'.join(path[:depth])})" for depth in range(1, len(path) + 1))
    return Rule(
        f"!({given}) || [{STAGES}].all(names, !self.{items}.exists({variable}, {wrong}))",
        message,
        f"[{STAGES}].map(names, self.{items}.map({variable}, {wrong}, {said})[0])[0]",
        field=f".{items}",
    )
