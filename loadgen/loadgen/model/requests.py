"""What is sent: the kinds of requests, their prompts and what of an answer is right.

Rules between fields are validators here and, word for word where possible, CEL rules in the CRD.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from loadgen.model.base import Model, Number, require_exactly_one
from loadgen.model.prompts import Prompt, json_array, require_a_place
from loadgen.model.references import FromConfigMap
from loadgen.model.sendable import HeaderValue, Path, sendable_headers
from loadgen.model.serving import OpenAIEmbeddings

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=40)]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]
StatusCode = Annotated[int, Field(ge=100, le=599)]

API_NAME = r"^/?[A-Za-z0-9_.~-]+$"


class OpenAI(Model):
    """What requests of OpenAI's protocol have in common."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    """The model's name as the server knows it."""
    prompt: Prompt
    """What the model is asked: the user's message of a chat, the text to continue of a completion."""
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Upper bound of output tokens. Default: the server's."""
    temperature: Number | None = None
    """Sampling temperature. Default: the server's."""
    stream: bool = True
    """Stream the answer (server-sent events); needed for time to first token. Default true."""
    include_usage: bool = True
    """Ask for the number of output tokens at a stream's end (stream_options.include_usage). Without it tokens are the events
    counted; for servers that refuse the field. Default true."""
    path: Path
    """Path of the endpoint."""

    @property
    def streams(self) -> bool:
        """Whether answers come in pieces."""
        return self.stream

    @property
    def output_limit(self) -> int | None:
        """Upper bound of output tokens, under whichever name it is sent."""
        return self.max_tokens


class OpenAIChat(OpenAI):
    """A chat completion in OpenAI's protocol."""

    path: Path = "/v1/chat/completions"
    """Path of the endpoint. Default /v1/chat/completions."""
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """The newer name of maxTokens, reasoning included, for servers that refuse the older one. Set one of them. Default: the server's."""
    turns: Annotated[int, Field(ge=1, le=64)] = 1
    """Turns of a conversation: each is a request of its own that carries all that was said, with the model's own answers. Default 1."""

    @property
    def output_limit(self) -> int | None:
        """Upper bound of output tokens, under whichever name it is sent."""
        return self.max_tokens or self.max_completion_tokens

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("set maxTokens or maxCompletionTokens, not both: they are two names of one bound")
        return self

    @model_validator(mode="after")
    def _begins_with_one_message(self) -> Self:
        if self.turns > 1 and self.prompt.jsonl is not None:
            raise ValueError("turns does not go with prompt.jsonl: the prompt of every turn is a text or synthetic")
        return self


class OpenAICompletions(OpenAI):
    """A completion in OpenAI's older protocol: a prompt that the model continues."""

    path: Path = "/v1/completions"
    """Path of the endpoint. Default /v1/completions."""


class GradioProtocol(StrEnum):
    """How a function of a Gradio app is called."""

    QUEUE = "Queue"
    QUEUE_JOIN = "QueueJoin"
    PREDICT = "Predict"


class Gradio(Model):
    """A call of one function of a Gradio app, as its page "Use via API" shows it for curl, or as browsers do it."""

    api_name: Annotated[str, Field(pattern=API_NAME, min_length=1, max_length=128)] | None = None
    """The function's name in the app's API, such as predict (or /predict, as Gradio writes it). For protocols Queue and Predict."""
    fn_index: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """The function's number in the app: what its page sends as fn_index. For protocol QueueJoin."""
    data: Annotated[str, Field(min_length=2, max_length=32768)]
    """The function's inputs in their order: a JSON array as text, such as '["{prompt}", 0.7, true]'; '[]' for none."""
    prompt: Prompt | None = None
    """What stands in for {prompt} inside a text of data. Default: data is sent as it is."""
    protocol: GradioProtocol = GradioProtocol.QUEUE
    """Queue: call and then listen to the event stream, with time to first token. QueueJoin: the same as browsers do it, also for
    functions without an API name. Predict: one answer in one piece. Default Queue."""
    base_path: Path = "/gradio_api"
    """What stands before /call, /queue and /run. Default /gradio_api; write / for Gradio 4 and older."""

    @field_validator("data")
    @classmethod
    def _is_json(cls, data: str) -> str:
        return json_array(data, '["{prompt}", 0.7]')

    @model_validator(mode="after")
    def _prompt_has_a_place(self) -> Self:
        require_a_place(self.prompt, self.data, "data")
        return self

    @model_validator(mode="after")
    def _function_is_named_or_numbered(self) -> Self:
        joins = self.protocol is GradioProtocol.QUEUE_JOIN
        wanted, other = ("fnIndex", "apiName") if joins else ("apiName", "fnIndex")
        if (self.fn_index is not None) is not joins or (self.api_name is None) is not joins:
            raise ValueError(f"protocol {self.protocol} takes the function as {wanted}: set it, and leave {other} out")
        return self

    @property
    def streams(self) -> bool:
        """Whether answers come in pieces."""
        return self.protocol is not GradioProtocol.PREDICT

    @property
    def path(self) -> str:
        """Where the inputs go."""
        base = self.base_path.rstrip("/")
        if self.api_name is None:
            return f"{base}/queue/join"
        verb = "call" if self.protocol is GradioProtocol.QUEUE else "run"
        return f"{base}/{verb}/{self.api_name.removeprefix('/')}"

    def listening(self, key: str) -> str:
        """Where the outputs come from: for an event's id, or with QueueJoin for a session's hash."""
        if self.api_name is None:
            return f"{self.base_path.rstrip('/')}/queue/data?session_hash={key}"
        return f"{self.path}/{key}"


class ExpectBody(Model):
    """What the first 64 KiB of an answer's body must hold. Exactly one of contains and matches."""

    contains: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """A text that the body must contain, byte for byte in UTF-8."""
    matches: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """A regular expression (Python's) that must match somewhere in the body. The operator's probe before the load does not check it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        return require_exactly_one(self, "contains", "matches")

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile((pattern or "").encode())
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern


class Http(Model):
    """A plain HTTP request."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = "GET"
    """HTTP method. Default GET."""
    path: Path = "/"
    """Path and query. Default /."""
    headers: Annotated[dict[str, HeaderValue], Field(max_length=32)] = {}
    """Request headers."""
    body: Annotated[str, Field(max_length=65536)] | None = None
    """Request body, sent as it is."""
    body_from: FromConfigMap | None = None
    """Instead of body: from a ConfigMap, byte for byte."""
    expect_status: Annotated[tuple[StatusCode, ...], Field(min_length=1, max_length=16)] = (200,)
    """Status codes that count as success; any other is a failure. Default [200]."""
    expect_body: ExpectBody | None = None
    """What the body must hold as well; an answer without it has failed as UnexpectedBody. Default: anything."""

    @property
    def prompt(self) -> None:
        """It has none."""

    @property
    def streams(self) -> bool:
        """Its answers are taken as one piece."""
        return False

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable_headers(headers)

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.body_from is not None:
            raise ValueError("set body or bodyFrom, not both")
        return self

    @model_validator(mode="after")
    def _has_a_body(self) -> Self:
        if self.method == "HEAD" and self.expect_body is not None:
            raise ValueError("expectBody does not go with HEAD: its answers have no body")
        return self


Asked = OpenAIChat | OpenAICompletions | OpenAIEmbeddings | Gradio | Http
"""What is sent, in the words of one protocol."""
PROTOCOLS: Mapping[str, type[Asked]] = {
    "open_ai_chat": OpenAIChat,
    "open_ai_completions": OpenAICompletions,
    "open_ai_embeddings": OpenAIEmbeddings,
    "gradio": Gradio,
    "http": Http,
}
"""By the field of a request that asks so: a further protocol begins here, and every table over them says what it lacks."""


def for_every_protocol(table: Mapping[type[Asked], T]) -> Mapping[type[Asked], T]:
    """The table, complete. Raises TypeError when it is imported and is not."""
    if missing := set(PROTOCOLS.values()) ^ set(table):
        raise TypeError(f"not in the table, or not a protocol: {', '.join(sorted(one.__name__ for one in missing))}")
    return table


class Slo(Model):
    """Bounds that one request must keep to count as good; together they define goodput."""

    ttft_milliseconds: Milliseconds | None = None
    """Largest time to first token, from the intended start."""
    tpot_milliseconds: Milliseconds | None = None
    """Largest mean time per output token after the first."""
    response_time_milliseconds: Milliseconds | None = None
    """Largest response time, from the intended start to the last output."""


class Request(Model):
    """One kind of request in the mix. Exactly one of the fields from openAIChat on says what is sent."""

    name: Name
    """Name that thresholds refer to."""
    weight: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Share of the arrivals, relative to the other requests' weights. Default 1 unless ratePerSecond is set."""
    rate_per_second: Number | None = None
    """Instead of weight: a steady trickle of its own beside the load, per second over all workers."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """A request not finished by then has failed as TotalTimeout. Default 60."""
    first_byte_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """An answer that has not begun by then, from the intended start, has failed as FirstByteTimeout. Default: only timeoutSeconds."""
    stall_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """An answer that has begun and then brings no byte for so long has failed as StallTimeout. Default: only timeoutSeconds."""
    slo: Slo | None = None
    """Bounds of a good request."""
    open_ai_chat: Annotated[OpenAIChat | None, Field(alias="openAIChat")] = None
    """A chat completion in OpenAI's protocol."""
    open_ai_completions: Annotated[OpenAICompletions | None, Field(alias="openAICompletions")] = None
    """A completion in OpenAI's older protocol."""
    open_ai_embeddings: Annotated[OpenAIEmbeddings | None, Field(alias="openAIEmbeddings")] = None
    """A text's embedding, in OpenAI's protocol."""
    gradio: Gradio | None = None
    """A call of a function of a Gradio app."""
    http: Http | None = None
    """A plain HTTP request."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.weight is not None and self.rate_per_second is not None:
            raise ValueError("set weight or ratePerSecond, not both")
        for name in ("first_byte_timeout_seconds", "stall_timeout_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and seconds >= self.timeout_seconds:
                alias = type(self).model_fields[name].alias
                raise ValueError(
                    f"{alias} {seconds} can never be reached: it must be less than timeoutSeconds {self.timeout_seconds}"
                )
        return require_exactly_one(self, *PROTOCOLS)

    @property
    def asked(self) -> Asked:
        """What is sent: the one of its fields that is set."""
        found: Asked = next(one for name in PROTOCOLS if (one := getattr(self, name)) is not None)
        return found

    @property
    def open_ai(self) -> OpenAI | None:
        """What is asked in OpenAI's protocol, of either kind."""
        return self.open_ai_chat or self.open_ai_completions

    @property
    def prompt(self) -> Prompt | None:
        """Where its prompt comes from, if it has one."""
        return self.asked.prompt

    @property
    def streams(self) -> bool:
        """Whether its answers come in pieces."""
        return self.asked.streams

    @property
    def effective_weight(self) -> int:
        """Weight in the mix; 0 for a side trickle."""
        return 0 if self.rate_per_second is not None else self.weight or 1
