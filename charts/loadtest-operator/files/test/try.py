"""`helm test`: is loaded by a LoadTest, and waits for its verdict. Runs in a pod of the operator's image; nothing but Python."""

import json
import os
import ssl
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PORT, SECONDS = 8000, 150


class Target(BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Two bytes."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Silence."""


def status(path: str) -> dict[str, object]:
    """Of the LoadTest; empty while there is none, or while the API server does not answer."""
    host = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    token = (ACCOUNT / "token").read_text()
    asked = urllib.request.Request(f"{host}{path}", headers={"Authorization": f"Bearer {token}"})
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(asked, context=trusted, timeout=10) as answer:
            return dict(json.load(answer).get("status") or {})
    except OSError as error:
        print(error, flush=True)
        return {}


def main(path: str) -> int:
    """0 for Passed."""
    Thread(target=ThreadingHTTPServer(("", PORT), Target).serve_forever, daemon=True).start()
    deadline, said = time.monotonic() + SECONDS, None
    while time.monotonic() < deadline:
        found = status(path)
        if (now := (found.get("phase"), found.get("message"))) != said:
            said = now
            print(*(word or "-" for word in now), flush=True)
        if found.get("phase") == "Finished":
            print(f"verdict: {found['verdict']}", flush=True)
            return found["verdict"] != "Passed"
        time.sleep(1)
    print(f"no verdict within {SECONDS} s: does the operator run, and does it watch this namespace?", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
