"""The network namespace in which the whole cluster lives, and the one pair of links that joins it to the host."""

from pathlib import Path

from localcluster import layout
from localcluster.shell import quietly, run

INSIDE = ("nsenter", f"--net={layout.NETNS_PATH}")  # not `ip netns exec`: that remounts /sys and hides the cgroups


def exists() -> bool:
    return layout.NETNS_PATH.exists() and quietly(*INSIDE, "ip", "link", "show", layout.BRIDGE)


def create() -> None:
    for module in ("br_netfilter", "overlay", "veth"):
        quietly("modprobe", module)  # built into some kernels, and then there is nothing to load
    run(["ip", "netns", "add", layout.NETNS])
    _links()
    _bridge()
    for target in (layout.POD_NET, layout.SERVICE_NET):
        run(["ip", "route", "replace", target, "via", layout.NODE_END])


def remove() -> None:
    quietly("ip", "link", "del", layout.HOST_LINK)  # the routes go with it
    quietly("ip", "netns", "del", layout.NETNS)
    layout.NETNS_PATH.unlink(missing_ok=True)


def delete_namespace(path: Path) -> None:
    quietly("ip", "netns", "del", path.name)


def _links() -> None:
    other_end = ["peer", "name", layout.NODE_LINK, "netns", layout.NETNS]
    run(["ip", "link", "add", layout.HOST_LINK, "type", "veth", *other_end])
    run(["ip", "addr", "add", f"{layout.HOST_END}/30", "dev", layout.HOST_LINK])
    run(["ip", "link", "set", layout.HOST_LINK, "up"])
    _inside("ip link set lo up")
    _inside(f"ip addr add {layout.NODE_END}/30 dev {layout.NODE_LINK}")
    _inside(f"ip link set {layout.NODE_LINK} up")
    _inside(f"ip route add default via {layout.HOST_END}")  # the kubelet wants one; the host forwards nothing further


def _bridge() -> None:
    _inside(f"ip link add {layout.BRIDGE} type bridge")
    _inside(f"ip addr add {layout.NODE_IP}/16 dev {layout.BRIDGE}")
    _inside(f"ip link set {layout.BRIDGE} up")
    _inside("sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1")


def _inside(command: str) -> None:
    run([*INSIDE, *command.split()])
