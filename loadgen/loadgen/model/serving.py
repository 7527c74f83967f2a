"""What is asked of inference servers in their own words, besides OpenAI's chats and completions."""

from typing import Annotated

from pydantic import Field

from loadgen.model.base import Model
from loadgen.model.prompts import Prompt
from loadgen.model.sendable import Path

ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class OpenAIEmbeddings(Model):
    """A text's embedding, in OpenAI's protocol. The answer is one piece: it has no time to first token and no output tokens."""

    model: ModelName
    """The model's name as the server knows it."""
    prompt: Prompt
    """The text to embed."""
    path: Path = "/v1/embeddings"
    """Path of the endpoint. Default /v1/embeddings."""

    @property
    def streams(self) -> bool:
        """Never."""
        return False
