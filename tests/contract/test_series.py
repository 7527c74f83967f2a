"""The names, types, units and labels of all series hold Prometheus' conventions, and their page is current."""

import json
import re
import subprocess

import pytest
import yaml

from contract import series
from contract.objects import ROOT
from contract.test_alerts import promtool

CHART = ROOT / "charts" / "loadtest-operator" / "files"
EVERY = series.every()
PAGES = {series.OPERATOR: lambda: series.operator().exposition(), series.WORKER: lambda: series.worker().text()}
NAMES = [f"{one.source}: {one.name}" for one in EVERY]


def test_the_page_is_current() -> None:
    assert series.PAGE.read_text() == series.page(), "PYTHONPATH=tests python -m contract.series"


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_a_name_holds_the_conventions(one: series.Series) -> None:
    """Prefix, snake case, a known base unit at the end, _total for counters alone, a meaning in words."""
    assert re.fullmatch(r"loadtest(_[a-z]+)+", one.name)
    assert one.name.endswith("_total") is (one.type == "counter")
    assert one.unit
    assert len(one.help.split()) > 1


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_every_label_is_bounded(one: series.Series) -> None:
    """A label that is in no table is one that nobody has thought of a bound for."""
    assert set(one.labels) <= series.LABELS.keys()


def test_a_name_has_one_type() -> None:
    """Prometheus keeps one type and one help for a name, whoever tells it."""
    types = {(one.name, one.type) for one in EVERY}
    assert len(types) == len({name for name, _ in types})


@pytest.mark.parametrize("source", PAGES)
def test_promtool_has_nothing_to_say(source: str) -> None:
    """Against the text that is really served."""
    text = PAGES[source]()
    done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b""), done


def known() -> set[str]:
    """Every name that a query may use."""
    names = {one.name for one in EVERY}
    return names | {
        f"{one.name}_{part}" for one in EVERY for part in ("bucket", "sum", "count") if one.type == "histogram"
    }


def queries() -> list[str]:
    """Of the chart's dashboards and rules."""
    found = []
    for path in sorted(CHART.glob("dashboards/*.json")):
        found += re.findall(
            r'"(?:expr|query|definition)": "((?:[^"\\]|\\.)*)"', json.dumps(json.loads(path.read_text()))
        )
    for path in sorted(CHART.glob("rules/*.yaml")):
        found += [rule["expr"] for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    return found


def test_dashboards_and_alerts_only_ask_for_what_there_is() -> None:
    """A query for a series that nobody serves is empty for ever, and an alert on it never fires."""
    asked = {name for query in queries() for name in re.findall(r"\bloadtest(?:_[a-z]+)+\b", query)}
    assert asked
    assert asked - known() == set()
