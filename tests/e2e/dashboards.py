"""What a Grafana beside the local cluster's Prometheus would show: every query of the chart's dashboards, asked for real."""

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Sequence

from cluster import ROOT

FOLDER = ROOT / "charts" / "loadtest-operator" / "files" / "dashboards"
PROMETHEUS = "http://198.18.0.1:9090"
"""deploy/localcluster: the node's address."""
STEP_SECONDS = 5


def expressions() -> list[tuple[str, str]]:
    """Each with where it is asked."""
    boards = [(path.stem, json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))]
    panels = [(name, panel["title"], panel["targets"]) for name, board in boards for panel in board["panels"]]
    regions = [(name, each["name"], [each]) for name, board in boards for each in board["annotations"]["list"]]
    return [(f"{name}: {title}", target["expr"]) for name, title, targets in panels + regions for target in targets]


def empty(namespace: str, names: Sequence[str], begin: float, end: float) -> list[str]:
    """Queries that have no value for any of these LoadTests, between two moments in seconds since 1970."""
    return [
        f"{where}: {expr}"
        for where, expr in expressions()
        if not any(_has_values(_filled(expr, namespace, name), begin, end) for name in names)
    ]


def _filled(expr: str, namespace: str, name: str) -> str:
    """As Grafana would send it with these chosen."""
    values = {"$namespace": namespace, "$loadtest": name, "$run": ".*", "$__rate_interval": "15s"}
    for variable, value in values.items():
        expr = expr.replace(variable, value)
    return expr


def _has_values(expr: str, begin: float, end: float) -> bool:
    asked = urllib.parse.urlencode({"query": expr, "start": begin, "end": end, "step": STEP_SECONDS})
    way = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with way.open(f"{PROMETHEUS}/api/v1/query_range?{asked}", timeout=20) as answer:
        found = json.load(answer)["data"]["result"]
    return any(not math.isnan(float(value)) for series in found for _, value in series["values"])
