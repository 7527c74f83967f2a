"""The rules of a LoadTestSweep as CEL, each beside its twin among the pydantic validators; `cel` has the table of all kinds."""

from loadgen.core.judge import lint
from loadgen.model import sweep as levels
from loadgen.model.base import Model
from loadtest_operator.api import sweep
from loadtest_operator.api.rule import Rule, exactly_one

LEVELS = (
    "(self.vary[0].values.size() * (self.vary.size() > 1 ? self.vary[1].values.size() : 1) "
    "* (self.vary.size() > 2 ? self.vary[2].values.size() : 1))"
)
"""How many combinations a grid has."""


def _known(field: str) -> str:
    """The field belongs to the plan, and names a stage that the template has. Other lists are the operator's to check."""
    return (
        f"{field}.matches(r'{sweep.OF_THE_PLAN}') && (!{field}.startsWith('load.stages[') || "
        f"self.loadTestTemplate.spec.load.stages.exists(s, {field}.startsWith('load.stages[' + s.name + '].')))"
    )


NOT_VARIED = (
    f"is not in loadTestTemplate.spec: write a field of {', '.join(lint.PLAN_FIELDS[:-1])} or {lint.PLAN_FIELDS[-1]}, and in "
    "load.stages[NAME] the name of a stage"
)

RULES: dict[type[Model], tuple[Rule, ...]] = {
    levels.SweepShape: (
        exactly_one("vary", "search"),
        Rule(
            f"!has(self.vary) || {LEVELS} * self.repeats <= {levels.MOST_POINTS}",
            f"vary: values times values times repeats make more than {levels.MOST_POINTS} runs: write fewer values, or fewer repeats",
            field=".vary",
        ),
        Rule(
            "!has(self.vary) || self.vary.all(v, self.vary.exists_one(w, w.field == v.field))",
            "vary has a field twice: write all of its values in one entry",
            field=".vary",
        ),
    ),
    levels.SearchSpec: (
        Rule(
            r"self.field.matches(r'^load\.stages\[[^\[\]]+\]\.(arrivalRate|concurrency)$')",
            "field: a search needs load.stages[NAME].arrivalRate or .concurrency",
            field=".field",
        ),
        Rule(
            "double(self.min) > 0.0 && double(self.min) < double(self.max)",
            "min and max: write 0 < min < max",
            field=".min",
        ),
    ),
    sweep.LoadTestSweepSpec: (
        Rule(
            f"!has(self.vary) || self.vary.all(v, {_known('v.field')})",
            f"vary: a field {NOT_VARIED}",
            f"'field ' + self.vary.map(v, !({_known('v.field')}), v.field)[0] + ' {NOT_VARIED}'",
            field=".vary",
        ),
        Rule(
            f"!has(self.search) || ({_known('self.search.field')})",
            f"search.field {NOT_VARIED}",
            f"'field ' + self.search.field + ' {NOT_VARIED}'",
            field=".search",
        ),
    ),
}

ONE_SWEEP = tuple(
    Rule(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        f"{field} of a sweep cannot change: its results are those of one spec; make another sweep, or delete this one first "
        "(suspend and abort can change at any time)",
        field=f".{field}",
    )
    for field in ("loadTestTemplate", "vary", "search", "repeats", "between", "seed")
)
"""On the spec of a sweep: nothing of it but suspend and abort may change."""
