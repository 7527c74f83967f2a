"""A small real language model behind an OpenAI-compatible API: llama.cpp's own server, started from Python.

Knows how to turn flags (or their environment variables) into llama.cpp's settings and how to leave without cutting
answers short. Serves /v1/chat/completions (streaming too), /health and /metrics.
"""

import argparse
import os
import re
import signal
import threading
import time
import urllib.request

import xllamacpp

BUSY = re.compile(r"^llamacpp:requests_(?:processing|deferred) (\d+)", re.MULTILINE)


def main() -> None:
    options = parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = xllamacpp.Server(parameters(options))
    print(f"serving {options.model} at {server.listening_address}", flush=True)
    stop.wait()
    drain(options.port, options.drain_seconds)
    print("stopped", flush=True)
    os._exit(0)  # llama.cpp's threads have nothing to save; joining them may wait for an idle connection


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _flag(root, "model", "/models/model.gguf", "the weights (GGUF)")
    _flag(root, "host", "0.0.0.0", "address to listen on")  # noqa: S104 - a container's server
    _flag(root, "port", 8080, "port to listen on")
    _flag(root, "threads", 1, "threads that compute")
    _flag(root, "parallel", 4, "answers generated at the same time; more wait in a queue")
    _flag(root, "context", 4096, "tokens of context, shared by the parallel answers")
    _flag(root, "alias", "smollm2-135m", "the model's name in answers")
    _flag(root, "drain-seconds", 20.0, "time to finish answers after SIGTERM")
    return root


def _flag(root: argparse.ArgumentParser, name: str, default: str | float, text: str) -> None:
    variable = f"LLM_{name.replace('-', '_').upper()}"
    value = type(default)(os.environ.get(variable, default))
    explained = f"{text} (also {variable}; default {default})"
    root.add_argument(f"--{name}", type=type(default), default=value, help=explained)


def parameters(options: argparse.Namespace) -> xllamacpp.CommonParams:
    wanted = xllamacpp.CommonParams()
    wanted.model.path = options.model
    wanted.model_alias = {options.alias}
    wanted.hostnames, wanted.port = [options.host], options.port
    wanted.n_ctx, wanted.n_parallel = options.context, options.parallel
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = options.threads
    wanted.cpuparams.poll = wanted.cpuparams_batch.poll = 0  # waiting busily would use up the CPU limit
    wanted.cache_ram_mib = 0  # the cache of old prompts would grow beyond the memory limit
    wanted.endpoint_metrics = True
    wanted.ui = False
    return wanted


def drain(port: int, seconds: float) -> None:
    """A pod that is told to stop still gets requests for a moment, until every node knows."""
    deadline = time.monotonic() + seconds
    time.sleep(min(2.0, seconds))
    while time.monotonic() < deadline and busy(port):
        time.sleep(0.2)


def busy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return any(int(count) for count in BUSY.findall(answer.read().decode()))
    except OSError:
        return False


if __name__ == "__main__":
    main()
