"""The simulator does what its flags say: its truth is what the generator's measurements are checked against."""

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import pairwise
from statistics import median
from time import monotonic_ns
from typing import Any

from fakes.simulators import Simulator

Start = Callable[..., Simulator]
MILLISECOND = 1_000_000


def ask(target: Simulator, *, path: str = "/v1/chat/completions", **wanted: Any) -> tuple[int, bytes]:
    """POST one completion, return status and body."""
    prompt = {"messages": [{"role": "user", "content": "one two three"}]} if "chat" in path else {"prompt": "one two"}
    connection = HTTPConnection("127.0.0.1", target.port, timeout=20)
    try:
        connection.request("POST", path, json.dumps(prompt | wanted))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def events(body: bytes) -> list[Any]:
    """The decoded events of a stream, without [DONE]."""
    rows = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line]
    return [json.loads(row) for row in rows if row != b"[DONE]"]


def contents(body: bytes) -> list[str]:
    """The texts of a chat stream's output events."""
    choices = (choice for event in events(body) for choice in event["choices"])
    return [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]


def test_chat_stream_has_a_role_tokens_finish_usage_and_done(simulator: Start) -> None:
    target = simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=3")
    _, body = ask(target, stream=True, stream_options={"include_usage": True})
    first, *_, last = events(body)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(contents(body)) == 3
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert body.endswith(b"data: [DONE]\n\n")


def test_usage_comes_only_when_asked_for(simulator: Start) -> None:
    _, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=3"), stream=True)
    assert b"usage" not in body


def test_answer_without_stream_has_text_and_usage(simulator: Start) -> None:
    status, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=3"))
    answer = json.loads(body)
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == " token token token"
    assert answer["usage"]["completion_tokens"] == 3


def test_text_completion_streams_text(simulator: Start) -> None:
    _, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=2"), path="/v1/completions", stream=True)
    texts = [event["choices"][0]["text"] for event in events(body)]
    assert texts == [" token", " token", ""]


def test_max_tokens_lowers_the_number_of_tokens(simulator: Start) -> None:
    _, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1"), stream=True, max_tokens=2)
    assert len(contents(body)) == 2


def test_several_tokens_per_event_are_all_counted(simulator: Start) -> None:
    target = simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=10", "--tokens-per-event=4")
    _, body = ask(target, stream=True, stream_options={"include_usage": True})
    assert len(contents(body)) == 3
    assert events(body)[-1]["usage"]["completion_tokens"] == 10


def test_pace_is_what_was_asked_for(simulator: Start) -> None:
    target = simulator("--ttft-ms=80", "--tpot-ms=15", "--tokens=11")
    ask(target, stream=True)
    (truth,) = target.truth()
    assert 80 <= (truth.first - truth.admitted) / MILLISECOND < 200
    assert 100 < (truth.last - truth.first) / MILLISECOND < 250


def test_stamps_are_the_senders_clock(simulator: Start) -> None:
    before = monotonic_ns()
    _, body = ask(simulator("--ttft-ms=5", "--tpot-ms=5", "--tokens=4", "--stamp"), stream=True)
    stamps = [int(text) for text in contents(body)]
    assert before < stamps[0] < stamps[1] < stamps[2] < stamps[3] < monotonic_ns()


def test_a_request_waits_while_no_slot_is_free(simulator: Start) -> None:
    target = simulator("--ttft-ms=50", "--tpot-ms=10", "--tokens=6", "--slots=1")
    with_body = open_many(target, 2)
    assert {len(contents(body)) for body in with_body} == {6}
    first, second = target.truth()
    assert first.admitted - first.received < 50 * MILLISECOND
    assert second.admitted >= first.last


def test_pace_falls_above_saturation(simulator: Start) -> None:
    target = simulator("--ttft-ms=20", "--tpot-ms=10", "--tokens=11", "--saturation=2")
    list(open_many(target, 8))
    steps = [(truth.last - truth.first) / 10 / MILLISECOND for truth in target.truth()]
    assert 25 < median(steps) < 100


def open_many(target: Simulator, count: int) -> Iterator[bytes]:
    """Start `count` streams at once, then read them one after the other."""
    connections = [HTTPConnection("127.0.0.1", target.port, timeout=20) for _ in range(count)]
    for connection in connections:
        connection.request("POST", "/v1/chat/completions", '{"messages":[],"stream":true}')
    for connection in connections:
        yield connection.getresponse().read()
        connection.close()


def test_a_stall_moves_everything_by_its_length(simulator: Start) -> None:
    target = simulator(
        "--ttft-ms=10", "--tpot-ms=20", "--tokens=20", "--stall-at=0.2", "--stall-seconds=0.5", "--stamp"
    )
    _, body = ask(target, stream=True)
    stamps = [int(text) for text in contents(body)]
    ((begin, end),) = target.stalls()
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    assert 500 * MILLISECOND <= end - begin < 700 * MILLISECOND
    assert end - begin <= max(gaps) < end - begin + 100 * MILLISECOND
    assert 850 < (stamps[-1] - stamps[0]) / MILLISECOND < 1100


def test_failures_have_the_status_asked_for(simulator: Start) -> None:
    status, body = ask(simulator("--fail-percent=100", "--fail-status=429"))
    assert status == 429
    assert json.loads(body)["error"]["code"] == 429


def test_failures_are_the_same_for_the_same_seed(simulator: Start) -> None:
    flags = ("--fail-percent=50", "--seed=7", "--ttft-ms=1", "--tpot-ms=1", "--tokens=1")
    one, two = simulator(*flags), simulator(*flags)
    statuses = [[ask(target)[0] for _ in range(20)] for target in (one, two)]
    assert statuses[0] == statuses[1]
    assert set(statuses[0]) == {200, 503}


def test_error_event_ends_a_stream_with_status_200(simulator: Start) -> None:
    status, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1", "--error-event-percent=100"), stream=True)
    assert status == 200
    assert events(body)[-1]["error"]["code"] == 500


def test_truncated_stream_has_no_terminal_event(simulator: Start) -> None:
    _, body = ask(simulator("--ttft-ms=1", "--tpot-ms=1", "--tokens=8", "--truncate-percent=100"), stream=True)
    assert len(contents(body)) == 4
    assert b"[DONE]" not in body


def test_a_client_that_leaves_frees_its_slot(simulator: Start) -> None:
    target = simulator("--ttft-ms=5000", "--slots=1")
    leaver = HTTPConnection("127.0.0.1", target.port, timeout=20)
    leaver.request("POST", "/v1/chat/completions", '{"messages":[],"stream":true}')
    with leaver.getresponse() as response:
        assert response.status == 200
    leaver.close()
    deadline = monotonic_ns() + 3000 * MILLISECOND
    while metric(target, "vllm:num_requests_running") and monotonic_ns() < deadline:
        pass
    assert [truth.outcome for truth in target.truth()] == ["gone"]


def metric(target: Simulator, name: str) -> float:
    """One value from /metrics."""
    connection = HTTPConnection("127.0.0.1", target.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name)))


def test_metrics_show_what_runs_and_what_waits(simulator: Start) -> None:
    target = simulator("--ttft-ms=300", "--tpot-ms=1", "--tokens=2", "--slots=2")
    bodies = open_many(target, 5)
    next(bodies)
    running, waiting = metric(target, "vllm:num_requests_running"), metric(target, "vllm:num_requests_waiting")
    assert (running, waiting) == (2, 1)
    list(bodies)
    assert metric(target, "vllm:generation_tokens_total") == 10


def test_requests_sent_back_to_back_are_answered_in_order(simulator: Start) -> None:
    target = simulator("--plain-ms=20")
    connection = HTTPConnection("127.0.0.1", target.port, timeout=20)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(b"GET /health HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n")
    received = b""
    while b"404" not in received:
        received += connection.sock.recv(4096)
    connection.close()
    assert received.index(b"200 OK") < received.index(b"404 Not Found")


def test_plain_requests_take_as_long_as_asked_for(simulator: Start) -> None:
    target = simulator("--plain-ms=60")
    connection = HTTPConnection("127.0.0.1", target.port, timeout=20)
    begin = monotonic_ns()
    connection.request("GET", "/health")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    assert 60 <= (monotonic_ns() - begin) / MILLISECOND < 300
    connection.close()


def test_nonsense_is_refused(simulator: Start) -> None:
    target = simulator()
    assert ask(target, max_tokens="many")[0] == 400
    connection = HTTPConnection("127.0.0.1", target.port, timeout=20)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(b"\x00nonsense\r\n\r\n")
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 400")
    connection.close()
