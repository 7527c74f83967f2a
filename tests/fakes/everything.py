"""One server that answers whatever a plan may ask, rightly and at once: chats, completions, Gradio's functions, pages."""

import asyncio
import json

from fakes.bad import DELTA, DONE, STREAM_HEAD, body, chunk, letter

TEXT = b'data: {"choices":[{"index":0,"text":"word"}]}\n\n'
JOINED = body(b'{"event_id":"e1"}')
CALLED = b'event: generating\ndata: ["word"]\n\n', b'event: complete\ndata: ["word"]\n\n'
MESSAGES = (
    b'data: {"msg":"process_generating","output":{"data":["word"]},"success":true}\n\n',
    b'data: {"msg":"process_completed","output":{"data":["word"]},"success":true}\n\n',
)
ANSWERS: tuple[tuple[bytes, bytes], ...] = (
    (b"POST /v1/chat/completions ", body(b'{"choices":[{"message":{"content":"word"},"finish_reason":"stop"}]}')),
    (b"POST /v1/completions ", body(b'{"choices":[{"text":"word","finish_reason":"stop"}]}')),
    (b"POST /v1/embeddings ", body(b'{"data":[{"index":0,"embedding":[0.25,-0.5]}]}')),
    (b"GET /gradio_api/call/", STREAM_HEAD + b"".join(map(chunk, (*CALLED, b"")))),
    (b"POST /gradio_api/call/", JOINED),
    (b"POST /gradio_api/queue/join ", JOINED),
    (b"GET /gradio_api/queue/data?", STREAM_HEAD + b"".join(map(chunk, (*MESSAGES, b"")))),
    (b"POST /run/", body(b'{"data":["word"]}')),
    (b"POST /v1/no-such-path ", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found"),
)
"""By the beginning of a request; anything else is a page that holds all that a plan may look for."""
PAGE = body(b'{"status": "ok", "state": "ready"}')
STREAMED = {
    b"POST /v1/chat/completions ": STREAM_HEAD + b"".join(map(chunk, (DELTA, DELTA, DONE, b""))),
    b"POST /v1/completions ": STREAM_HEAD + b"".join(map(chunk, (TEXT, TEXT, DONE, b""))),
}


async def everything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The handler."""
    while True:
        head, asked = await letter(reader)
        writer.write(answer(head, asked))
        await writer.drain()


def answer(head: bytes, asked: bytes) -> bytes:
    """What is right for a request."""
    beginning = next((one for one, _ in ANSWERS if head.startswith(one)), b"")
    if beginning in STREAMED and json.loads(asked).get("stream"):
        return STREAMED[beginning]
    return dict(ANSWERS).get(beginning, PAGE)
