"""The models say yes to what is good and name the field of what is not."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from contract.objects import BAD, GOOD, ROOT, Object, bound, changed, load_test
from loadgen.model.base import Model
from loadtest_operator.api.loadtest import LoadTest
from loadtest_operator.api.schedule import LoadTestSchedule
from loadtest_operator.api.sweep import LoadTestSweep

KINDS: dict[str, type[Model]] = {
    "LoadTest": LoadTest,
    "LoadTestSchedule": LoadTestSchedule,
    "LoadTestSweep": LoadTestSweep,
}
SAMPLES = sorted((ROOT / "deploy" / "samples").glob("*.yaml"))


def complaints(body: Object) -> str:
    """What the models say about an object, one problem a line."""
    try:
        KINDS[body["kind"]].model_validate(body)
    except ValidationError as error:
        problems = ((".".join(str(part) for part in each["loc"]), each["msg"]) for each in error.errors())
        return "\n".join(f"{path}: {said.removeprefix('Value error, ')}" for path, said in problems)
    return ""


def test_good_spec_is_accepted() -> None:
    assert complaints(load_test(GOOD)) == ""


def test_largest_spec_is_accepted() -> None:
    assert complaints(load_test(bound())) == ""


def test_what_is_dumped_is_accepted_again() -> None:
    test = LoadTest.model_validate(load_test(changed(GOOD, {"target.serviceRef.port": 8000})))
    dumped = test.model_dump(mode="json", exclude_none=True)
    assert dumped["spec"]["target"]["serviceRef"]["port"] == 8000
    assert LoadTest.model_validate(dumped) == test


@pytest.mark.parametrize("bad", [pytest.param(bad, id=bad["title"]) for bad in BAD if "model" in bad])
def test_bad_spec_is_refused(bad: Object) -> None:
    assert bad["model"] in complaints(load_test(changed(GOOD, bad["change"])))


@pytest.mark.parametrize(
    ("path", "value"),
    [("load.stagez", []), ("targets", {}), ("faults.0.volcano", {}), ("workerTemplate.hostNetwork", True)],
)
def test_unknown_field_is_refused(path: str, value: object) -> None:
    assert f"spec.{path}: Extra inputs are not permitted" in complaints(load_test(changed(GOOD, {path: value})))


@pytest.mark.parametrize("sample", [pytest.param(path, id=path.stem) for path in SAMPLES])
def test_sample_fits_the_models(sample: Path) -> None:
    documents = [body for body in yaml.safe_load_all(sample.read_text()) if body and body["kind"] in KINDS]
    assert documents
    assert [complaints(body) for body in documents] == [""] * len(documents)


def test_fault_window_counts_from_the_start_of_the_load() -> None:
    spec = LoadTest.model_validate(load_test(GOOD)).spec
    assert spec.fault_window(spec.faults[0]) == range(20, 50)
