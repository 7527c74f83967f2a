"""Bringing the cluster up and down, and its components one by one. Every command may be repeated and interrupted."""

import resource
import shutil
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from localcluster import builds, configs, layout, leftovers, manifests, network, pki, processes
from localcluster.client import Client, wait
from localcluster.components import Component, addons, control_plane, node, on_demand, table
from localcluster.errors import Refusal
from localcluster.images import Images
from localcluster.layout import Layout
from localcluster.progress import say, step

NODE_PATH = f"/api/v1/nodes/{layout.NODE}"
START_TRIES = 5
"""Of a component that dies while it starts: its port may not be free yet."""
DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class Cluster:
    def __init__(self, at: Layout) -> None:
        self._at = at
        self._records = processes.Records(at.state)
        self._standing = table(at)
        self._table = {**self._standing, **on_demand(at)}

    # -- all of it ---------------------------------------------------------------------------------------------------

    def up(self) -> None:
        builds.ensure(self._at)
        if self._complete():
            say("up", f"already up; export KUBECONFIG={self._at.kubeconfig}")
            return
        self._prepare()
        with step("up", "etcd, API server, controller manager, scheduler", "control plane"):
            self._start_all(control_plane(self._at))
        with step("up", "containerd, kubelet, kube-proxy", "node"):
            self._start_node()
        with step("up", "CoreDNS, metrics APIs, Prometheus", "addons"):
            self._start_addons()
        say("up", f"ready; export KUBECONFIG={self._at.kubeconfig} PATH={self._at.bin}:$PATH")

    def down(self) -> None:
        leftovers.refuse_foreign(self._at)
        with step("down", "all processes, pods, mounts, links, the state folder", "stop"):
            leftovers.clear(self._at)
            shutil.rmtree(self._at.state, ignore_errors=True)
        if self._at.state.exists():
            raise Refusal(
                f"{self._at.state} could not be removed; see `mount | grep localcluster` for a busy mount below it"
            )

    def status(self) -> bool:
        """Prints one line per component and what to do about the dead ones; whether all is well."""
        if not self._at.pki.exists():
            say("status", "down; `python3 deploy/localcluster up` brings it up")
            return False
        client = Client(self._at)
        for component in self._table.values():
            say("status", f"{component.name:15} {self._state(client, component)}")
        ready = "ready" if self._node_ready(client) else "not ready"
        say("status", f"node {layout.NODE}: {ready}; KUBECONFIG={self._at.kubeconfig}")
        dead = [name for name in self._table if self._records.died(name) or self._is_missing(name)]
        if dead:
            say("status", f"NOT WELL: {', '.join(dead)} not running; `start COMPONENT` or `up` starts what is missing")
        return not dead and self._complete()

    # -- one component -----------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        component = self._component(name)
        if not network.exists() or not self._at.pki.exists():
            raise Refusal("the cluster is down; bring it up with `python3 deploy/localcluster up`")
        self._start_all([component])
        if name == "kubelet":
            self._patch_gpus(Client(self._at))
        say("start", f"{name} is ready")

    def stop(self, name: str, *, kill: bool) -> None:
        """The API server would wait a minute for open watches, so it gets two seconds like everybody."""
        self._component(name)
        found = self._records.read(name)
        processes.stop([found] if found else [], grace=0 if kill else processes.GRACE)
        self._records.forget(name)
        say("stop", f"{name} is stopped")

    def _component(self, name: str) -> Component:
        if name not in self._table:
            raise Refusal(f"there is no component {name!r}; there are {', '.join(self._table)}")
        return self._table[name]

    # -- steps -------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Resumes where living processes of ours are left; otherwise clears what is dead first."""
        leftovers.refuse_foreign(self._at)
        if not (network.exists() and processes.working_in(self._at.state)):
            self._clear()
        if len(str(self._at.socket)) > layout.SOCKET_PATH_LIMIT:
            raise Refusal(f"{self._at.socket} is too long for a socket; clone the repository somewhere shorter")
        leftovers.make_cgroups()
        builds.link(self._at)
        configs.write(self._at)
        pki.ensure(self._at)
        if not network.exists():
            network.create()
        _raise_open_files()

    def _clear(self) -> None:
        if layout.NETNS_PATH.exists() or self._at.state.exists():
            with step("up", "clearing what an earlier cluster left behind", "clear"):
                leftovers.clear(self._at)

    def _start_all(self, components: Iterable[Component]) -> None:
        for component in components:
            self._launch(component)
            if component.name == "apiserver":
                self._await([component])
        self._await(components)

    def _launch(self, component: Component) -> None:
        if not self._records.alive(component.name):
            processes.start(component.name, component.command, self._at.state)

    def _await(self, components: Iterable[Component]) -> None:
        client = Client(self._at)
        for component in components:
            ready = partial(self._ready, client, component, iter(range(1, START_TRIES)))
            wait(f"{component.name} ready", ready, 90, self._look(component.name))

    def _ready(self, client: Client, component: Component, tries: Iterator[int]) -> bool:
        """Whether it is; one that died is started again, each time after a longer pause."""
        if self._records.alive(component.name):
            return client.ready(component)
        pause = next(tries, None)
        if pause is None:
            raise Refusal(
                f"{component.name} died {START_TRIES} times right after its start; {self._look(component.name)}"
            )
        time.sleep(pause)
        self._launch(component)
        return False

    def _start_node(self) -> None:
        containerd, *others = node(self._at)
        self._start_all([containerd])
        Images(self._at).load_pause()
        self._start_all(others)
        client = Client(self._at)
        wait("node ready", lambda: self._node_ready(client), 90, self._look("kubelet"))
        self._patch_gpus(client)

    def _start_addons(self) -> None:
        client = Client(self._at)
        for component in addons(self._at):
            self._launch(component)
        for thing in manifests.addons():
            client.apply(thing)
        self._await(addons(self._at))
        for api in manifests.metrics_apis():
            available = partial(self._available, client, api)
            wait(f"{api['metadata']['name']} available", available, 60, self._look(api["spec"]["service"]["name"]))
        wait("the default service account", lambda: bool(client.get(DEFAULT_ACCOUNT)), 60, self._look("controllers"))

    def _patch_gpus(self, client: Client) -> None:
        """A starting kubelet resets extended resources, so it is asked until they stay."""

        def patched() -> bool:
            if manifests.has_gpus(client.get(NODE_PATH)):
                return True
            client.merge(f"{NODE_PATH}/status", manifests.gpu_status())
            return False

        wait("two nvidia.com/gpu on the node", patched, 30, self._look("kubelet"))

    # -- questions ---------------------------------------------------------------------------------------------------

    def _is_missing(self, name: str) -> bool:
        return name in self._standing and not self._records.alive(name)

    def _complete(self) -> bool:
        if any(self._is_missing(name) for name in self._table) or not network.exists():
            return False
        client = Client(self._at)
        if not all(client.ready(component) for component in self._standing.values()):
            return False
        if not all(self._available(client, api) for api in manifests.metrics_apis()):
            return False
        return self._node_ready(client) and manifests.has_gpus(client.get(NODE_PATH))

    def _node_ready(self, client: Client) -> bool:
        return manifests.is_true(client.get(NODE_PATH), "Ready")

    def _available(self, client: Client, api: manifests.Object) -> bool:
        return manifests.is_true(client.get(manifests.path(api)), "Available")

    def _state(self, client: Client, component: Component) -> str:
        found = self._records.read(component.name)
        if self._records.died(component.name):
            return f"DIED; {self._look(component.name)}"
        if found is None:
            return "not running"
        return f"pid {found.pid}, {'ready' if client.ready(component) else 'not ready'}"

    def _look(self, name: str) -> str:
        return f"see {self._at.log / f'{name}.log'}; if its data is damaged, run `down` and `up`"


def _raise_open_files() -> None:
    """Pods inherit the limit from containerd; load generators open many sockets."""
    most = int(Path("/proc/sys/fs/nr_open").read_text())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except ValueError:  # root without CAP_SYS_RESOURCE: as far as it goes
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
