"""What is refused of a LoadTestSweep, and in which words: by a real API server (CEL) and by the models (the operator)."""

import copy
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from contract.conftest import Server
from contract.objects import Object, changed
from loadtest_operator.api.sweep import LoadTestSweep

FIELD = "load.stages[hold].arrivalRate"
GOOD: Object = yaml.safe_load("""
loadTestTemplate:
  spec:
    target: {serviceRef: {name: web, port: http}}
    requests: [{name: page, http: {path: /}}]
    load: {stages: [{name: hold, durationSeconds: 60, arrivalRate: 1}]}
vary: [{field: "load.stages[hold].arrivalRate", values: [1, "2.5"]}]
""")
SEARCH = {"field": FIELD, "min": 1, "max": "2.5"}
BAD: list[tuple[str, Object, str, str]] = [
    (
        "neither a grid nor a search",
        {"vary": None},
        "spec: Invalid value: set exactly one of vary and search",
        "spec: set exactly one of vary and search, not 0",
    ),
    (
        "both",
        {"search": SEARCH},
        "spec: Invalid value: set exactly one of vary and search",
        "spec: set exactly one of vary and search, not 2",
    ),
    (
        "too many runs",
        {"vary.0.values": list(range(1, 101))},
        "spec.vary: Invalid value: vary: values times values times repeats make more than 256 runs: write fewer values",
        "vary makes 100 combinations, which with repeats 3 are 300 runs; at most 256 can be made: write fewer values",
    ),
    (
        "no values",
        {"vary.0.values": []},
        "spec.vary[0].values in body should have at least 1 items",
        "spec.vary.0.values: Tuple should have at least 1 item",
    ),
    (
        "a stage that the template has not",
        {"vary.0.field": "load.stages[no].arrivalRate"},
        "spec.vary: Invalid value: field load.stages[no].arrivalRate is not in loadTestTemplate.spec: write a field of requests",
        "there is no 'no' among stages: one of hold",
    ),
    (
        "a field of the operator",
        {"vary.0.field": "activeDeadlineSeconds"},
        "spec.vary: Invalid value: field activeDeadlineSeconds is not in loadTestTemplate.spec: write a field of requests",
        "field activeDeadlineSeconds is none of the plan: write one of requests",
    ),
    (
        "a field twice",
        {"vary.1": {"field": FIELD, "values": [1]}},
        "spec.vary: Invalid value: vary has a field twice: write all of its values in one entry",
        f"vary has {FIELD} twice: write all of its values in one entry",
    ),
    (
        "a search over what is no level",
        {"vary": None, "search": {**SEARCH, "field": "load.maxInFlight"}},
        "spec.search.field: Invalid value: field: a search needs load.stages[NAME].arrivalRate or .concurrency",
        "field load.maxInFlight: a search needs load.stages[NAME].arrivalRate or .concurrency",
    ),
    (
        "a range upside down",
        {"vary": None, "search": {**SEARCH, "min": 3}},
        "spec.search.min: Invalid value: min and max: write 0 < min < max",
        "min 3 and max 2.5: write 0 < min < max",
    ),
]
IDS = [title for title, *_ in BAD]


def sweep(spec: Object, name: str = "sample") -> Object:
    metadata = {"name": name}
    return {"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTestSweep", "metadata": metadata, "spec": spec}


def searched() -> Object:
    return {**changed(GOOD, {"vary": None}), "search": SEARCH}


@pytest.mark.parametrize("spec", [GOOD, searched()], ids=["grid", "search"])
def test_a_good_sweep_fits_the_model(spec: Object) -> None:
    kept = LoadTestSweep.model_validate(sweep(spec)).model_dump(mode="json", exclude_none=True)
    assert LoadTestSweep.model_validate(kept).spec.fields == (FIELD,)


@pytest.mark.parametrize(("change", "said"), [(change, said) for _, change, _, said in BAD], ids=IDS)
def test_a_bad_sweep_is_refused_by_the_model(change: Object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LoadTestSweep.model_validate(sweep(changed(GOOD, change)))
    problems = ((".".join(map(str, one["loc"])), one["msg"]) for one in refused.value.errors())
    assert said in "\n".join(f"{path}: {text.removeprefix('Value error, ')}" for path, text in problems)


@pytest.mark.e2e
@pytest.mark.parametrize("spec", [GOOD, searched()], ids=["grid", "search"])
def test_a_good_sweep_is_accepted(server: Server, spec: Object) -> None:
    assert "created (server dry run)" in server.run("create", "--dry-run=server", "-f", "-", body=sweep(spec))


@pytest.mark.e2e
@pytest.mark.parametrize(("change", "said"), [(change, said) for _, change, said, _ in BAD], ids=IDS)
def test_a_bad_sweep_is_refused(server: Server, change: Object, said: str) -> None:
    body = sweep(changed(GOOD, change))
    assert said in server.run("create", "--dry-run=server", "--validate=ignore", "-f", "-", body=body)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("loadTestTemplate", {"loadTestTemplate.spec.load.stages.0.durationSeconds": 61}),
        ("vary", {"vary.0.values.0": 3}),
        ("repeats", {"repeats": 4}),
        ("between", {"between": {"restSeconds": 1}}),
        ("seed", {"seed": 1}),
    ],
)
def test_a_sweep_stays_what_it_was_but_for_suspend_and_abort(server: Server, field: str, change: Object) -> None:
    name = f"stays-{field.lower()}"
    assert "created" in (said := server.run("create", "-f", "-", body=sweep(GOOD, name))), said

    def replaced(spec: Any) -> str:
        return server.run("replace", "--dry-run=server", "-f", "-", body=sweep(spec, name))

    assert f"{field} of a sweep cannot change: its results are those of one spec" in replaced(changed(GOOD, change))
    assert "replaced" in replaced(changed(copy.deepcopy(GOOD), {"suspend": True, "abort": True}))
