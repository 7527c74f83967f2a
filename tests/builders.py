"""Objects for tests, each valid as it stands; a test says only what matters to it."""

from typing import Any

from loadgen.model.plan import Plan
from loadtest_operator.api.loadtest import LoadTestSpec

Object = dict[str, Any]


def a_stage(name: str = "peak", **changes: Any) -> Object:
    """Ten seconds of ten requests a second."""
    level = {} if "concurrency" in changes else {"arrivalRate": 10}
    return {"name": name, "durationSeconds": 10, **level, **changes}


def a_request(name: str = "home", **changes: Any) -> Object:
    """GET /."""
    return {"name": name, "http": {"path": "/"}, **changes}


def a_spec(*stages: Object, **changes: Any) -> Object:
    """A LoadTest's spec as a user writes it: two workers against Service web."""
    load = {"workers": 2, "stages": list(stages or (a_stage(),)), **changes.pop("load", {})}
    return {
        "target": {"serviceRef": {"name": "web", "port": "http"}},
        "requests": [a_request()],
        "load": load,
        **changes,
    }


def a_load_test(*stages: Object, name: str = "test", **changes: Any) -> Object:
    """A LoadTest as the API server has it."""
    return {
        "apiVersion": "loadtest.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": name, "namespace": "demo", "uid": f"uid-of-{name}", "generation": 1},
        "spec": a_spec(*stages, **changes),
    }


def a_valid_spec(*stages: Object, **changes: Any) -> LoadTestSpec:
    """The same, parsed."""
    return LoadTestSpec.model_validate(a_spec(*stages, **changes))


def a_plan(*stages: Object, **changes: Any) -> Plan:
    """The part that workers run."""
    return a_valid_spec(*stages, **changes).plan


def a_pod(name: str = "web-1", **status: Any) -> Object:
    """A pod of the API."""
    return {"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}, "status": status}
