"""Records the real autoscaler on the local cluster: `python -m recordings.record [NAME…]`. See README.md."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from recordings import looking, objects
from recordings.scenarios import SCENARIOS, Object, Scenario
from recordings.source import Source, serve

FOLDER = Path(__file__).parent / "hpa"
HOST = "198.19.255.1"
"""Of this machine, as the local cluster's API server reaches it."""
PORT, PROXY = 16443, 16444
FLAGS = {"sync": 5, "stabilization": 30, "cpu_initialization": 10, "initial_readiness": 5, "tolerance": 0.1}
"""Of the local cluster's controller manager."""
BETWEEN_LOOKS = 0.3
LISTS = {
    "hpa": f"/apis/autoscaling/v2/namespaces/{objects.NAMESPACE}/horizontalpodautoscalers",
    "scale": f"/apis/apps/v1/namespaces/{objects.NAMESPACE}/deployments",
    "pods": f"/api/v1/namespaces/{objects.NAMESPACE}/pods",
    "usage": f"/apis/metrics.k8s.io/v1beta1/namespaces/{objects.NAMESPACE}/pods",
}


class Tape:
    """What is kept of one scenario: what changed, and when."""

    def __init__(self, name: str, scenario: Scenario, origin: float) -> None:
        self.name, self.scenario, self.origin = name, scenario, origin
        self.last: Object = {}
        self.looks: list[Object] = []
        self.spec: Object = {}
        self.pods: list[str] = []

    def take(self, at: float, found: dict[str, list[Object]]) -> None:
        mine = {kind: [thing for thing in things if self._mine(thing)] for kind, things in found.items()}
        if not mine["hpa"]:
            return
        self.spec = mine["hpa"][0]["spec"]
        pods = sorted(mine["pods"], key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        self.pods = [pod["metadata"]["name"] for pod in pods]
        now: Object = {
            "hpa": looking.autoscaler(mine["hpa"][0], self.origin),
            "scale": looking.scale(mine["scale"][0]),
            "pods": {looking.short(pod["metadata"]["name"]): looking.pod(pod, self.origin) for pod in pods},
        }
        if self.scenario.burn:
            resources = ("cpu", "memory") if self.scenario.memory else ("cpu",)
            now["usage"] = {
                looking.short(found["metadata"]["name"]): looking.usage(found, self.origin, resources)
                for found in mine["usage"]
            }
        if changed := {kind: value for kind, value in now.items() if value != self.last.get(kind)}:
            self.looks.append({"at": round(at, 2), **changed})
        self.last = now

    def note(self, at: float, metric: str, value: Any) -> None:
        """The autoscaler asked our metrics API: a moment at which it certainly decided."""
        kept = {looking.short(pod): found for pod, found in value.items()} if isinstance(value, dict) else value
        self.looks.append({"at": round(at, 2), "served": {metric: kept}})

    def _mine(self, thing: Object) -> bool:
        return bool(thing["metadata"].get("labels", {}).get(objects.LABEL) == self.name)

    def store(self, kubernetes: str) -> None:
        requests = {"main": {"cpu": "10m"}} if self.scenario.burn else {"main": {}}
        requests |= {"side": {"cpu": "10m"}} if self.scenario.sidecar else {}
        head = {
            "scenario": self.name, "kubernetes": kubernetes, "flags": FLAGS, "requests": requests, "spec": self.spec,
        }  # fmt: skip
        lines = ",\n".join(json.dumps(look, separators=(",", ":")) for look in self.looks)
        text = json.dumps(head, indent=1).removesuffix("\n}") + ',\n "looks": [\n' + lines + "\n]}\n"
        (FOLDER / f"{self.name}.json").write_text(text)


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    command = ["kubectl", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=True).stdout


def apply(things: list[Object]) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": things}))


@contextmanager
def cluster(*, asked: bool) -> Iterator[None]:
    """A namespace, a way in, and our metrics API where it is asked for something; all of it goes again."""
    apis = [f"{version}.{group}" for group, version in objects.GROUPS.items()] if asked else []
    if found := [name for name in apis if kubectl("get", "apiservice", name, "-o", "name", "--ignore-not-found")]:
        raise SystemExit(
            f"{', '.join(found)}: another metrics API is installed. Take it out (kubectl delete apiservice "
            f"{' '.join(found)}) and put it back afterwards (make cluster-up)"
        )
    proxy = subprocess.Popen(["kubectl", "proxy", f"--port={PROXY}"], stdout=subprocess.DEVNULL)
    try:
        apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": objects.NAMESPACE}}])
        if asked:
            apply(objects.source(HOST, PORT))
        yield
    finally:
        proxy.terminate()
        proxy.wait()
        for name in apis:
            kubectl("delete", "apiservice", name, "--ignore-not-found")
        kubectl("delete", "namespace", objects.NAMESPACE, "--ignore-not-found")


async def looks(tapes: list[Tape], second: Any, seconds: float) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{PROXY}") as session:

        async def listed(path: str) -> list[Object]:
            async with session.get(path) as response:
                return (await response.json()).get("items") or []

        while second() < seconds:
            begin = time.monotonic()
            found = dict(zip(LISTS, await asyncio.gather(*map(listed, LISTS.values())), strict=True))
            for tape in tapes:
                tape.take(second(), found)
            await asyncio.sleep(max(0.0, begin + BETWEEN_LOOKS - time.monotonic()))


async def play(tape: Tape, second: Any) -> None:
    """What somebody else does to the replicas."""
    for at, replicas in tape.scenario.acts:
        await asyncio.sleep(max(0.0, at - second()))
        arguments = ("scale", "deployment", tape.name, "-n", objects.NAMESPACE, f"--replicas={replicas}")
        await asyncio.to_thread(kubectl, *arguments)


async def record(names: list[str]) -> None:
    scenarios = {name: SCENARIOS[name] for name in names}
    origin = time.time() + 20

    def second() -> float:
        return time.time() - origin

    tapes = {name: Tape(name, scenario, origin) for name, scenario in scenarios.items()}
    owners = {metric: tapes[name] for name, scenario in scenarios.items() for metric in scenario.served}
    plans = {metric: plan for scenario in scenarios.values() for metric, plan in scenario.served.items()}
    source = Source(plans, second, lambda metric, value: owners[metric].note(second(), metric, value))
    source.pods = _Pods(owners)
    with tempfile.TemporaryDirectory() as folder:
        runner = await serve(source, HOST, PORT, Path(folder))
        await asyncio.to_thread(apply, [objects.deployment(name, found, origin) for name, found in scenarios.items()])
        await asyncio.sleep(max(0.0, -second()))
        await asyncio.to_thread(apply, [objects.autoscaler(name, found) for name, found in scenarios.items()])
        longest = max(scenario.seconds for scenario in scenarios.values())
        await asyncio.gather(
            looks(list(tapes.values()), second, longest), *(play(tape, second) for tape in tapes.values())
        )
        await runner.cleanup()
    version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    for tape in tapes.values():
        tape.store(version)


class _Pods(dict[str, list[str]]):
    """The pods of a metric's scenario, as last seen."""

    def __init__(self, owners: dict[str, Tape]) -> None:
        self.owners = owners

    def get(self, metric: str, default: Any = ()) -> Any:
        return self.owners[metric].pods if metric in self.owners else default


def main() -> None:
    names = sys.argv[1:] or list(SCENARIOS)
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise SystemExit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    FOLDER.mkdir(exist_ok=True)
    with cluster(asked=any(SCENARIOS[name].served for name in names)):
        asyncio.run(record(names))


if __name__ == "__main__":
    main()
