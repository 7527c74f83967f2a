"""What answers of the protocols in which JSON is posted count as; OpenAI's chats and completions have a file of their own."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.core.protocols import embeddings
from loadgen.core.protocols.posted import Posted
from loadgen.core.protocols.sse import ParseError
from loadgen.core.protocols.table import POSTED
from unit.loadgen.test_workload import bodies

RIGHT, EMPTY = True, False


def vectors(*found: Any) -> bytes:
    return json.dumps({"object": "list", "data": [{"index": 0, "embedding": one} for one in found]}).encode()


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (vectors([0.5, -1]), RIGHT),
        (vectors([0.5], [0.25]), RIGHT),
        (vectors("zczMPQ=="), RIGHT),
        (vectors([0.5], []), EMPTY),
        (vectors([]), EMPTY),
        (vectors(""), EMPTY),
        (vectors(None), EMPTY),
        (vectors(), EMPTY),
        (b"{}", EMPTY),
        (b'{"data":[{"embedding":[ ]}]}', EMPTY),
        (b'{"data":[{"embedding":[0.5]}],"error":null}', RIGHT),
    ],
)
def test_an_answer_has_an_embedding_for_every_input(body: bytes, output: bool) -> None:
    assert embeddings.decode(body).has_output is output


def test_an_error_in_a_200_is_an_error() -> None:
    assert embeddings.decode(b'{"error":{"message":"no such model"}}').error == "no such model"


def test_an_embedding_is_asked_for() -> None:
    (body,) = bodies(1, [{"name": "one", "openAIEmbeddings": {"model": "m", "prompt": {"text": "hi"}}}])
    assert body == {"model": "m", "input": "hi"}


@pytest.mark.parametrize("spoken", POSTED.values(), ids=[asked.__name__ for asked in POSTED])
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_comes_nothing_but_a_parse_error_is_raised(spoken: Posted, data: bytes) -> None:
    with contextlib.suppress(ParseError):
        spoken.decode(data)


@pytest.mark.parametrize("spoken", POSTED.values(), ids=[asked.__name__ for asked in POSTED])
def test_the_least_answer_is_right_and_has_the_sign(spoken: Posted) -> None:
    assert spoken.decode(spoken.whole).has_output
    assert spoken.sign in spoken.whole
    assert not spoken.event or spoken.sign in spoken.event
