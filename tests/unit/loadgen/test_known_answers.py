"""Recognising an answer by its bytes must not change what is made of it, however a server cuts and repeats its answers."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.runtime.http.connection import NOTHING, STALE_NS, Connection, Known
from loadgen.runtime.http.exchange import Exchange
from loadgen.runtime.kinds.table import HttpKind

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nok"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(OK), OK)
"""An answer whose body looks like an answer."""
ANSWERS = (OK, OTHER, MISSING, CLOSING, CHUNKED, INTERIM + OK, INTERIM, ENDLESS, LONG, OK + OK, b"garbage\r\n\r\n")


class Forgetful(list[Known]):
    """Knows nothing, whatever it is told."""

    def __setitem__(self, *_: object) -> None:
        pass


@dataclass
class Owner:
    """Writes down what a connection says."""

    known: list[Known]
    received: int = 0
    stale_ns: int = STALE_NS
    said: list[tuple[str, object]] = field(default_factory=list)

    def opened(self, connection: Connection) -> None:
        pass

    def finished(self, connection: Connection, exchange: Exchange, failure: str | None, stamp: int) -> None:
        assert stamp >= exchange.headers
        self.said.append(("finished", (failure, exchange.status, connection.alive, connection.served)))

    def stale(self, exchange: Exchange) -> None:
        self.said.append(("stale", exchange.request))

    def lost(self, connection: Connection) -> None:
        self.said.append(("lost", connection.served))


class Transport(asyncio.Transport):
    """Under TLS, for the connection: everything is written through it, and gone at once."""

    unsent = 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return True

    def write(self, data: object) -> None:
        pass

    def close(self) -> None:
        pass

    abort = close

    def get_write_buffer_size(self) -> int:
        return self.unsent


def a_kind(method: str = "GET", holds: bytes | None = None) -> HttpKind:
    return HttpKind(
        data=method.encode(),
        expected=frozenset({200}),
        bodiless=method == "HEAD",
        idempotent=True,
        timeout_ns=10**9,
        holds=(lambda body: holds in body) if holds else None,
    )


def opened(known: list[Known]) -> tuple[Connection, Owner, Transport]:
    owner, transport = Owner(known), Transport()
    connection = Connection(owner)
    connection.connection_made(transport)
    return connection, owner, transport


def ask(connection: Connection, kind: HttpKind, request: int = 0) -> Exchange:
    exchange = Exchange(kind, 0, request, 1, 1)
    connection.send(exchange)
    return exchange


def played(reads: list[bytes], kinds: list[HttpKind], known: list[Known]) -> list[tuple[str, object]]:
    """A new request as soon as the last one has ended, a new connection as soon as one is of no use."""
    said: list[tuple[str, object]] = []
    connection, owner, _ = opened(known)
    turn = 0
    ask(connection, kinds[0])
    for read in reads:
        before = len(owner.said)
        connection.data_received(read)
        if not connection.alive:
            said += owner.said
            connection, owner, _ = opened(known)
            before = -1
        if len(owner.said) > before:
            turn += 1
            ask(connection, kinds[turn % len(kinds)], turn % len(kinds))
    connection.eof_received()
    connection.connection_lost(None)
    return said + owner.said


def cut(stream: list[bytes], cuts: Iterator[int]) -> list[bytes]:
    """Some answers in two reads."""
    reads = []
    for answer in stream:
        at = next(cuts) % len(answer)
        reads += [answer[:at], answer[at:]] if at else [answer]
    return reads


@given(
    st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=12),
    st.lists(st.sampled_from([0, 0, 0, 1, 17, 25, 40, 60]), min_size=12, max_size=12),
    st.sampled_from([("GET",), ("GET", "POST"), ("GET", "HEAD")]),
)
def test_known_answers_change_nothing(stream: list[bytes], cuts: list[int], methods: tuple[str, ...]) -> None:
    """Any answers, cut anywhere: the same outcomes as without any knowledge."""
    kinds = [a_kind(method) for method in methods]
    reads = cut(stream, iter(cuts))

    nothing = [NOTHING] * len(kinds)

    expected = played(reads, kinds, Forgetful(nothing))
    known = nothing.copy()
    assert played(reads, kinds, known) == expected
    assert played(reads, kinds, known) == expected  # with the other run's knowledge from the start


def test_an_answer_is_recognised() -> None:
    """The second time its bytes come; by all connections of the pool, without a parser's help."""
    known = [NOTHING]
    first, _, _ = opened(known)
    ask(first, a_kind())
    first.data_received(OK)
    second, owner, _ = opened(known)
    second._parser = None  # whoever parses does nothing now
    exchange = ask(second, a_kind())
    second.data_received(OK)

    assert known == [(OK, 200, None)]
    assert owner.said == [("finished", (None, 200, True, 1))]
    assert exchange.headers > 0


@pytest.mark.parametrize("answer", [CLOSING, OK + OK, OK + OK[:9], INTERIM, ENDLESS, OK[:-1], b"garbage\r\n\r\n"])
def test_what_is_never_known(answer: bytes) -> None:
    """What ends a connection, is not whole, or is more than an answer."""
    known = [NOTHING]
    connection, _, _ = opened(known)
    ask(connection, a_kind())

    connection.data_received(answer)

    assert known == [NOTHING]


@pytest.mark.parametrize("kind", [a_kind("HEAD"), a_kind(holds=b"ok")])
def test_whose_answers_are_never_known(kind: HttpKind) -> None:
    """Of requests without bodies, and of those whose bodies somebody wants."""
    known = [NOTHING]
    connection, owner, _ = opened(known)
    for _ in range(2):
        ask(connection, kind)
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" if kind.bodiless else OK)

    assert known == [NOTHING]
    assert len(owner.said) == 2


@pytest.mark.parametrize("more", [OK, OK[:9], MISSING])
def test_more_than_one_answer_to_one_request(more: bytes) -> None:
    """The first counts; the connection is of no further use."""
    connection, owner, _ = opened([(OK, 200, None)])
    ask(connection, a_kind())

    connection.data_received(OK + more)

    assert owner.said == [("finished", (None, 200, False, 1))]


def test_a_known_answer_in_two_reads() -> None:
    """Is the answer all the same, and stays known."""
    known: list[Known] = [(OK, 200, None)]
    connection, owner, _ = opened(known)
    exchange = ask(connection, a_kind())
    connection.data_received(OK[:20])
    assert owner.said == []
    connection.data_received(OK[20:])

    assert owner.said == [("finished", (None, 200, True, 1))]
    assert exchange.status == 200
    assert known == [(OK, 200, None)]


def test_a_known_answer_after_the_first_half_of_another() -> None:
    """Belongs to that one's body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(OK))
    connection, owner, _ = opened([(OK, 200, None)])
    ask(connection, a_kind())
    connection.data_received(head)
    connection.data_received(OK)
    assert owner.said == []
    connection.data_received(OK)

    assert owner.said == [("finished", (None, 200, True, 1))]


def test_a_known_answer_before_the_request_is_out() -> None:
    """Counts, and ends the connection, as any answer that early."""
    connection, owner, transport = opened([(OK, 200, None)])
    ask(connection, a_kind())
    transport.unsent = 1

    connection.data_received(OK)

    assert owner.said == [("finished", (None, 200, False, 1))]
