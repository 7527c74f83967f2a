"""An inference server without a model: OpenAI's protocol at a pace, with a queue and with failures that you choose.

    python simulator.py --ttft-ms 120 --tpot-ms 20 --tokens 64 --slots 8

Chat and text completions, streamed or not, `usage`, GET /health (plain load), /ready (for probes), /v1/models,
/metrics with vLLM's names. What it did to each request is at GET /truth (DELETE forgets), POST /stall?seconds=2
freezes it; with --stamp every event's text is the CLOCK_MONOTONIC nanosecond of its sending.
For measuring load generators, and for demos that need a known truth. It says nothing about a real model.
"""

import argparse
import asyncio
import dataclasses
import gc
import resource
import signal
import socket
from collections.abc import Sequence

import uvloop
from engine import Engine, Profile
from server import App, Connection
from ticker import Ticker

HELP = {
    "ttft_ms": "from getting a slot to the first token",
    "tpot_ms": "between tokens; 0: as fast as possible",
    "tokens": "tokens of an answer; a request's max_tokens can only lower it",
    "tokens_per_event": "tokens that come in one event",
    "jitter": "share of a step, 0 to 1, that events move around their place",
    "slots": "completions decoding at a time; others wait in a queue",
    "saturation": "above so many active completions the pace falls in proportion; 0: never",
    "plain_ms": "response time of GET / and GET /health",
    "fail_percent": "share of load requests refused with --fail-status",
    "fail_status": "status of refused requests",
    "error_event_percent": "share of completions that end in an error event (not streamed: status 500)",
    "truncate_percent": "share of completions that end without a terminal event",
    "stall_at": "seconds after the first load request at which the whole server freezes once",
    "stall_seconds": "length of that freeze",
    "stamp": "make each event's text its send time, CLOCK_MONOTONIC in nanoseconds",
    "seed": "seed of everything random",
    "model": "name of the model",
}


def parse(arguments: Sequence[str] | None = None) -> tuple[argparse.Namespace, Profile]:
    """Command line → where to listen, how to behave."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any free one")
    for item in dataclasses.fields(Profile):
        _add_flag(parser, item)
    options = parser.parse_args(arguments)
    values = {item.name: getattr(options, item.name) for item in dataclasses.fields(Profile)}
    return options, Profile(**values)


def _add_flag(parser: argparse.ArgumentParser, item: "dataclasses.Field[object]") -> None:
    flag = "--" + item.name.replace("_", "-")
    text = f"{HELP[item.name]} (default {item.default})"
    if item.type is bool:
        parser.add_argument(flag, action="store_true", help=text)
    else:
        kind = float if item.default is None else type(item.default)
        parser.add_argument(flag, type=kind, default=item.default, help=text)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket with room for a burst of ten thousand connections."""
    listener = socket.create_server((host, port), backlog=16384, reuse_port=False)
    listener.setblocking(False)
    return listener


def raise_file_limit() -> None:
    """As many open connections as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(listener: socket.socket, profile: Profile) -> None:
    """Until SIGTERM or SIGINT."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ticker = Ticker(loop)
    app = App(Engine(profile, ticker), ticker)
    server = await loop.create_server(lambda: Connection(app), sock=listener, backlog=16384)
    print(f"listening on http://{listener.getsockname()[0]}:{listener.getsockname()[1]}", flush=True)
    gc.freeze()
    await stop.wait()
    server.close()


def main() -> None:
    options, profile = parse()
    raise_file_limit()
    listener = listen(options.host, options.port)
    uvloop.run(serve(listener, profile))


if __name__ == "__main__":
    main()
