"""What the probe before the load says: which request, what happened, the server's own words, and what would help."""

import pytest
from plans import CHAT, PAGE, a_plan
from servers import answering, serving

from loadgen.core.prompts.material import OPEN
from loadgen.model.access import Access
from loadgen.model.errors import LoadgenError, ProbeError, TargetError
from loadgen.runtime.kinds.probe import probe, repeats

LIMITED = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"text": "hi"}, "maxTokens": 9}}
KEY = "sk-very-secret-1234"
WITH_KEY = Access.model_validate({"authorization": {"bearer": {"secretKeyRef": {"name": "a", "key": "token"}}}})
MATERIAL = {"secrets/a/token": KEY.encode()}


def reply(status: str, body: str = "", *fields: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"))
    return f"{head}\r\n{body}".encode()


UNKNOWN = '{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}'
OLD_NAME = '{"error":{"message":"max_tokens is not supported, use max_completion_tokens"}}'
SAID: dict[str, tuple[bytes, list[str]]] = {
    "a field that it does not know": (
        reply("422 No", UNKNOWN),
        ["Http422", "body.stream_options: Extra inputs", "includeUsage: false"],
    ),
    "a name that it does not know": (
        reply("400 No", OLD_NAME),
        ["Http400", "use max_completion_tokens", "write maxCompletionTokens"],
    ),
    "a page": (reply("503 No", "<html><title>Model is loading</title></html>"), ["Http503", "Model is loading"]),
    "nothing": (reply("500 No"), ["Http500", "see the server's log"]),
    "an error in a good answer": (
        reply("200 OK", '{"error":{"message":"no KV cache"}}'),
        ["StreamError", "no KV cache"],
    ),
    "an error in a stream": (
        reply("200 OK", 'data: {"error":"no KV cache"}\n\n'),
        ["StreamError", "HTTP 200", "no KV cache"],
    ),
    "no stream": (reply("200 OK", "hello", "Content-Type: text/plain"), ["StreamTruncated", "hello"]),
    "brotli": (reply("200 OK", "abc", "Content-Encoding: br"), ["Encoding", "Content-Encoding br", "turn it off"]),
    "a redirect without a place": (reply("302 Found"), ["Http302", "redirects", "Location"]),
    "escape sequences": (reply("400 No", "\x1b[31mred"), ["Http400", "·[31mred"]),
}
MOVED: dict[str, tuple[bytes, list[str]]] = {
    "with a slash": (
        reply("307 Moved", "", "Location: /v1/chat/completions/"),
        ["HTTP 307", "write path: /v1/chat/completions/"],
    ),
    "for ever": (reply("308 Moved", "", "location: /x"), ["HTTP 308", "write path: /x"]),
    "to another host": (
        reply("301 Moved", "", "Location: https://a.example/y"),
        ["HTTP 301", "--url https://a.example", "path: /y"],
    ),
    "with a secret": (
        reply("302 Found", "", "Location: https://u:hunter2@a.example/y?token=hunter2"),
        ["--url https://a.example,", "/y"],
    ),
}


async def complaint(answer: bytes, access: Access = OPEN, client: str = "Native") -> LoadgenError:
    async with serving(answering(answer)) as url:
        with pytest.raises(LoadgenError) as found:
            await probe(
                a_plan([LIMITED, CHAT | {"name": "other"}], {"arrivalRate": 1}, client=client), url, access, MATERIAL
            )
    return found.value


@pytest.mark.parametrize("client", ["Native", "Compatible"])
@pytest.mark.parametrize("name", SAID)
async def test_the_servers_own_words_are_repeated(name: str, client: str) -> None:
    answer, parts = SAID[name]

    error = await complaint(answer, client=client)

    assert isinstance(error, ProbeError)
    assert "request 'chat'" in str(error)
    assert [part for part in parts if part not in str(error)] == [], str(error)


@pytest.mark.parametrize("client", ["Native", "Compatible"])
@pytest.mark.parametrize("name", MOVED)
async def test_a_redirect_is_a_fault_of_the_plan(name: str, client: str) -> None:
    """Following would measure two requests as one; the path or URL that is named repairs it."""
    answer, parts = MOVED[name]

    error = await complaint(answer, client=client)

    assert isinstance(error, TargetError)
    assert [part for part in parts if part not in str(error)] == [], str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (reply("422 No", UNKNOWN), True),
        (reply("400 No", f'{{"error":"bad key {KEY}"}}'), False),
        (reply("400 No", '{"error":"bad key sk-v***1234"}'), False),
        (reply("401 No", '{"error":"who are you"}'), False),
    ],
)
async def test_the_key_is_never_repeated(answer: bytes, shown: bool) -> None:
    """Nor a piece of it; what does not hold any may be shown, or nobody behind a key would learn why."""
    error = str(await complaint(answer, WITH_KEY))

    assert ("the server said" in error) is shown
    assert not repeats(KEY, error)


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_a_body_that_nobody_reads_may_be_anything(encoding: str) -> None:
    """The load looks at a page's status alone, and so does the probe."""
    async with serving(answering(reply("200 OK", "no such thing", f"Content-Encoding: {encoding}"))) as url:
        await probe(a_plan(PAGE, {"arrivalRate": 1}), url)
