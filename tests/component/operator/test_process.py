"""The operator as a process on a fake API server: kopf's part of it, and how it ends."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from builders import a_load_test
from fakes.bad import unused_port
from fakes.kube import Cluster, serving
from loadtest_operator import main
from loadtest_operator.adapters.metrics.runs import Metrics
from loadtest_operator.core.common.kinds import LEASE, LOAD_TEST
from loadtest_operator.core.common.settings import Settings
from loadtest_operator.handlers.context import Context

LEASE_LOST = 3


def kubeconfig(folder: Path, address: str) -> Path:
    path = folder / "kubeconfig"
    named = {"clusters": [{"name": "it", "cluster": {"server": address}}], "users": [{"name": "it", "user": {}}]}
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    path.write_text(json.dumps({**named, "contexts": [context], "current-context": "it"}))
    return path


@asynccontextmanager
async def operating(
    folder: Path, cluster: Cluster, *arguments: str, identity: str = "me"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Started; killed if it has not ended."""
    async with serving(cluster) as address:
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ},
            "KUBECONFIG": str(kubeconfig(folder, address)),
            "LOADTEST_WATCH_NAMESPACES": "demo",
            "LOADTEST_LEASE_NAMESPACE": "demo",
            "LOADTEST_IDENTITY": identity,
            "LOADTEST_METRICS_PORT": str(unused_port()),
            "LOADTEST_PROBE_PORT": str(unused_port()),
        }
        command = (sys.executable, "-m", "loadtest_operator", *arguments)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            _, errors = await process.communicate()
            print(errors.decode())


async def until(holds: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)


async def test_unfinished_runs_are_followed_and_finished_ones_are_left_alone(tmp_path: Path) -> None:
    cluster = Cluster()
    run = {"number": 1, "token": "1"}
    finished = {"observedGeneration": 1, "phase": "Finished", "verdict": "Passed", "run": run}
    cluster.put(LOAD_TEST, {**a_load_test(name="old"), "status": finished})
    cluster.put(LOAD_TEST, a_load_test(name="new", suspend=True))
    async with operating(tmp_path, cluster) as process:
        await until(lambda: "suspended" in str(cluster.get(LOAD_TEST, "demo", "new")))
        await asyncio.sleep(1)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0

    new, lease = cluster.get(LOAD_TEST, "demo", "new"), cluster.get(LEASE, "demo", "loadtest-operator")
    assert not [path for method, path in cluster.log if method == "PATCH" and "/loadtests/old" in path]
    assert new is not None
    assert new["metadata"]["finalizers"] == ["loadtest.dev/operator"]
    assert "last-handled-configuration" not in str(new["metadata"].get("annotations"))
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""


async def test_the_watch_wakes_who_waits_and_tells_the_janitor(tmp_path: Path) -> None:
    """Long before anybody would have looked by himself: a held one that may go, a target that got free, a ttl that is over."""
    cluster = Cluster()
    run = {"number": 1, "token": "1", "completionTime": "2026-01-01T12:00:00Z"}
    old = {**a_load_test(name="old", ttlSecondsAfterFinished=0), "status": {"phase": "Finished", "run": run}}
    cluster.put(LOAD_TEST, old)
    for name in ("held", "next"):
        elsewhere = {"serviceRef": {"name": name, "port": "http"}}
        cluster.put(LOAD_TEST, a_load_test(name=name, suspend=name == "held", target=elsewhere))
    cluster.put(LOAD_TEST, a_load_test(name="last", target={"serviceRef": {"name": "next", "port": "http"}}))

    def said(name: str) -> str:
        return str((cluster.get(LOAD_TEST, "demo", name) or {}).get("status"))

    def change(name: str, **spec: bool) -> None:
        body = cluster.get(LOAD_TEST, "demo", name)
        assert body is not None
        metadata = {**body["metadata"], "generation": body["metadata"]["generation"] + 1}
        cluster.put(LOAD_TEST, {**body, "metadata": metadata, "spec": {**body["spec"], **spec}})

    async with operating(tmp_path, cluster):
        await until(lambda: "cleanupTime" in said("old"))
        await until(lambda: "suspended" in said("held") and "waits for LoadTest" in said("next") + said("last"))
        change("held", suspend=False)
        await until(lambda: "'phase': 'Preparing'" in said("held"))
        first, second = ("last", "next") if "waits" in said("next") else ("next", "last")
        change(first, abort=True)
        await until(lambda: "'verdict': 'Aborted'" in said(first))
        await until(lambda: "'phase': 'Preparing'" in said(second))


async def test_whoever_lost_the_lease_exits_at_once(tmp_path: Path) -> None:
    cluster = Cluster()
    async with operating(tmp_path, cluster) as process:
        await until(lambda: cluster.get(LEASE, "demo", "loadtest-operator"))
        lease = cluster.get(LEASE, "demo", "loadtest-operator")
        assert lease is not None
        lease["spec"]["holderIdentity"] = "thief"
        lease["metadata"]["resourceVersion"] = "999999"

        assert await asyncio.wait_for(process.wait(), 20) == LEASE_LOST


async def test_the_last_leader_ends_the_others_and_gives_nothing_back(tmp_path: Path) -> None:
    """`uninstall` beside a living operator: whoever waits for the lease must be taken out before it is free."""
    cluster = Cluster()
    cluster.put(LOAD_TEST, a_load_test(suspend=True))
    (tmp_path / "last").mkdir()
    async with operating(tmp_path, cluster) as first:
        await until(lambda: "finalizers" in str(cluster.get(LOAD_TEST, "demo", "test")))
        async with operating(tmp_path / "last", cluster, "uninstall", identity="last") as last:
            assert await asyncio.wait_for(first.wait(), 20) == LEASE_LOST
            assert await asyncio.wait_for(last.wait(), 30) == 0

    left, lease = cluster.get(LOAD_TEST, "demo", "test"), cluster.get(LEASE, "demo", "loadtest-operator")
    assert left is not None
    assert not left["metadata"]["finalizers"]
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "last"


async def test_whoever_waits_for_the_lease_ends_when_told_to(tmp_path: Path) -> None:
    cluster = Cluster()
    spec = {"holderIdentity": "somebody", "leaseDurationSeconds": 3600}
    cluster.put(LEASE, {"metadata": {"name": "loadtest-operator", "namespace": "demo"}, "spec": spec})
    async with operating(tmp_path, cluster) as process:
        await until(lambda: [path for _, path in cluster.log if "/leases/" in path])
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_command_that_is_none_is_named(tmp_path: Path) -> None:
    async with operating(tmp_path, Cluster(), "unistall") as process:
        assert await asyncio.wait_for(process.wait(), 20) == 64


async def test_a_janitor_that_dies_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes starts it anew; nobody would notice that nothing is tidied up any more."""

    async def dying(_context: object) -> None:
        raise ZeroDivisionError("ours")

    async def for_ever(*, stop_flag: asyncio.Event, **_: object) -> None:
        await stop_flag.wait()

    monkeypatch.setattr(main, "BESIDE_KOPF", (dying,))
    monkeypatch.setattr(main.kopf, "operator", for_ever)
    anything = cast(Any, None)
    context = Context(anything, anything, anything, Settings(), Metrics())
    with pytest.raises(main.BackgroundError, match="ours"):
        await asyncio.wait_for(main.operate(context), 10)
