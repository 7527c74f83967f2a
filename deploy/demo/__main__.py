"""`make demo` and the preparation of the e2e tests: from nothing to a running operator and a real model.

`run` prepares, applies the first sample and shows it live until its verdict. `prepare` stops before the LoadTest.
`kubeconfig` prints which kubeconfig belongs to the chosen cluster. Everything is done through the commands that a user
would type (kubectl, helm); each step is printed with how long it usually takes.
"""

import argparse
import subprocess
import sys

from clusters import CLUSTERS, Cluster, environment
from steps import NAMESPACE, DemoError, announce, apply_sample, install_operator, install_target

WHERE_NEXT = """
Where to look next:
  export KUBECONFIG={kubeconfig}
  kubectl -n {namespace} get loadtests                      # all runs, with their verdicts
  kubectl -n {namespace} describe loadtest {name}           # conditions, evidence, events
  kubectl loadtest report {name} -n {namespace} --html report.html  # charts, stages, distributions
  kubectl -n {namespace} apply -f deploy/samples/too-strict.yaml    # one that fails, and says why
"""


def prepare(cluster: Cluster) -> None:
    """Bring up the cluster, the operator and the sample target; does nothing that is done already."""
    announce(cluster)
    cluster.up()
    cluster.images()
    install_operator(cluster)
    install_target(cluster)


def run(cluster: Cluster) -> int:
    """The whole demo; returns 0 when the LoadTest ended with verdict Passed."""
    prepare(cluster)
    apply_sample(cluster, "chat-capacity")
    return follow(cluster, "chat-capacity")


def follow(cluster: Cluster, name: str) -> int:
    """Show the LoadTest as `kubectl loadtest watch` does; gives its exit code, which is the verdict's."""
    command = [sys.executable, "-m", "kubectl_loadtest", "watch", name, "-n", NAMESPACE]
    code = subprocess.run(command, env=environment(cluster), check=False).returncode
    print(WHERE_NEXT.format(name=name, namespace=NAMESPACE, kubeconfig=cluster.kubeconfig))
    return code


def main() -> int:
    """Parse the command line and translate errors into one sentence."""
    parser = argparse.ArgumentParser(prog="deploy/demo", description=__doc__)
    parser.add_argument("command", choices=["run", "prepare", "kubeconfig"])
    parser.add_argument("--cluster", choices=sorted(CLUSTERS), default="local")
    arguments = parser.parse_args()
    cluster = CLUSTERS[arguments.cluster]()
    if arguments.command == "kubeconfig":
        print(cluster.kubeconfig)
        return 0
    try:
        if arguments.command == "prepare":
            prepare(cluster)
            return 0
        return run(cluster)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; the LoadTest goes on: kubectl -n loadtest-demo get loadtests -w", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
