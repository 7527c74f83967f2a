"""What an answer's head says besides its status, read from its bytes: a callback for every header would cost more than all the rest."""

import httptools

_FIELD = b"\ncontent-encoding:"
_INTERIM = b"HTTP/1.1 1"
_EMPTY_LINE = b"\r\n\r\n"


def encoding_of(head: bytes) -> str:
    """How an answer's head (with what may follow it) says that its body is compressed; empty where it is not."""
    while head.startswith(_INTERIM):  # another head follows
        head = head.partition(_EMPTY_LINE)[2]
    fields = head[: head.find(_EMPTY_LINE)].lower()
    place = fields.find(_FIELD)
    if place < 0:
        return ""
    value = fields[place + len(_FIELD) :].partition(b"\n")[0]
    return value.decode("latin-1").strip()


def ends_by_closing(head: bytes) -> bool:
    """Whether the answer has neither a length nor chunks."""
    names = _Names()
    try:
        httptools.HttpResponseParser(names).feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return False
    return not names.seen & {b"content-length", b"transfer-encoding"}


class _Names:
    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def on_header(self, name: bytes, _value: bytes) -> None:
        self.seen.add(name.lower())
