"""A metrics API with planned values: custom (Pods, Object) and external metrics. It notes when it was asked for what."""

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from recordings.objects import GROUPS
from recordings.scenarios import Object, Plan

Note = Callable[[str, Any], None]
"""Told the metric and what was answered: a quantity, quantities by pod, or nothing where it answered with an error."""


class Source:
    """Answers for one recording at a time; `start` is the first second of the plans."""

    def __init__(self, plans: dict[str, Plan], second: Callable[[], float], note: Note) -> None:
        self.plans = plans
        self.second = second
        self.note = note
        self.pods: dict[str, list[str]] = {}
        """By the metric: the pods that it is about, from the oldest on."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/apis/{group}/{version}", self._resources)
        space = "/apis/{group}/{version}/namespaces/{namespace}"
        app.router.add_get(space + "/{metric}", self._external)
        app.router.add_get(space + "/{kind}/{name}/{metric}", self._custom)
        return app

    def planned(self, metric: str) -> Any:
        if metric not in self.plans:  # somebody else's question
            raise web.HTTPNotFound
        now = self.second()
        return next((value for since, value in reversed(self.plans[metric]) if since <= now), None)

    async def _resources(self, request: web.Request) -> web.Response:
        group, version = request.match_info["group"], request.match_info["version"]
        if GROUPS.get(group) != version:
            raise web.HTTPNotFound
        return web.json_response(
            {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": []}
        )

    async def _external(self, request: web.Request) -> web.Response:
        metric = request.match_info["metric"]
        value = self.planned(metric)
        self.note(metric, value)
        if value is None:
            raise web.HTTPInternalServerError
        item = {"metricName": metric, "metricLabels": {}, "timestamp": _now(), "value": value}
        return _answer("external.metrics.k8s.io", "ExternalMetricValueList", [item] if value else [])

    async def _custom(self, request: web.Request) -> web.Response:
        asked = request.match_info
        metric, value = asked["metric"], self.planned(asked["metric"])
        if asked["kind"] != "pods":
            self.note(metric, value)
            return _answer("custom.metrics.k8s.io", "MetricValueList", [_item(asked, "Service", "front", value)])
        of_pods = {pod: value.get(str(place), value.get("*")) for place, pod in enumerate(self.pods.get(metric, ()))}
        of_pods = {pod: found for pod, found in of_pods.items() if found is not None}
        self.note(metric, of_pods)
        items = [_item(asked, "Pod", pod, found) for pod, found in of_pods.items()]
        return _answer("custom.metrics.k8s.io", "MetricValueList", items)


async def serve(source: Source, address: str, port: int, folder: Path) -> web.AppRunner:
    """With a certificate of its own making, which lasts a day."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*await asyncio.to_thread(_certificate, folder))
    runner = web.AppRunner(source.app())
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=context).start()
    return runner


def _certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=planned"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)
    return certificate, key


def _item(asked: Any, kind: str, name: str, value: str) -> Object:
    described = {"kind": kind, "apiVersion": "v1", "namespace": asked["namespace"], "name": name}
    return {
        "describedObject": described, "metric": {"name": asked["metric"], "selector": None}, "timestamp": _now(),
        "value": value,
    }  # fmt: skip


def _answer(group: str, kind: str, items: list[Object]) -> web.Response:
    return web.json_response({"kind": kind, "apiVersion": f"{group}/{GROUPS[group]}", "metadata": {}, "items": items})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
