"""The dashboards are what their generator makes, ask Prometheus for what there is, and fit Grafana's model and the chart."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.objects import ROOT, Object
from contract.test_alerts import promtool
from contract.test_series import EVERY, known

FOLDER = ROOT / "charts" / "loadtest-operator" / "files" / "dashboards"
BOARDS: dict[str, Object] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
LARGEST_CONFIG_MAP = 1024 * 1024


def expressions(board: Object) -> Iterator[tuple[str, str]]:
    """Every query with the title of what asks it."""
    for panel in board["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((each["name"], each["expr"]) for each in board["annotations"]["list"])


EXPRESSIONS = [(name, title, expr) for name, board in BOARDS.items() for title, expr in expressions(board)]
NAMES = [f"{name}: {title}: {place}" for place, (name, title, _) in enumerate(EXPRESSIONS)]


def filled(expr: str) -> str:
    """As Grafana sends it."""
    for variable, value in (("__rate_interval", "1m"), ("__range", "1h"), ("__interval", "5s")):
        expr = expr.replace(f"${variable}", value)
    return re.sub(r"\$(namespace|loadtest|run)\b", "x", expr)


def test_there_are_four() -> None:
    assert BOARDS.keys() == {"run", "capacity", "autoscaling", "operator"}


def test_they_are_what_the_generator_makes() -> None:
    command = [sys.executable, str(ROOT / "deploy" / "grafana"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"query:{place}", "expr": filled(expr)} for place, (_, _, expr) in enumerate(EXPRESSIONS)]
    assert not [rule for rule in rules if "$" in rule["expr"]], "a variable that no dashboard has"
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "title", "expr"), EXPRESSIONS, ids=NAMES)
def test_a_query_asks_for_series_and_labels_that_there_are(name: str, title: str, expr: str) -> None:
    asked = re.findall(r"\b(loadtest(?:_[a-z]+)+)(?:\{([^}]*)\})?", expr)
    assert asked
    for series, selector in asked:
        assert series in known(), title
        (one,) = [one for one in EVERY if series in (one.name, *(f"{one.name}_{part}" for part in ("bucket", "count")))]
        assert set(re.findall(r'([a-z_]+)=~?"', selector)) <= {*one.labels, "le"}, title


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_variable_is_declared_and_no_data_source_is_named(board: Object) -> None:
    declared = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board)))
    assert used - {"__rate_interval"} <= declared
    assert {source["uid"] for source in _sources(board)} == {"${datasource}"}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_panels_do_not_overlap_and_say_what_they_show(board: Object) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        assert panel["description"].endswith("."), panel["title"]
        taken |= cells


def test_addresses_are_unique_and_all_fit_one_config_map() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) < LARGEST_CONFIG_MAP / 2


def _sources(node: Any) -> Iterator[Object]:
    if isinstance(node, dict):
        if "uid" in node and node.get("type") == "prometheus":
            yield node
        for value in node.values():
            yield from _sources(value)
    if isinstance(node, list):
        for value in node:
            yield from _sources(value)
