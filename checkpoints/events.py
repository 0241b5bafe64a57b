"""The events of streamed runs: each is in a log before anybody gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from checkpoints.event_feeds import Feed
    from checkpoints.threads import Lease
    from state.jsonvalue import JsonObject

PAGE: Final = 500
"""Events read at once."""


class RunKey(NamedTuple):
    """Which run's log."""

    thread_id: str
    run_id: str


class LoggedEvent(NamedTuple):
    """One event of a run."""

    sequence: int
    """From 1 on, without gaps, over all processes that the run is in."""
    kind: str
    task_id: str
    data: JsonObject


class EventAppender(Protocol):
    """Adds events to the log of one run, as the holder of its thread's lease."""

    def add(self, event: LoggedEvent) -> None:
        """Queue an event; once it is in the log, readers of this process get it. Never waits.

        It is in the log no later than any checkpoint that is written after.
        """
        ...

    async def settle(self) -> None:
        """Wait until everything that was added is in the log.

        Raises:
            LeaseLostError: Another process has the thread; what was added since is not there.
            sqlite3.Error, DatabaseError: It cannot be written.
        """
        ...


class EventLog(Protocol):
    """Keeps the events of runs, and hands them to readers."""

    def appender(
        self, lease: Lease, run_id: str, *, refused: Callable[[BaseException], None]
    ) -> EventAppender:
        """Return what adds to a run's log.

        Args:
            lease: The right to run the thread; without it, nothing is added.
            run_id: Whose events.
            refused: Told once why something could not be added, from any thread.
        """
        ...

    async def read(self, key: RunKey, *, after: int, limit: int = PAGE) -> Sequence[LoggedEvent]:
        """Return the first events after a sequence number.

        Raises:
            EventsGoneError: They are not kept any more.
        """
        ...

    async def last(self, key: RunKey) -> LoggedEvent | None:
        """Return the last event; None if the run has no log."""
        ...

    def follow(self, key: RunKey, *, newest: int | None = None) -> AbstractContextManager[Feed]:
        """Collect what this process adds to a run's log, for one reader.

        Args:
            key: Which run's.
            newest: The last event there is, where that is known.
        """
        ...
