"""The protocols in which JSON is posted."""

from collections.abc import Mapping
from typing import Any

from loadgen.core.protocols import embeddings, openai
from loadgen.core.protocols.posted import Posted
from loadgen.model.requests import OpenAIChat, OpenAICompletions
from loadgen.model.serving import OpenAIEmbeddings

POSTED: Mapping[type[Any], Posted] = {
    OpenAIChat: openai.CHAT,
    OpenAICompletions: openai.COMPLETIONS,
    OpenAIEmbeddings: embeddings.EMBEDDINGS,
}
"""By what is asked."""
