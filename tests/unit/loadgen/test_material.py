"""What references stand for: found wherever they are, judged in sentences that show nothing of a Secret."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.prompts.material import authorities, check, header, wanted
from loadgen.core.prompts.workload import BodyFactory
from loadgen.core.schedule.segment import Segment
from loadgen.model.access import Access
from loadgen.model.errors import InvalidPlanError
from loadgen.model.plan import Plan
from loadgen.runtime.worker import folder
from unit.loadgen.plans import a_plan

TOKEN = {"secretKeyRef": {"name": "gateway", "key": "token"}}
TOKEN_PATH = "secrets/gateway/token"
FILE = {"configMapKeyRef": {"name": "prompts", "key": "a.jsonl"}}
FILE_PATH = "configmaps/prompts/a.jsonl"
CHAT = {"name": "chat", "openAIChat": {"model": "m", "prompt": {"jsonl": FILE}}}
TEXT = {"name": "text", "openAICompletions": {"model": "m", "prompt": {"jsonl": FILE}, "stream": False}}
POST = {"name": "post", "http": {"method": "POST", "bodyFrom": FILE}}


def an_access(**fields: Any) -> Access:
    return Access.model_validate(fields)


BEARER = an_access(authorization={"bearer": TOKEN})
BASIC = an_access(authorization={"basic": TOKEN})
API_KEY = an_access(authorization={"header": {"name": "api-key", **TOKEN}})
TRUST = an_access(tls={"ca": {"configMapKeyRef": {"name": "trust", "key": "ca.crt"}}})


def of_requests(*requests: dict[str, Any], **load: Any) -> Plan:
    return a_plan(requests=list(requests), **load)


def problems(plan: Plan, access: Access, **material: bytes) -> list[str]:
    try:
        check(plan, access, {TOKEN_PATH: b"x", FILE_PATH: b'{"prompt": "x"}', **material})
    except InvalidPlanError as error:
        return error.problems
    return []


def test_every_reference_is_found_with_its_field() -> None:
    assert [str(one) for one in wanted(of_requests(CHAT, POST), BEARER)] == [
        "requests[chat].openAIChat.prompt.jsonl: ConfigMap prompts, key a.jsonl",
        "requests[post].http.bodyFrom: ConfigMap prompts, key a.jsonl",
        "target.authorization.bearer: Secret gateway, key token",
    ]
    assert [one.to.path for one in wanted(of_requests(POST), TRUST)] == [FILE_PATH, "configmaps/trust/ca.crt"]


@pytest.mark.parametrize(
    ("access", "value", "sent"),
    [
        (BEARER, b"sk-1", ("Authorization", "Bearer sk-1")),
        (BASIC, b"me:secret", ("Authorization", "Basic " + base64.b64encode(b"me:secret").decode())),
        (API_KEY, b"Key sk-1", ("api-key", "Key sk-1")),
        (TRUST, b"unused", None),
    ],
)
def test_a_header_proves_who_we_are(access: Access, value: bytes, sent: tuple[str, str] | None) -> None:
    assert header(access, {TOKEN_PATH: value, "configmaps/trust/ca.crt": b""}) == sent


@pytest.mark.parametrize(
    ("access", "value", "words"),
    [
        (BEARER, b"", "the value has 0 characters"),
        (BEARER, b"x" * 8193, "the value has 8193 characters; a header takes 1 to 8192"),
        (BEARER, b"sk-1\n", "ends with a line break: write it with printf or kubectl create secret --from-literal"),
        (BEARER, b"sk-1\r\nHost: evil", "control characters"),
        (BEARER, b"sk\x001", "control characters"),
        (BEARER, "sk-ü".encode(), "other than ASCII"),
        (BEARER, b" sk-1", "blanks around it"),
        (BEARER, b"bearer sk-1", "begins with Bearer already"),
        (BASIC, b"secret", "the value of basic is user:password"),
    ],
)
def test_a_value_that_no_header_may_have_is_refused_without_being_shown(
    access: Access, value: bytes, words: str
) -> None:
    (problem,) = problems(of_requests(POST), access, **{TOKEN_PATH: value})

    assert problem.startswith(f"target.authorization.{'basic' if access is BASIC else 'bearer'}: Secret gateway, key")
    assert words in problem
    assert not value or value.decode("latin-1").strip() not in problem
    with pytest.raises(InvalidPlanError):
        header(access, {TOKEN_PATH: value})


@given(st.binary(min_size=1, max_size=40))
def test_no_value_can_begin_another_header(value: bytes) -> None:
    """What is let through is one line of visible characters, whatever the Secret holds."""
    try:
        sent = header(API_KEY, {TOKEN_PATH: value})
    except InvalidPlanError:
        return
    assert sent is not None
    assert sent[1].isascii()
    assert sent[1].isprintable()


def test_certificates_must_be_certificates() -> None:
    for junk in (b"", b"certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff"):
        assert problems(of_requests(POST), TRUST, **{"configmaps/trust/ca.crt": junk}) == [
            "target.tls.ca: ConfigMap trust, key ca.crt: no certificates in PEM (-----BEGIN CERTIFICATE-----)"
        ]
    assert authorities(BEARER, {}) is None


LINES = b'{"prompt": "one \xc3\xbc"}\n\n{"messages": [{"role": "system", "content": "s"}]}\n'


def test_lines_are_prompts_or_messages() -> None:
    factory = BodyFactory(of_requests(CHAT), Segment(0, 1), {FILE_PATH: LINES})
    sent = [json.loads(factory.body(0)) for _ in range(2)]

    assert {body["messages"][0]["content"] for body in sent} == {"one ü", "s"}
    assert all(body["model"] == "m" and body["stream"] for body in sent)


def test_a_completion_takes_the_text() -> None:
    factory = BodyFactory(of_requests(TEXT), Segment(0, 1), {FILE_PATH: b'{"prompt": "say \\"x\\""}'})
    assert json.loads(factory.body(0)) == {"model": "m", "prompt": 'say "x"', "stream": False}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "line 2: not JSON"),
        (b"\xff\xfe", "line 2: not JSON"),
        (b'"hello"', 'write {"prompt": "…"} or {"messages": […]} and nothing else'),
        (b'{"prompt": "x", "max_tokens": 5}', "and nothing else"),
        (b'{"prompt": ""}', "prompt must be a text, and not empty"),
        (b'{"prompt": 5}', "prompt must be a text"),
        (b'{"messages": []}', "messages must be a list, and not empty"),
        (b'{"messages": [{"content": "x"}]}', "every message must be an object with a role"),
        (b"[" * 100_000, "line 2: "),
    ],
)
def test_a_bad_line_is_named(line: bytes, words: str) -> None:
    (problem,) = problems(of_requests(CHAT), Access(), **{FILE_PATH: b'{"prompt": "x"}\n' + line})

    assert problem.startswith("requests[chat].openAIChat.prompt.jsonl: ConfigMap prompts, key a.jsonl, line 2: ")
    assert words in problem


def test_a_completion_has_no_messages() -> None:
    (problem,) = problems(of_requests(TEXT), Access(), **{FILE_PATH: b'{"messages": [{"role": "user"}]}'})
    assert problem.endswith('line 1: not what is read here: write {"prompt": "…"} and nothing else')


def test_an_empty_file_is_told_and_many_bad_lines_are_cut() -> None:
    assert problems(of_requests(CHAT), Access(), **{FILE_PATH: b"\n \n"}) == [
        "requests[chat].openAIChat.prompt.jsonl: ConfigMap prompts, key a.jsonl, it has no line with a prompt"
    ]
    assert len(problems(of_requests(CHAT), Access(), **{FILE_PATH: b"x\n" * 50})) == 3


def numbers(count: int, segment: Segment, lines: int, seed: int = 0) -> list[int]:
    """Which lines a segment sends, one after the other."""
    content = "\n".join(json.dumps({"prompt": str(number)}) for number in range(lines)).encode()
    factory = BodyFactory(of_requests(TEXT, seed=seed), segment, {FILE_PATH: content})
    return [int(json.loads(factory.body(0))["prompt"]) for _ in range(count)]


@given(st.integers(1, 8), st.integers(1, 40))
def test_no_line_is_sent_twice_before_all_have_been(segments: int, lines: int) -> None:
    """By segments that send in turn."""
    each = [numbers(lines, Segment(index, segments), lines) for index in range(segments)]
    in_turn = [number for turn in zip(*each, strict=True) for number in turn]

    for begin in range(0, len(in_turn) - lines + 1, lines):
        assert sorted(in_turn[begin : begin + lines]) == list(range(lines))


def test_the_seed_decides_the_order() -> None:
    whole = Segment(0, 1)
    assert numbers(50, whole, 50, seed=1) == numbers(50, whole, 50, seed=1) != numbers(50, whole, 50, seed=2)
    assert numbers(50, whole, 50) != list(range(50))


def test_a_body_is_taken_byte_for_byte() -> None:
    factory = BodyFactory(of_requests(POST), Segment(0, 1), {FILE_PATH: b"\x00\xff\r\n"})
    assert factory.body(0) == b"\x00\xff\r\n"


def write(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def test_a_worker_reads_what_is_mounted(tmp_path: Path) -> None:
    write(tmp_path, FILE_PATH, b'{"prompt": "x"}')
    write(tmp_path, TOKEN_PATH, b"sk-1")

    assert folder.mounted(of_requests(CHAT), BEARER, tmp_path) == {FILE_PATH: b'{"prompt": "x"}', TOKEN_PATH: b"sk-1"}
    (tmp_path / TOKEN_PATH).unlink()
    with pytest.raises(InvalidPlanError, match=r"Secret gateway, key token: .*/secrets/gateway/token cannot be read"):
        folder.mounted(of_requests(CHAT), BEARER, tmp_path)


def test_a_laptop_says_which_file_and_variable_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlanError) as without:
        folder.local(of_requests(CHAT), BEARER, None, {})
    with pytest.raises(InvalidPlanError) as empty:
        folder.local(of_requests(CHAT), Access(), tmp_path, {})

    assert without.value.problems == [
        "target.authorization.bearer: Secret gateway, key token: put the value into the environment variable "
        "LOADTEST_AUTHORIZATION",
        "requests[chat].openAIChat.prompt.jsonl: ConfigMap prompts, key a.jsonl: give --data FOLDER with the file "
        "FOLDER/prompts/a.jsonl",
    ]
    assert f"{tmp_path}/prompts/a.jsonl cannot be read: No such file" in str(empty.value)
    write(tmp_path, "prompts/a.jsonl", b'{"prompt": "x"}')
    found = folder.local(of_requests(CHAT), BEARER, tmp_path, {"LOADTEST_AUTHORIZATION": "sk-1"})
    assert found == {FILE_PATH: b'{"prompt": "x"}', TOKEN_PATH: b"sk-1"}
