"""The processes that make up the cluster: how each is started, how it is known to be ready. Pure.

Order matters once: the controller manager makes its role bindings at its first start, for which the API server must be
ready.
"""

from dataclasses import dataclass
from pathlib import Path

from localcluster import layout
from localcluster.configs import NODE_LABELS
from localcluster.layout import Layout


@dataclass(frozen=True, slots=True)
class Component:
    """`ready` is a URL that must answer 200 or accept a connection, or the path of a socket or file that must exist."""

    name: str
    command: tuple[str, ...]
    ready: str


def table(at: Layout) -> dict[str, Component]:
    """In the order in which they start."""
    return {component.name: component for component in (*control_plane(at), *node(at), *addons(at))}


def on_demand(at: Layout) -> dict[str, Component]:
    """What only runs while somebody wants it.

    Network policies: each new connection of a pod passes through a process that shares the few cores with what is measured.
    """
    command = (_kube(at), "network-policies", f"--kubeconfig={at.kubeconfig}", f"--node={layout.NODE}")
    guard = Component("network-policies", (*command, f"--file={at.guarding}"), str(at.guarding))
    return {guard.name: guard}


def control_plane(at: Layout) -> tuple[Component, ...]:
    return (
        Component("etcd", etcd(at), f"http://{layout.NODE_END}:2381/health"),
        Component("apiserver", apiserver(at), f"{layout.API_URL}/readyz"),
        Component("controllers", controllers(at), f"https://{layout.NODE_END}:10257/healthz"),
        Component("scheduler", scheduler(at), f"https://{layout.NODE_END}:10259/healthz"),
    )


def node(at: Layout) -> tuple[Component, ...]:
    proxy = (_kube(at), "kube-proxy", f"--config={at.state}/proxy.yaml")
    return (
        Component("containerd", ("containerd", "--config", f"{at.state}/containerd.toml"), str(at.socket)),
        Component("kubelet", kubelet(at), f"http://{layout.NODE_END}:10248/healthz"),
        Component("proxy", proxy, f"http://{layout.NODE_END}:10256/healthz"),
    )


def addons(at: Layout) -> tuple[Component, ...]:
    coredns = (str(at.bin / "coredns"), "-conf", str(at.state / "Corefile"))
    return (
        Component("coredns", coredns, f"tcp://{layout.NODE_IP}:53"),
        Component("metrics-server", metrics_server(at), f"https://{layout.NODE_END}:10251/livez"),
        Component("discovery", discovery(at), str(at.targets)),
        Component("prometheus", prometheus(at), f"{layout.PROMETHEUS_URL}/-/ready"),
        Component("custom-metrics", custom_metrics(at), f"https://{layout.NODE_END}:10254/livez"),
    )


def _kube(at: Layout) -> str:
    return str(at.bin / "kube")


def etcd(at: Layout) -> tuple[str, ...]:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return (
        *(_kube(at), "etcd", f"--data-dir={at.state}/etcd", "--unsafe-no-fsync", "--log-level=warn"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"),
        f"--listen-metrics-urls=http://{layout.NODE_END}:2381",
    )


def apiserver(at: Layout) -> tuple[str, ...]:
    pki = at.pki
    return (
        *(_kube(at), "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379"),
        *(f"--service-cluster-ip-range={layout.SERVICE_NET}", f"--advertise-address={layout.NODE_IP}"),
        *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
        f"--client-ca-file={pki}/ca.crt",
        "--service-account-issuer=https://kubernetes.default.svc",
        *(f"--service-account-key-file={pki}/sa.key", f"--service-account-signing-key-file={pki}/sa.key"),
        *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
        *(f"--kubelet-client-certificate={pki}/kubelet-client.crt", f"--kubelet-client-key={pki}/kubelet-client.key"),
        "--kubelet-preferred-address-types=InternalIP",
        *_aggregation(pki),
    )


def _aggregation(pki: Path) -> tuple[str, ...]:
    return (
        *(f"--requestheader-client-ca-file={pki}/ca.crt", "--requestheader-allowed-names=front-proxy-client"),
        *("--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group"),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        *(f"--proxy-client-cert-file={pki}/front-proxy.crt", f"--proxy-client-key-file={pki}/front-proxy.key"),
        "--enable-aggregator-routing=true",
    )


def controllers(at: Layout) -> tuple[str, ...]:
    """The autoscaler's periods are shortened, so that a test of seconds sees what takes minutes in production."""
    return (
        *(_kube(at), "kube-controller-manager", *_own_kubeconfig(at, "controllers"), "--leader-elect=false"),
        *("--use-service-account-credentials", f"--service-account-private-key-file={at.pki}/sa.key"),
        *(f"--root-ca-file={at.pki}/ca.crt", f"--requestheader-client-ca-file={at.pki}/ca.crt"),
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--horizontal-pod-autoscaler-downscale-stabilization=30s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
    )


def scheduler(at: Layout) -> tuple[str, ...]:
    return (_kube(at), "kube-scheduler", *_own_kubeconfig(at, "scheduler"), "--leader-elect=false")


def _own_kubeconfig(at: Layout, user: str) -> tuple[str, ...]:
    path = at.state / f"{user}.kubeconfig"
    return (f"--kubeconfig={path}", f"--authentication-kubeconfig={path}", f"--authorization-kubeconfig={path}")


def kubelet(at: Layout) -> tuple[str, ...]:
    labels = ",".join(f"{key}={value}" for key, value in NODE_LABELS.items())
    return (
        *(_kube(at), "kubelet", f"--config={at.state}/kubelet.yaml", f"--kubeconfig={at.state}/node.kubeconfig"),
        *(f"--hostname-override={layout.NODE}", f"--node-ip={layout.NODE_IP}", f"--node-labels={labels}"),
        f"--containerd={at.socket}",  # where cAdvisor learns the names of containers
        *(f"--root-dir={at.state}/kubelet", f"--cert-dir={at.state}/kubelet/pki"),
    )


def metrics_server(at: Layout) -> tuple[str, ...]:
    return (
        *(_kube(at), "metrics-server", f"--kubeconfig={at.kubeconfig}", "--metric-resolution=10s"),
        *("--secure-port=10251", f"--cert-dir={at.state}/metrics-server"),
    )


def custom_metrics(at: Layout) -> tuple[str, ...]:
    access = ("lister", "authentication", "authorization")
    return (
        *(_kube(at), "custom-metrics", *(f"--{purpose}-kubeconfig={at.kubeconfig}" for purpose in access)),
        *("--secure-port=10254", f"--cert-dir={at.state}/custom-metrics", f"--prometheus={layout.PROMETHEUS_URL}"),
    )


def discovery(at: Layout) -> tuple[str, ...]:
    return (_kube(at), "discovery", f"--kubeconfig={at.kubeconfig}", f"--file={at.targets}")


def prometheus(at: Layout) -> tuple[str, ...]:
    return (
        *("prometheus", f"--config.file={at.state}/prometheus.yaml", f"--storage.tsdb.path={at.state}/prometheus"),
        *("--storage.tsdb.retention.time=1d", "--storage.tsdb.retention.size=512MB"),
        *(f"--web.listen-address={layout.NODE_IP}:9090", "--log.level=warn"),
    )
