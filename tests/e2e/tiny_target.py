"""A target that tells the truth: it answers every GET at once and counts who asked for what, and when.

GET /counts gives {path: {client address: requests}}, GET /times the first and the last of them, in seconds since the epoch:
{path: {client address: [first, last]}}; GET /leads-on leads to /followed. Runs in a pod, from a ConfigMap, with nothing but Python.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

COUNTS: Counter[tuple[str, str]] = Counter()
TIMES: dict[tuple[str, str], list[float]] = {}
LOCK = Lock()
PORT = 8000


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Headers and body leave in one segment."""

    def do_GET(self) -> None:
        """Count it, answer it."""
        body = ASKED[self.path]() if self.path in ASKED else b"ok\n"
        leads_on = self.path == "/leads-on"
        if self.path not in (*ASKED, "/ready"):
            note((self.path, self.client_address[0]), time.time())
        self.send_response(307 if leads_on else 200)
        if leads_on:
            self.send_header("Location", "http://target:8000/followed")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


def note(who: tuple[str, str], now: float) -> None:
    """One more request."""
    with LOCK:
        COUNTS[who] += 1
        TIMES.setdefault(who, [now, now])[1] = now


def counts() -> bytes:
    """Requests by path and client, as JSON."""
    return _by_path(COUNTS)


def times() -> bytes:
    """When the first and the last came, by path and client, as JSON."""
    return _by_path(TIMES)


def _by_path(known: Mapping[tuple[str, str], object]) -> bytes:
    found: dict[str, dict[str, object]] = {}
    with LOCK:
        for (path, client), value in known.items():
            found.setdefault(path, {})[client] = value
        return json.dumps(found).encode()


ASKED = {"/counts": counts, "/times": times}


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
