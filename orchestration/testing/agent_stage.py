"""The stage on which a fake agent acts, for the tests of `orchestration.testing.agent_contract`.

An act says what the fake does with the calls that come; it is played by whatever stands
behind a connector, in this loop, in another thread, or behind a socket.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.agents.connector import Connector
    from state.jsonvalue import JsonObject

PATIENCE: Final = 20.0
"""Seconds after which a test gives up; nothing waits that long if all is well."""


@dataclass(frozen=True, slots=True)
class Says:
    """It answers with text.

    Args:
        pieces: The text; in these pieces if the caller wants it so.
        usage: Input and output tokens that it reports; None if it reports nothing.
        held_after: After so many pieces it waits until the stage is released; a reply in one
            piece waits too.
    """

    pieces: tuple[str, ...]
    usage: tuple[int, int] | None = None
    held_after: int | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Echoes:
    """It answers with the text that it was asked; once the stage is released, if `held`."""

    held: bool = False


@dataclass(frozen=True, slots=True)
class Refuses:
    """It says no."""

    message: str


@dataclass(frozen=True, slots=True)
class Fails:
    """It begins, and fails with a message."""

    message: str


@dataclass(frozen=True, slots=True)
class Breaks:
    """It begins, says these pieces if the caller wants pieces, and the connection ends."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """It takes no calls for so many seconds; None does not say how many."""

    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Distrusts:
    """It does not accept the credentials."""


@dataclass(frozen=True, slots=True)
class Babbles:
    """It answers with something that is no reply."""


Act: TypeAlias = Says | Echoes | Refuses | Fails | Breaks | Limits | Distrusts | Babbles


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a fake agent got with a call; None is what its protocol does not carry."""

    text: str
    """Of the last message."""
    key: str | None = None
    """The idempotency key."""
    remaining_seconds: float | None = None
    """Until the deadline, as the fake was told or can work out."""
    upstream: JsonObject | None = None
    streamed: bool | None = None
    """Whether the caller wants the text in pieces."""


class Gate:
    """Opens once; any thread and any event loop may wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def open(self) -> None:
        """Let all through, from now on."""
        with self._lock:
            self._open.set()
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait(self) -> None:
        """Wait in an event loop."""
        event = asyncio.Event()
        with self._lock:
            if self._open.is_set():
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()

    def wait_in_thread(self) -> None:
        """Wait in a thread that runs no event loop."""
        self._open.wait(PATIENCE)


class Stage(ABC):
    """Makes connectors to a fake agent, tells it what to do, and knows what it got.

    Whoever plays the agent calls `enter` for each call and does what that returns, and
    `leave_early` if it notices that the caller has gone. All of it may be used from any thread.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.gate = Gate()
        self._act: Act = Says(("well",))
        self._changed = threading.Condition()
        self._left_early = 0

    @abstractmethod
    def connector(self) -> Connector:
        """Make a new connector to the fake agent."""

    @abstractmethod
    def connector_to_nobody(self) -> Connector | None:
        """Make one to a place where nothing listens; None for kinds without places."""

    # -- for the tests -----------------------------------------------------------------

    def play(self, act: Act) -> None:
        """Say what the agent does with the calls from now on."""
        self._act = act

    def release(self) -> None:
        """Let go on what is held."""
        self.gate.open()

    async def arrived(self, *, count: int = 1) -> None:
        """Wait until the agent got so many calls."""
        await self._until(lambda: len(self.received) >= count, f"{count} calls arrive")

    async def given_up(self) -> None:
        """Wait until the agent noticed that a caller has gone."""
        await self._until(lambda: self._left_early > 0, "the agent notices that its caller left")

    @property
    def act(self) -> Act:
        """What the agent does with calls now."""
        return self._act

    @property
    def left_early(self) -> int:
        """How many callers went before they had their reply, as far as the agent noticed."""
        return self._left_early

    # -- for whoever plays the agent -----------------------------------------------------

    def enter(self, received: Received) -> Act:
        """Note a call, and return what is to be done with it."""
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()
        return self._act

    def leave_early(self) -> None:
        """Note that a caller went before it had its reply."""
        with self._changed:
            self._left_early += 1
            self._changed.notify_all()

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        if not await asyncio.to_thread(self._wait, done):
            raise AssertionError(f"waited {PATIENCE:g} s in vain until {what}")

    def _wait(self, done: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(done, PATIENCE)
