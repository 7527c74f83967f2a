"""The configuration files of the components, rendered from the layout. Pure but for `write` and `replace`.

JSON wherever a component reads YAML (JSON is YAML), so that nothing needs quoting rules of its own.
"""

import json
from pathlib import Path

from localcluster import layout
from localcluster.layout import Layout

NODE_LABELS = {"nvidia.com/gpu.product": "NVIDIA-A10G", "nvidia.com/gpu.present": "true"}


def write(at: Layout) -> None:
    for folder in (at.log, at.state / "cni", at.state / "kubelet", at.targets.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(at).items():
        replace(at.state / name, text)


def replace(path: Path, text: str) -> None:
    """Only when it differs: kube-proxy ends itself when its configuration file is written, even with the same text."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def files(at: Layout) -> dict[str, str]:
    return {
        "cni/10-bridge.conflist": _json(bridge(at.state)),
        "containerd.toml": containerd(at),
        "kubelet.yaml": _json(kubelet(at)),
        "proxy.yaml": _json(proxy(at.state)),
        "Corefile": corefile(at),
        "prometheus.yaml": _json(prometheus(at)),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def bridge(state: Path) -> dict[str, object]:
    ipam = {
        "type": "host-local",
        "dataDir": str(state / "ipam"),
        "ranges": [[{"subnet": layout.POD_NET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    gateway = {"isGateway": True, "ipMasq": False, "hairpinMode": True}
    pods = {"type": "bridge", "bridge": layout.BRIDGE, **gateway, "ipam": ipam}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": layout.CNI_NETWORK, "plugins": [pods, ports]}


def containerd(at: Layout) -> str:
    return f"""version = 2
root = "{at.state}/containerd/root"
state = "{at.state}/containerd/state"
[grpc]
  address = "{at.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{at.state}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{at.state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def kubelet(at: Layout) -> dict[str, object]:
    """Everything of a pod's resources lies under a cgroup of our own, so that nobody else's is ever touched."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.CGROUP}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "containerRuntimeEndpoint": f"unix://{at.socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(at.pki / "ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [layout.NODE_IP],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "healthzBindAddress": layout.NODE_END,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # 100 % means never: a collected image could not be pulled again, there is no registry.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def proxy(state: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(state / "proxy.kubeconfig")},
        "mode": "iptables",
        "clusterCIDR": layout.POD_NET,
        "hostnameOverride": layout.NODE,
        "conntrack": {"maxPerCore": 0},
    }


def corefile(at: Layout) -> str:
    """No forwarding: a name outside the cluster is refused, because nothing outside can be reached."""
    return f""".:53 {{
  bind {layout.NODE_IP}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {at.kubeconfig} localcluster
    pods insecure
  }}
  cache 5
}}
"""


def prometheus(at: Layout) -> dict[str, object]:
    return {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "5s"},
        "scrape_configs": [_annotated_pods(at), _containers(at)],
    }


def _annotated_pods(at: Layout) -> dict[str, object]:
    """The component `discovery` writes the targets; every scrape carries namespace, pod, node and the app labels."""
    relabel = [
        {"regex": "pod_label_(app|app_kubernetes_io_.+)", "action": "labelmap"},
        {"regex": "pod_label_.+", "action": "labeldrop"},
    ]
    return {
        "job_name": "pods",
        "honor_labels": True,  # the operator's series name the LoadTest's namespace, not its own
        "file_sd_configs": [{"files": [str(at.targets)]}],
        "relabel_configs": relabel,
    }


def _containers(at: Layout) -> dict[str, object]:
    """CPU, memory and throttling of every container, as the kubelet sees them."""
    tls = {
        "cert_file": str(at.pki / "kubelet-client.crt"),
        "key_file": str(at.pki / "kubelet-client.key"),
        "insecure_skip_verify": True,  # the kubelet signs its own certificate
    }
    return {
        "job_name": "kubelet-cadvisor",
        "scheme": "https",
        "metrics_path": "/metrics/cadvisor",
        "scrape_interval": "5s",
        "scrape_timeout": "5s",
        "tls_config": tls,
        "static_configs": [{"targets": [f"{layout.NODE_IP}:10250"], "labels": {"node": layout.NODE}}],
    }
