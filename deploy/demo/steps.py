"""The steps between a cluster and a running LoadTest."""

from clusters import ROOT, Cluster, environment
from shell import DemoError, Step, call, output

__all__ = ["DemoError", "announce", "apply_sample", "install_operator", "install_target", "kubectl"]

NAMESPACE = "loadtest-demo"
SYSTEM = "loadtest-system"


def announce(cluster: Cluster) -> None:
    """Say what will be created, before anything is."""
    print(
        f"This uses {cluster.description} and creates in it:\n"
        f"  namespace {SYSTEM}: the operator (Helm release loadtest-operator), its CRDs and roles\n"
        f"  namespace {NAMESPACE}: a real language model (Deployment, Service, HPA `llm`) and the LoadTest\n",
        flush=True,
    )


def install_operator(cluster: Cluster) -> None:
    """Install or upgrade the operator by its chart; a changed image restarts it."""
    values = {
        "image.repository": f"{cluster.image_prefix}/loadtest-operator",
        "image.tag": "dev",
        "image.pullPolicy": cluster.pull_policy,
        "worker.image.repository": f"{cluster.image_prefix}/loadtest-worker",
        "worker.image.tag": "dev",
        "worker.image.pullPolicy": cluster.pull_policy,
        "podAnnotations.image-content": cluster.operator_content(),
    }
    chart = str(ROOT / "charts" / "loadtest-operator")
    command = ["helm", "upgrade", "--install", "loadtest-operator", chart, "--namespace", SYSTEM, "--create-namespace"]
    command += ["--wait", "--timeout", "180s", *(f"--set={key}={value}" for key, value in values.items())]
    with Step("operator by its Helm chart", "10 s"):
        call(command, environment=environment(cluster), quiet=True)


def install_target(cluster: Cluster) -> None:
    """Deploy the sample model with its HPA and wait until it answers."""
    with Step("a real language model with an HPA (SmolLM2-135M on llama.cpp)", "15 s"):
        ensure_namespace(cluster)
        rendered = output(
            ["kubectl", "kustomize", str(ROOT / "deploy/samples/targets/llm")], environment=environment(cluster)
        )
        manifest = rendered.replace("localhost/", f"{cluster.image_prefix}/").replace("Never", cluster.pull_policy)
        call(
            ["kubectl", "apply", "-n", NAMESPACE, "-f", "-"],
            environment=environment(cluster),
            quiet=True,
            stdin=manifest,
        )
        kubectl(cluster, "-n", NAMESPACE, "rollout", "status", "deployment/llm", "--timeout=300s", quiet=True)


def ensure_namespace(cluster: Cluster) -> None:
    """Create the demo's namespace, under the restricted Pod Security Standard."""
    if NAMESPACE not in output(["kubectl", "get", "namespaces", "-o", "name"], environment=environment(cluster)):
        kubectl(cluster, "create", "namespace", NAMESPACE, quiet=True)
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl(cluster, "label", "namespace", NAMESPACE, label, "--overwrite", quiet=True)


def apply_sample(cluster: Cluster, name: str) -> None:
    """Apply one sample afresh."""
    sample = str(ROOT / "deploy" / "samples" / f"{name}.yaml")
    print(f"[demo] kubectl apply -n {NAMESPACE} -f deploy/samples/{name}.yaml", flush=True)
    kubectl(cluster, "delete", "-n", NAMESPACE, "-f", sample, "--ignore-not-found", "--wait=true", quiet=True)
    kubectl(cluster, "apply", "-n", NAMESPACE, "-f", sample)


def kubectl(cluster: Cluster, *arguments: str, quiet: bool = False) -> None:
    """Run kubectl against that cluster."""
    call(["kubectl", *arguments], environment=environment(cluster), quiet=quiet)
