"""OpenAI's embeddings: {"data": [{"embedding": numbers, or base64 text}]}. Vectors are long and are not read, only that there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from loadgen.core.protocols.openai import ChunkKind, error_of
from loadgen.core.protocols.posted import Posted, strictly

if TYPE_CHECKING:
    from loadgen.model.serving import OpenAIEmbeddings


class _Item(Struct, gc=False):
    embedding: Raw = Raw(b"null")


class _Answer(Struct, gc=False):
    data: list[_Item] | None = None
    error: Any = None


_EMPTY = (b"null", b"[]", b'""')
_decode = msgspec.json.Decoder(_Answer).decode


def decode(body: bytes) -> ChunkKind:
    """The body of an answer. Raises ParseError."""
    return strictly(_read, body, "an answer with embeddings")


def _read(body: bytes) -> ChunkKind:
    answer = _decode(body)
    if wrong := error_of(answer.error):
        return ChunkKind(error=wrong)
    found = answer.data or ()
    return ChunkKind(bool(found) and all(_is_vector(one) for one in found), done=True, over=True)


def _is_vector(item: _Item) -> bool:
    return b"".join(bytes(item.embedding).split()) not in _EMPTY


def document(asked: OpenAIEmbeddings, hole: str) -> dict[str, Any]:
    """One text."""
    return {"model": asked.model, "input": hole}


EMBEDDINGS = Posted(
    document,
    decode,
    sign=b'"embedding"',
    whole=b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}',
)
