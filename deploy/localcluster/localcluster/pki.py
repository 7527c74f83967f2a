"""Certificates and kubeconfigs: one authority per state folder, made once, ten years valid, only for this machine."""

import base64
import json
import shutil
from pathlib import Path

from localcluster import layout
from localcluster.configs import replace
from localcluster.layout import Layout
from localcluster.shell import run

NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADDRESSES = ("127.0.0.1", layout.KUBERNETES_SERVICE_IP, layout.NODE_IP, layout.NODE_END)
IDENTITIES = (*(f"IP:{address}" for address in ADDRESSES), *(f"DNS:{name}" for name in NAMES))
SERVER_NAMES = "subjectAltName=" + ",".join(IDENTITIES)
SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "node": f"/O=system:nodes/CN=system:node:{layout.NODE}",
    "kubelet-client": "/O=system:masters/CN=apiserver-kubelet-client",
    "front-proxy": "/CN=front-proxy-client",
}
USERS = ("admin", "controllers", "scheduler", "proxy", "node")
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def ensure(at: Layout) -> None:
    if not at.pki.exists():
        _issue_all(at)
    for user in USERS:
        path = at.kubeconfig if user == "admin" else at.state / f"{user}.kubeconfig"
        replace(path, json.dumps(kubeconfig(user, at.pki), indent=1))
        path.chmod(0o600)


def kubeconfig(user: str, pki: Path) -> dict[str, object]:
    """Self-contained (certificates inside), so that it can be copied."""
    cluster = {"server": layout.API_URL, "certificate-authority-data": _encoded(pki / "ca.crt")}
    keys = {"client-certificate-data": _encoded(pki / f"{user}.crt"), "client-key-data": _encoded(pki / f"{user}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "localcluster", "cluster": cluster}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"name": "localcluster", "context": {"cluster": "localcluster", "user": user}}],
        "current-context": "localcluster",
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _issue_all(at: Layout) -> None:
    """Into a folder of its own first: a folder named pki is always complete."""
    new = at.state / "pki.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    authority = ["-x509", "-keyout", "ca.key", "-out", "ca.crt", "-days", "3650", "-subj", "/CN=localcluster"]
    run(["openssl", "req", *NEW_KEY, *authority], cwd=new)
    for name, subject in SUBJECTS.items():
        _issue(new, name, subject)
    run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "sa.key"], cwd=new)
    new.rename(at.pki)


def _issue(folder: Path, name: str, subject: str) -> None:
    extension = SERVER_NAMES if name == "apiserver" else "basicConstraints=CA:FALSE"
    (folder / "extension").write_text(extension)
    run(["openssl", "req", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject], cwd=folder)
    sign = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", "extension"]
    run(["openssl", "x509", "-req", "-in", f"{name}.csr", *sign, "-out", f"{name}.crt"], cwd=folder)
