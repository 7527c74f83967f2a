"""A good spec, and changes to it at dotted paths."""

import copy
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
BAD: list[Object] = yaml.safe_load((Path(__file__).parent / "bad_objects.yaml").read_text())
ESCALATIONS: list[Object] = yaml.safe_load((Path(__file__).parent / "escalations.yaml").read_text())
GOOD: Object = yaml.safe_load("""
target:
  serviceRef: {name: chat, port: http}
requests:
- {name: chat, openAIChat: {model: m, prompt: {text: Hello}}}
- {name: health, ratePerSecond: 1, http: {path: /health}}
load:
  stages:
  - {name: warmup, durationSeconds: 10, arrivalRate: "0.5", warmup: true}
  - {name: peak, durationSeconds: 60, arrivalRate: 4}
  - {name: crowd, durationSeconds: 30, concurrency: 5}
thresholds:
- {name: errors, metric: ErrorPercent, operator: LessThanOrEqual, value: 1}
- {name: ttft, metric: TimeToFirstToken, statistic: P95, operator: LessThan, value: 1500, request: chat, stages: [peak]}
scaling:
  settleSeconds: 10
  expectations:
  - {name: grows, scaleUp: {toAtLeast: 2, withinSeconds: 60, fromStage: peak}}
faults:
- name: slow
  startInStage: peak
  startAfterSeconds: 10
  durationSeconds: 30
  networkDelay: {latencyMilliseconds: 300}
""")


def load_test(spec: Object, name: str = "sample") -> Object:
    """A LoadTest with that spec."""
    return {"apiVersion": "loadtest.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": spec}


def changed(spec: Object, change: Object) -> Object:
    """A copy with values replaced at paths such as load.stages.1.arrivalRate; None takes a field away."""
    result = copy.deepcopy(spec)
    for path, value in change.items():
        _change(result, [int(part) if part.isdigit() else part for part in path.split(".")], value)
    return result


def _change(place: Any, path: list[Any], value: Any) -> None:
    *parents, last = path
    if isinstance(value, str) and value.startswith("@"):
        value = "x" * int(value[1:])
    for part in parents:
        place = place[part] if isinstance(place, list) else place.setdefault(part, {})
    if value is None:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value


def bound() -> Object:
    """As large as the schema allows: names of full length, every list full. The rules must still be affordable."""

    def name(kind: str, number: int) -> str:
        return f"{kind}-{'x' * (36 - len(kind) - 1)}{number:03d}"

    stages = [name("stage", number) for number in range(64)]
    requests = [name("request", number) for number in range(16)]
    criterion = {"metric": "ResponseTime", "statistic": "P99", "operator": "LessThan", "value": 1}
    scale = {"toAtLeast": 1, "withinSeconds": 1, "fromStage": stages[-1]}
    fault = {"startInStage": stages[-1], "durationSeconds": 10, "networkDelay": {"latencyMilliseconds": 1}}
    return {
        "target": {"serviceRef": {"name": "chat", "port": 8000}},
        "activeDeadlineSeconds": 604800,
        "requests": [{"name": each, "http": {"body": "x" * 4096}} for each in requests],
        "load": {"stages": [{"name": each, "durationSeconds": 100, "arrivalRate": 1} for each in stages]},
        "thresholds": [
            {"name": name("threshold", number), "request": requests[-1], "stages": stages, **criterion}
            for number in range(64)
        ],
        "scaling": {"expectations": [{"name": name("expect", number), "scaleUp": scale} for number in range(16)]},
        "faults": [
            {"name": name("fault", number), "startAfterSeconds": number * 10, "tolerate": [criterion] * 8, **fault}
            for number in range(8)
        ],
    }
