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
    """Install or upgrade the operator by its chart; restarts it when its image changed."""
    with Step("operator by its Helm chart", "10 s"):
        call(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds")], environment=environment(cluster), quiet=True)
        call(
            [
                *("helm", "upgrade", "--install", "loadtest-operator", str(ROOT / "charts" / "loadtest-operator")),
                *("--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "180s"),
                *("--set", f"image.repository={cluster.image_prefix}/loadtest-operator"),
                *("--set", f"image.pullPolicy={cluster.pull_policy}"),
                *("--set", f"worker.image.repository={cluster.image_prefix}/loadtest-worker"),
                *("--set", f"worker.image.pullPolicy={cluster.pull_policy}"),
            ],
            environment=environment(cluster),
            quiet=True,
        )


def install_target(cluster: Cluster) -> None:
    """Deploy the sample model with its HPA and wait until it answers."""
    with Step("a real language model with an HPA (SmolLM2-135M on llama.cpp)", "15 s"):
        ensure_namespace(cluster)
        kubectl(cluster, "apply", "-n", NAMESPACE, "-k", str(ROOT / "deploy/samples/targets/llm"), quiet=True)
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
