"""Watches a LoadTest's status and shows it: a live table on a terminal, one line per change elsewhere."""

import json
import sys
import time
from typing import Any

from clusters import Cluster, environment
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from shell import output
from steps import NAMESPACE

Object = dict[str, Any]
COLOURS = {"Passed": "green", "Failed": "red", "Inconclusive": "yellow", "Error": "red", "Aborted": "yellow"}


def follow(cluster: Cluster, name: str) -> int:
    """Show the LoadTest until it is finished; 0 when it passed."""
    console = Console()
    status = _show_live(cluster, name, console) if sys.stdout.isatty() else _show_lines(cluster, name)
    console.print(final(status))
    print(WHERE_NEXT.format(name=name, namespace=NAMESPACE, kubeconfig=cluster.kubeconfig))
    return 0 if status["verdict"] == "Passed" else 1


def _show_live(cluster: Cluster, name: str, console: Console) -> Object:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            status = fetch(cluster, name)
            live.update(progress(name, status))
            if status.get("phase") == "Finished":
                return status
            time.sleep(1)


def _show_lines(cluster: Cluster, name: str) -> Object:
    shown = ""
    while True:
        status = fetch(cluster, name)
        line = one_line(status)
        if line != shown:
            print(f"[{name}] {line}", flush=True)
            shown = line
        if status.get("phase") == "Finished":
            return status
        time.sleep(1)


def fetch(cluster: Cluster, name: str) -> Object:
    """The LoadTest's status now."""
    command = ["kubectl", "-n", NAMESPACE, "get", "loadtest", name, "-o", "json"]
    found: Object = json.loads(output(command, environment=environment(cluster)))
    return found.get("status") or {"phase": "Pending"}


def one_line(status: Object) -> str:
    """Phase, stage, progress, and what is measured so far."""
    run = status.get("run", {})
    requests = status.get("summary", {}).get("requests", {})
    parts = [
        status.get("phase", "Pending"),
        run.get("currentStage", ""),
        f"{run['progressPercent']} %" if "progressPercent" in run else "",
        f"{requests.get('succeeded', 0)} ok, {requests.get('failed', 0)} failed" if requests else "",
        replicas(status),
        status.get("verdict", ""),
        status.get("message", ""),
    ]
    return " · ".join(part for part in parts if part)


def replicas(status: Object) -> str:
    """How many replicas the target has and had."""
    found = status.get("scaling", {}).get("replicas")
    return f"{found.get('current', found.get('final', '?'))} replicas (peak {found['peak']})" if found else ""


def progress(name: str, status: Object) -> Group:
    """The live picture."""
    done = status.get("run", {}).get("progressPercent", 0)
    return Group(Text(f"LoadTest {name}: {one_line(status)}"), ProgressBar(total=100, completed=done), stages(status))


def final(status: Object) -> Group:
    """Verdict with its evidence."""
    verdict = Text(f"\n{status['verdict']}: {status['message']}\n", style=f"bold {COLOURS[status['verdict']]}")
    return Group(verdict, stages(status), thresholds(status), scaling(status))


def stages(status: Object) -> Table:
    """One row per stage; latencies in milliseconds, merged over all workers."""
    table = Table(
        "stage", "requests/s", "errors", "TTFT p50", "p90", "response p50", "p90", title="merged from all workers"
    )
    for stage in status.get("summary", {}).get("stages", []):
        ttft, response = stage.get("ttftMilliseconds", {}), stage.get("responseTimeMilliseconds", {})
        cells = [stage["name"], stage.get("requestsPerSecond"), stage.get("errorPercent")]
        cells += [ttft.get("p50"), ttft.get("p90"), response.get("p50"), response.get("p90")]
        table.add_row(*(str("" if cell is None else cell) for cell in cells))
    return table


def thresholds(status: Object) -> Table:
    """Every threshold and expectation with what was seen."""
    table = Table("threshold or expectation", "result", "observed", "wanted")
    for found in status.get("thresholds", []) + status.get("scaling", {}).get("expectations", []):
        style = COLOURS.get(found["result"], "yellow")
        table.add_row(
            found["name"], Text(found["result"], style=style), found.get("observed", ""), found.get("wanted", "")
        )
    return table


def scaling(status: Object) -> Table:
    """The scale-ups, decomposed: seconds since the load step."""
    table = Table("scale-up", "load step", "decided", "pod scheduled", "pod ready", "serving", title="autoscaler")
    for found in status.get("scaling", {}).get("scaleUps", []):
        steps = ["decided", "podScheduled", "podReady", "serving"]
        seconds = [f"+{found['seconds'][step]} s" if found.get("seconds", {}).get(step) else "" for step in steps]
        table.add_row(
            f"{found['fromReplicas']} → {found['toReplicas']}", found.get("loadStepTime", "")[11:19], *seconds
        )
    return table


WHERE_NEXT = """
Where to look next:
  export KUBECONFIG={kubeconfig}
  kubectl -n {namespace} get loadtests                      # all runs, with their verdicts
  kubectl -n {namespace} describe loadtest {name}           # conditions, evidence, events
  kubectl -n {namespace} get loadtest {name} -o yaml        # the whole status
  kubectl -n {namespace} apply -f deploy/samples/too-strict.yaml    # one that fails, and says why
"""
