"""A target behind TLS that lets in who has the key, and is indiscreet: it answers with the head of every request.

POST takes a chat completion and remembers its prompt. GET /heard tells how many requests had the key and which prompts
came. Runs in a pod, with nothing but Python: `guarded_target.py CERTIFICATE KEY AUTHORIZATION`.
"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

PROMPTS: list[str] = []
LOCK = Lock()
PORT = 8443


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        """Readiness, and what was heard."""
        self._answer(200, json.dumps(PROMPTS).encode() if self.path == "/heard" else b"ok")

    def do_POST(self) -> None:
        """A completion for who has the key; a refusal that repeats what was sent for everybody else."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        echo = str(self.headers)
        if self.headers.get("Authorization") != sys.argv[3] or self.path == "/indiscreet":
            self._answer(403, echo.encode())
            return
        with LOCK:
            PROMPTS.append(json.loads(body)["messages"][0]["content"])
        answer = {"choices": [{"message": {"role": "assistant", "content": echo}}], "usage": {"completion_tokens": 1}}
        self._answer(200, json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    """A handshake that fails is the client's affair."""

    def handle_error(self, *_: object) -> None:
        """Silence."""


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = Server(("", PORT), Handler)
    # The handshake belongs to the connection's thread: one that hangs must not stop the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
