"""Runs in the real servers' own virtual environment: a Gradio app with an answer at once, one in pieces, and none.

Functions 0 to 2 have names in its API, 3 to 5 are the same three without one, nor has 6, which sends every piece twice.

python gradio_app.py PORT
"""

import sys
import time
from collections.abc import Iterator

import gradio

PIECES = 5
PAUSE_SECONDS = 0.1


def shout(text: str) -> str:
    """The whole answer at once."""
    return text.upper()


def spell(text: str) -> Iterator[str]:
    """The answer in pieces, each longer than the one before, as Gradio's streams are."""
    for piece in range(1, PIECES + 1):
        time.sleep(PAUSE_SECONDS)
        yield (text + " ") * piece


def fail(text: str) -> str:
    """No answer."""
    raise gradio.Error(f"cannot answer {text}")


def repeat(text: str) -> Iterator[str]:
    """Every piece of the answer twice."""
    for piece in spell(text):
        yield piece
        yield piece


def main() -> None:
    with gradio.Blocks(analytics_enabled=False) as app:
        prompt, answer = gradio.Textbox(), gradio.Textbox()
        for function in (shout, spell, fail):
            gradio.Button().click(function, prompt, answer, api_name=function.__name__, concurrency_limit=16)
        for function in (shout, spell, fail, repeat):
            gradio.Button().click(function, prompt, answer, api_name=False, concurrency_limit=16)
    app.queue(max_size=1000)
    app.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), prevent_thread_lock=True, quiet=True)
    print("listening", flush=True)
    app.block_thread()


if __name__ == "__main__":
    main()
