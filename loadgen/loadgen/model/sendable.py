"""What can be sent as it is written: paths and headers that are the same bytes in the plan, in the probe and on the wire."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

PATH = r'^/[!-"$-~]*$'
"""What may stand in a request line as it is: no space, no control character, no fragment, ASCII only."""
DOTS = re.compile(r"(?i)(^|[/\\]|%2f|%5c)(\.|%2e){1,2}($|[/\\?]|%2f|%5c)")
"""A step to a parent folder, however it is written: who passes requests on would resolve it, each in another way."""
HEADER_NAME, HEADER_VALUE = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", r"^[\t -~]*$"
OWN_HEADERS = (
    "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive",
    "proxy-connection", "expect",
)  # fmt: skip
"""What frames a message and holds a connection is the generator's: with two of a kind, nobody knows what was asked."""


def _sendable(path: str) -> str:
    """Sent byte for byte, by the load and by the probe before it."""
    if not re.match(PATH + r"\Z", path):
        raise ValueError(
            f"{path[:100]!r} cannot be sent as it is: write spaces, line breaks, # and whatever is not "
            "ASCII percent-encoded, such as %20"
        )
    if DOTS.search(path.partition("?")[0]):
        raise ValueError(f"{path[:100]!r} has a step . or .. in it: write the path that is meant")
    return path


PATH_SCHEMA = {"type": "string", "pattern": PATH, "maxLength": 2048}
VALUE_SCHEMA = {"type": "string", "pattern": HEADER_VALUE, "maxLength": 4096}
Path = Annotated[str, Field(pattern=r"^/", max_length=2048), AfterValidator(_sendable), WithJsonSchema(PATH_SCHEMA)]
HeaderValue = Annotated[str, Field(max_length=4096), WithJsonSchema(VALUE_SCHEMA)]


def sendable_headers(headers: dict[str, str]) -> dict[str, str]:
    """The same, or ValueError with what cannot be sent and why."""
    for name, value in headers.items():
        if not re.match(HEADER_NAME + r"\Z", name):
            raise ValueError(f"{name[:60]!r} is no header's name: letters, digits and any of !#$%&'*+-.^_`|~")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"{name!r} is written by the generator itself: leave it out")
        if not re.match(HEADER_VALUE + r"\Z", value):
            raise ValueError(f"the value of {name!r} may only have printable ASCII: no line breaks, encode the rest")
    return headers
