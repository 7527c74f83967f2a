"""The bytes of the simulator's answers: HTTP framing, OpenAI's JSON, vLLM's metric names. No state, no sockets."""

import json
import time
from dataclasses import dataclass

from engine import Engine

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"e\r\ndata: [DONE]\n\n\r\n"
STAMP_WIDTH = 20


def plain(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole answer with a length."""
    extra = "Retry-After: 1\r\n" if status in {429, 503} else ""
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type: {content_type}\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def as_json(status: int, value: object) -> bytes:
    return plain(status, json.dumps(value, separators=(",", ":")).encode())


def error(status: int, message: str) -> bytes:
    """OpenAI's error object."""
    return as_json(status, {"error": error_object(status, message)})


def error_object(status: int, message: str) -> dict[str, object]:
    return {"message": message, "type": "simulated", "param": None, "code": status}


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    """One server-sent event in a chunk of its own."""
    return chunk(b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one answer has in common in all its events."""

    number: int
    model: str
    chat: bool
    tokens_per_event: int
    stamped: bool

    def head(self, *, streamed: bool) -> dict[str, object]:
        kind = "chat.completion" if self.chat else "text_completion"
        kind += ".chunk" if self.chat and streamed else ""
        name = f"{'chatcmpl' if self.chat else 'cmpl'}-{self.number:08d}"
        return {"id": name, "object": kind, "created": int(time.time()), "model": self.model}

    def text(self) -> str:
        return "0" * STAMP_WIDTH if self.stamped else " token" * self.tokens_per_event

    def delta(self, content: str | None, finish: str | None = None, role: str | None = None) -> bytes:
        """One event with one choice."""
        if self.chat:
            delta = {"role": role, "content": content}
            choice: dict[str, object] = {"delta": {key: value for key, value in delta.items() if value is not None}}
        else:
            choice = {"text": content or ""}
        choice |= {"index": 0, "logprobs": None, "finish_reason": finish}
        return event(self.head(streamed=True) | {"choices": [choice]})

    def begin(self) -> bytes:
        """Response head and, as vLLM and llama.cpp do for chats, an event with a role and no output."""
        return STREAM_HEAD + (self.delta("", role="assistant") if self.chat else b"")

    def template(self) -> tuple[bytes, bytes]:
        """What stands before and after the text in each output event; the text's length never changes."""
        before, after = self.delta(self.text()).split(self.text().encode())
        return before, after

    def end(self, usage: dict[str, int] | None) -> bytes:
        """Finish reason, usage where it was asked for, [DONE]."""
        counted = event(self.head(streamed=True) | {"choices": [], "usage": usage}) if usage else b""
        return self.delta(None, "length") + counted + DONE + LAST_CHUNK

    def whole(self, events: int, usage: dict[str, int]) -> bytes:
        """The answer to a request that does not stream."""
        text = self.text() * events
        choice: dict[str, object] = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        choice |= {"index": 0, "logprobs": None, "finish_reason": "length"}
        return as_json(200, self.head(streamed=False) | {"choices": [choice], "usage": usage})


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def models(name: str) -> bytes:
    """GET /v1/models."""
    return as_json(200, {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "loadtest"}]})


def metrics(engine: Engine) -> bytes:
    """GET /metrics with vLLM's names."""
    label = f'{{model_name="{engine.profile.model}"}}'
    rows = [
        ("gauge", "num_requests_running", len(engine.active)),
        ("gauge", "num_requests_waiting", engine.waiting),
        ("counter", "prompt_tokens_total", engine.gauges.prompt_tokens),
        ("counter", "generation_tokens_total", engine.gauges.generation_tokens),
        ("counter", "request_success_total", engine.gauges.outcomes.get("ok", 0)),
    ]
    text = "".join(f"# TYPE vllm:{name} {kind}\nvllm:{name}{label} {value}\n" for kind, name, value in rows)
    return plain(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")
