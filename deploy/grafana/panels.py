"""The parts of a dashboard, as Grafana's JSON has them: queries, panels in rows, variables, regions.

Knows Grafana's model, nothing of load tests. `$datasource` is a variable of every dashboard, so no data source is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

SCHEMA = 39
"""Grafana 10.4 and later; newer ones migrate it when they read it."""
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One series or several, with what the legend calls each."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Panel:
    """What it shows, in one sentence that also says how to read it."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    type: str = "timeseries"
    options: Object = field(default_factory=dict)
    custom: Object = field(default_factory=dict)
    limits: Object = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """Panels of one height beside each other, each as wide as the others."""

    height: int
    panels: Sequence[Panel]


def lines(title: str, description: str, unit: str, *queries: Query, **limits: Any) -> Panel:
    """Over time, with mean and maximum in the legend."""
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max"]}
    options = {"legend": legend, "tooltip": {"mode": "multi"}}
    return Panel(title, description, queries, unit, options=options, custom={"fillOpacity": 8}, limits=limits)


def steps(title: str, description: str, unit: str, *queries: Query, **limits: Any) -> Panel:
    """Over time, where a value holds until the next one."""
    custom = {"lineInterpolation": "stepAfter", "fillOpacity": 8}
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return Panel(title, description, queries, unit, options=options, custom=custom, limits=limits)


def number(title: str, description: str, unit: str, query: Query, *, name: bool = False, **limits: Any) -> Panel:
    """The newest value, or the name of the series that has one."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "textMode": "name" if name else "value",
    }
    return Panel(title, description, [query], unit, "stat", options, limits=limits)


def bars(title: str, description: str, unit: str, *queries: Query, **limits: Any) -> Panel:
    """The newest value of each series, beside each other."""
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "basic"}
    return Panel(title, description, queries, unit, "bargauge", options, limits=limits)


def states(title: str, description: str, *queries: Query) -> Panel:
    """Which series were there when."""
    options = {"showValue": "never", "legend": {"showLegend": False}, "rowHeight": 0.8}
    return Panel(title, description, queries, "short", "state-timeline", options)


def chosen(name: str, query: str, *, several: bool = False) -> Object:
    """A variable that is filled from the series that there are."""
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 4,
        "multi": several,
        "includeAll": several,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if several else {}),
    }


def regions(name: str, expr: str, text: str, colour: str) -> Object:
    """Shaded while the query has a value."""
    return {
        "name": name, "datasource": SOURCE, "enable": True, "expr": expr, "iconColor": colour, "titleFormat": text, "step": "2s",
    }  # fmt: skip


def board(
    uid: str,
    title: str,
    rows: Sequence[Row],
    variables: Sequence[Object],
    *,
    since: str,
    annotations: Sequence[Object] = (),
) -> Object:
    """The whole dashboard. The uid is its address: it stays."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return {
        "title": title,
        "uid": uid,
        "tags": ["loadtest"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "5s" if since == "now-15m" else "1m",
        "time": {"from": since, "to": "now"},
        "graphTooltip": 1,
        "templating": {"list": [source, *variables]},
        "annotations": {"list": list(annotations)},
        "links": [
            {"type": "dashboards", "tags": ["loadtest"], "title": "Load tests", "asDropdown": True, "includeVars": True}
        ],
        "panels": _placed(rows),
    }


def _placed(rows: Sequence[Row]) -> list[Object]:
    panels: list[Object] = []
    top = 0
    for row in rows:
        width = COLUMNS // len(row.panels)
        for place, panel in enumerate(row.panels):
            at = {"h": row.height, "w": width, "x": place * width, "y": top}
            panels.append(_panel(len(panels) + 1, panel, at))
        top += row.height
    return panels


def _panel(number: int, panel: Panel, at: Object) -> Object:
    return {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": panel.type,
        "datasource": SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": panel.custom, **panel.limits}, "overrides": []},
        "options": panel.options,
        "targets": [_target(place, query) for place, query in enumerate(panel.queries)],
    }


def _target(place: int, query: Query) -> Object:
    return {
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "refId": chr(ord("A") + place),
        **({"instant": True, "range": False} if query.instant else {}),
    }
