"""The log of events in this process only, of each run the last so many."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from checkpoints.event_feeds import Feeds
from checkpoints.events import PAGE, LoggedEvent, RunKey
from checkpoints.history import ALL
from state.errors import EventsGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from checkpoints.event_feeds import Feed
    from checkpoints.history import KeepRuns
    from checkpoints.memory_threads import MemoryThreads
    from checkpoints.threads import Lease

KEPT_EVENTS: Final = 10_000
"""Of each run; who falls further behind cannot catch up."""


class MemoryEvents:
    """An `EventLog` for `memory://`; nothing in it waits."""

    def __init__(self, threads: MemoryThreads) -> None:
        self._threads = threads
        self._logs: dict[str, dict[str, deque[LoggedEvent]]] = {}
        self._feeds = Feeds()
        threads.on_forget.append(lambda thread_id: self._logs.pop(thread_id, None))

    def appender(
        self,
        lease: Lease,
        run_id: str,
        *,
        refused: Callable[[BaseException], None],  # noqa: ARG002  it is raised at once
    ) -> MemoryAppender:
        """Return what adds to a run's log."""
        return MemoryAppender(self, lease, run_id)

    def append(self, lease: Lease, run_id: str, event: LoggedEvent) -> None:
        """Add an event.

        Raises:
            LeaseLostError: The thread is another's, or gone.
        """
        self._threads.check_token(lease.thread_id, lease.token)
        runs = self._logs.setdefault(lease.thread_id, {})
        if run_id not in runs:
            runs[run_id] = deque(maxlen=KEPT_EVENTS)
            self._threads.note_stream(lease.thread_id)
        runs[run_id].append(event)
        self._feeds.publish(RunKey(lease.thread_id, run_id), [event])

    async def read(self, key: RunKey, *, after: int, limit: int = PAGE) -> Sequence[LoggedEvent]:
        """Return the first events after a sequence number.

        Raises:
            EventsGoneError: They are not kept any more.
        """
        log = self._log(key)
        if not log:
            return []
        first = log[0].sequence
        if after + 1 < first:
            raise EventsGoneError(key.thread_id, after, first)
        start = after + 1 - first
        return [*islice(log, start, start + limit)]

    async def last(self, key: RunKey) -> LoggedEvent | None:
        """Return the last event."""
        log = self._log(key)
        return log[-1] if log else None

    def follow(self, key: RunKey, *, newest: int | None = None) -> AbstractContextManager[Feed]:
        """Collect what is added to a run's log, for one reader."""
        return self._feeds.follow(key, newest=newest)

    def forget_runs(self, thread_id: str, *, present: str, keep: KeepRuns) -> None:
        """Delete the logs of a thread's runs but the present and the last `keep` before it."""
        logs = self._logs.get(thread_id)
        if keep == ALL or not logs:
            return
        earlier = [run_id for run_id in logs if run_id != present]
        for run_id in earlier[: max(0, len(earlier) - keep)]:
            del logs[run_id]

    def _log(self, key: RunKey) -> deque[LoggedEvent] | None:
        return self._logs.get(key.thread_id, {}).get(key.run_id)


class MemoryAppender:
    """Adds events to one run's log at once."""

    def __init__(self, log: MemoryEvents, lease: Lease, run_id: str) -> None:
        self._log = log
        self._lease = lease
        self._run_id = run_id

    def add(self, event: LoggedEvent) -> None:
        """Add an event.

        Raises:
            LeaseLostError: The thread is another's, or gone.
        """
        self._log.append(self._lease, self._run_id, event)

    async def settle(self) -> None:
        """Return: everything is in the log."""
