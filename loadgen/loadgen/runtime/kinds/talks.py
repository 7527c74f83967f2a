"""Chats of several turns: a completion as ever, whose text is kept for the next turn's request."""

from dataclasses import dataclass, field

from loadgen.core.prompts.conversation import Conversation, Conversations
from loadgen.core.protocols import openai
from loadgen.runtime.http.exchange import Consumer, Exchange, Following
from loadgen.runtime.kinds.completions import StreamKind, WholeKind, posted


@dataclass(slots=True)
class TalkKind:
    """One turn of a conversation."""

    inner: StreamKind | WholeKind
    """What judges an answer; it hands what it decodes to `overhear`."""
    talks: Conversations
    timeout_ns: int
    consume: Consumer | None = None
    following: Following | None = None
    bodiless: bool = False
    idempotent: bool = True
    """As single completions."""
    _heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.consume, self.inner.decode = self.take, self.overhear

    def wire(self, exchange: Exchange) -> bytes:
        """All that was said so far, and the user's next message."""
        if exchange.talk is None:
            exchange.talk = self.talks.next()
        return posted(self.inner.head, self.talks.body(exchange.talk))

    def overhear(self, data: bytes) -> openai.ChunkKind:
        """Decode, and keep the text."""
        message = openai.decode(data)
        if message.has_output:
            self._heard.append(openai.text(data))
        return message

    def take(self, exchange: Exchange, body: bytes, stamp: int) -> bool:
        """A piece of the answer."""
        self._heard.clear()  # a message that could not be read may have left something behind: another conversation's
        over = self.inner.take(exchange, body, stamp)
        self._tell(exchange.talk)
        return over

    def _tell(self, talk: Conversation | None) -> None:
        if talk is not None:
            for text in self._heard:
                talk.hear(text)
        self._heard.clear()

    def verdict(self, exchange: Exchange) -> str | None:
        """As a single completion's; a success may go on."""
        self._heard.clear()
        failure = self.inner.verdict(exchange)
        self._tell(exchange.talk)
        if failure is None and exchange.talk is not None:
            self.talks.answered(exchange.talk)
        return failure

    def truncated(self, exchange: Exchange) -> str:
        """As a single completion's."""
        return self.inner.truncated(exchange)
