"""A target that tells the truth: it answers every GET at once and counts who asked for what.

GET /counts gives {path: {client address: requests}}, GET /leads-on leads to /followed.
Runs in a pod, from a ConfigMap, with nothing but Python.
"""

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

COUNTS: Counter[tuple[str, str]] = Counter()
LOCK = Lock()
PORT = 8000


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Headers and body leave in one segment."""

    def do_GET(self) -> None:
        """Count it, answer it."""
        body = counts() if self.path == "/counts" else b"ok\n"
        leads_on = self.path == "/leads-on"
        if self.path not in ("/counts", "/ready"):
            with LOCK:
                COUNTS[self.path, self.client_address[0]] += 1
        self.send_response(307 if leads_on else 200)
        if leads_on:
            self.send_header("Location", "http://target:8000/followed")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


def counts() -> bytes:
    """Requests by path and client, as JSON."""
    found: dict[str, dict[str, int]] = {}
    with LOCK:
        for (path, client), number in COUNTS.items():
            found.setdefault(path, {})[client] = number
    return json.dumps(found).encode()


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
