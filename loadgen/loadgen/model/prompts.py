"""Where prompts come from: a text, random words of a length, the lines of a file; and where they go in a plan's own JSON."""

import json
from typing import Annotated, Self

from pydantic import Field, model_validator

from loadgen.model.base import Model, require_exactly_one
from loadgen.model.references import FromConfigMap

PROMPT_HOLE = "{prompt}"
"""Where the prompt goes in inputs that the plan writes itself."""


class SyntheticTokens(Model):
    """Normally distributed prompt lengths, cut at 1."""

    mean: Annotated[int, Field(ge=1, le=1_000_000)]
    """Mean prompt length in tokens (approximated as words of the generator's vocabulary)."""
    stddev: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Standard deviation in tokens. Default 0: every prompt has the mean length."""


class SyntheticPrompt(Model):
    """A prompt of random words, different in every request so that a prefix cache does not flatter the target."""

    input_tokens: SyntheticTokens
    """Length distribution of the prompt."""


class JsonlPrompt(FromConfigMap):
    """Prompts from a file in JSON Lines: {"prompt": "…"} or, for a chat, {"messages": […]} on every line.

    The lines are shuffled by load.seed and dealt out to the workers: none is sent twice before all have been.
    """


class Prompt(Model):
    """Where a prompt comes from: exactly one of text, synthetic and jsonl."""

    text: Annotated[str, Field(min_length=1, max_length=32768)] | None = None
    """The same prompt for every request."""
    synthetic: SyntheticPrompt | None = None
    """Random words of a given length distribution."""
    jsonl: JsonlPrompt | None = None
    """Prompts from a file, line by line."""
    cache_bust: bool = False
    """Put four random words and a line break before the text in every request: a prefix cache finds nothing to reuse. Default false."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.text is None and self.cache_bust:
            raise ValueError(
                "cacheBust is for a text: synthetic prompts and those of a file differ already, leave it out"
            )
        return require_exactly_one(self, "text", "synthetic", "jsonl")


def json_array(text: str, example: str) -> str:
    """The text, which is a JSON array. Raises ValueError."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{text[:60]!r} is no JSON array: {error}; write such as '{example}'") from error
    if not isinstance(parsed, list):
        raise ValueError(f"{text[:60]!r} is no JSON array: write the inputs in brackets")
    return text


def require_a_place(prompt: Prompt | None, inputs: str, field: str) -> None:
    """A prompt has a hole in the inputs, and a hole has a prompt. Raises ValueError."""
    if prompt is not None and PROMPT_HOLE not in inputs:
        raise ValueError(f'prompt has no place in {field}: write "{{prompt}}" where it belongs')
    if prompt is None and PROMPT_HOLE in inputs:
        raise ValueError(f"{field} holds {{prompt}}: set prompt, which says what stands in for it")
