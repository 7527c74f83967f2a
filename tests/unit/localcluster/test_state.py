"""Processes that are ours, and images at rest."""

import dataclasses
import io
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from localcluster import processes
from localcluster.store import CONTAINERD_NAME, NAME, Store


def test_a_living_process_is_recognised_after_its_record_was_read_back(tmp_path: Path) -> None:
    records = processes.Records(tmp_path)
    records.write("me", processes.identify(os.getpid()))
    assert records.alive("me")


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another"}, {"pid": 2**22 + 1}])
def test_a_reused_id_is_never_taken_for_ours(change: dict[str, str | int]) -> None:
    me = processes.identify(os.getpid())
    assert not processes.alive(dataclasses.replace(me, **change))


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "etcd.json").write_text("{")
    assert processes.Records(tmp_path).read("etcd") is None


def test_a_component_that_was_stopped_has_not_died(tmp_path: Path) -> None:
    records = processes.Records(tmp_path)
    assert not records.died("etcd")
    records.write("etcd", processes.Process(2**22 + 1, "1", processes.boot()))
    assert records.died("etcd")
    records.forget("etcd")
    assert not records.died("etcd")


EXIT_OF_ONE_THREAD = {"x86_64": 60, "aarch64": 93}
HEADLESS = f"""
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(30,)).start()
ctypes.CDLL(None).syscall({EXIT_OF_ONE_THREAD.get(platform.machine())}, 0)
"""


@pytest.fixture
def headless() -> Iterator[int]:
    """A process whose first thread has ended and whose second lives: the kernel calls it a zombie."""
    child = subprocess.Popen([sys.executable, "-c", HEADLESS])
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield child.pid
    child.send_signal(signal.SIGKILL)
    child.wait(10)


@pytest.mark.skipif(platform.machine() not in EXIT_OF_ONE_THREAD, reason="another system call number")
def test_a_process_is_alive_while_a_thread_of_it_may_hold_a_port(headless: int) -> None:
    me = processes.identify(headless)
    assert processes.alive(me)
    processes.stop([me], grace=0)
    assert not processes.alive(me)


def test_a_shell_in_the_state_folder_is_not_a_process_of_the_cluster() -> None:
    assert os.getpid() not in [process.pid for process in processes.working_in(Path.cwd())]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three images of one name, one of another; all share a layer."""
    blobs = tmp_path / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    entries = []
    for name in ("app-1", "app-2", "other-1", "app-3"):
        config, manifest = f"c{name}", f"m{name}"
        layers = [{"digest": "sha256:shared"}, {"digest": f"sha256:l{name}"}]
        (blobs / manifest).write_text(json.dumps({"config": {"digest": f"sha256:{config}"}, "layers": layers}))
        for blob in (config, "shared", f"l{name}"):
            (blobs / blob).write_text(blob)
        entries.append({"digest": f"sha256:{manifest}", "annotations": {NAME: name}})
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return Store(tmp_path)


def test_an_archive_leaves_out_what_the_receiver_has(store: Store) -> None:
    archive = store.archive("app-2", "localhost/app:dev", {"sha256:shared"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
    assert names == ["oci-layout", "index.json", *(f"blobs/sha256/{blob}" for blob in ("mapp-2", "capp-2", "lapp-2"))]


def test_an_archive_names_the_image_as_pods_will_ask_for_it(store: Store) -> None:
    with tarfile.open(fileobj=io.BytesIO(store.archive("app-2", "localhost/app:dev", ()))) as tar:
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    assert index["manifests"][0]["annotations"][CONTAINERD_NAME] == "localhost/app:dev"


def test_pruning_keeps_the_last_two_of_each_name_and_shared_layers(store: Store) -> None:
    store.prune()
    assert [name for name in ("app-1", "app-2", "app-3", "other-1") if store.has(name)] == ["app-2", "app-3", "other-1"]
    left = {path.name for path in (store.folder / "blobs" / "sha256").iterdir()}
    assert "shared" in left
    assert "lapp-1" not in left


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    assert not Store(tmp_path).has("app-1")
