"""A client of the API server and of the components' health pages, as small as the standard library allows."""

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localcluster import layout
from localcluster.components import Component
from localcluster.errors import Refusal
from localcluster.layout import Layout
from localcluster.manifests import path

TIMEOUT = 5.0
Object = dict[str, Any]


class Client:
    def __init__(self, at: Layout) -> None:
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE  # some components sign their own certificate; all are on this machine
        self._tls.load_cert_chain(at.pki / "admin.crt", at.pki / "admin.key")

    def ready(self, component: Component) -> bool:
        url = component.ready
        try:
            if url.startswith("http"):
                return self._answers(url)
            _connect(url)
        except (OSError, ssl.SSLError):
            return False
        return True

    def _answers(self, url: str) -> bool:
        tls = self._tls if url.startswith("https") else None
        with urllib.request.urlopen(url, timeout=TIMEOUT, context=tls) as answer:
            return bool(answer.status == 200)

    def get(self, where: str) -> Object:
        """The object, or nothing when it is not there or the API server is not."""
        try:
            return self._call("GET", where)
        except (OSError, ssl.SSLError):
            return {}

    def apply(self, thing: Object) -> None:
        where = f"{path(thing)}?fieldManager=localcluster&force=true"
        self._call("PATCH", where, thing, "application/apply-patch+yaml")

    def merge(self, where: str, change: Object) -> None:
        self._call("PATCH", where, change, "application/merge-patch+json")

    def _call(self, method: str, where: str, body: Object | None = None, kind: str = "application/json") -> Object:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(layout.API_URL + where, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._tls) as answer:
            found: Object = json.loads(answer.read())
            return found


def _connect(where: str) -> None:
    parts = urlsplit(where)
    if parts.scheme == "tcp":
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), TIMEOUT).close()
        return
    if Path(where).is_file():
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(where)


def wait(what: str, condition: Callable[[], bool], seconds: float, hint: str) -> None:
    """Returns when the condition holds; a Refusal that says where to look when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Refusal(f"{what} did not happen within {seconds:.0f} s; {hint}")
        time.sleep(0.1)
