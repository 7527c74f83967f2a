"""Conversations of several turns: each request carries what was said so far, the model's own answers too.

A prefix cache then works as it does for real chats: everything but the newest message was in the request before. A turn
continues the conversation whose answer came first, or begins one where none waits; so the arrivals decide when turns
happen, and a conversation stays with the shard that began it. A turn that fails is never `answered`, and with it the
conversation is gone.

Memory: a conversation that passes `LONGEST` bytes ends with that turn; when those that wait have `MOST_WAITING` bytes
together, a further one ends too.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 4 * 1024 * 1024
MOST_WAITING = 256 * 1024 * 1024


class Conversation:
    """What was said so far."""

    __slots__ = ("_answer", "heard", "messages", "turn")

    def __init__(self) -> None:
        self.turn = 0
        """Turns begun."""
        self.messages = bytearray()
        """JSON objects with commas between them."""
        self.heard = 0
        """Characters of the answer under way."""
        self._answer: list[str] = []

    def ask(self, prompt: bytes) -> None:
        """The user's next message, as it stands in JSON."""
        self.turn += 1
        self.messages += b',{"role":"user","content":"' if self.messages else b'{"role":"user","content":"'
        self.messages += prompt + b'"}'

    def hear(self, text: str) -> None:
        """A piece of the answer."""
        if self.heard <= LONGEST:
            self._answer.append(text)
            self.heard += len(text)

    def close_turn(self) -> None:
        """The answer is whole."""
        answer = json.dumps("".join(self._answer)).encode()
        self.messages += b',{"role":"assistant","content":%b}' % answer
        self._answer.clear()
        self.heard = 0


class Conversations:
    """Those of one kind of request in one shard."""

    def __init__(self, turns: int, prompt: Callable[[], bytes], head: bytes, tail: bytes) -> None:
        self._turns, self._prompt = turns, prompt
        self._head, self._tail = head, tail
        self._waiting: deque[Conversation] = deque()
        self._held = 0

    def next(self) -> Conversation:
        """One whose turn it is, with the user's message in it."""
        if self._waiting:
            conversation = self._waiting.popleft()
            self._held -= len(conversation.messages)
        else:
            conversation = Conversation()
        conversation.ask(self._prompt())
        return conversation

    def body(self, conversation: Conversation) -> bytes:
        """The request."""
        return b"".join((self._head, conversation.messages, self._tail))

    def answered(self, conversation: Conversation) -> None:
        """Its answer has arrived: it waits for its next turn, if it has one."""
        conversation.close_turn()
        size = len(conversation.messages)
        if conversation.turn < self._turns and size <= LONGEST and self._held + size <= MOST_WAITING:
            self._waiting.append(conversation)
            self._held += size
