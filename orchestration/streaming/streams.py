"""Streams of events to readers, who may come, fall behind, leave and come back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Self, cast

from checkpoints.events import RunKey
from checkpoints.threads import UNFINISHED
from orchestration.workflow_events import EventKind, WorkflowEvent
from state.errors import BadSequenceError, ThreadBusyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine

    from checkpoints.database import Database
    from checkpoints.event_feeds import Feed
    from checkpoints.events import LoggedEvent
    from checkpoints.threads import ThreadRecord

SHORTEST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.5
"""Between looks at what another process does."""


class EventStreams:
    """The events of one database's runs, as streams."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, key: RunKey, run: Callable[[], Coroutine[None, None, object]]
    ) -> AsyncGenerator[WorkflowEvent]:
        """Run something new, and yield its events as they come.

        Args:
            key: What it runs.
            run: Runs it, and writes its events; it is cancelled when the reader leaves.
        """
        with self._database.events.follow(key, newest=0) as feed:
            async with _Running(run(), feed) as running:
                async for event in self._events(key, feed, is_over=running.is_over):
                    yield event

    async def go_on(
        self, thread_id: str, resume: Callable[[bool], Awaitable[object]], *, after: int
    ) -> AsyncGenerator[WorkflowEvent]:
        """Yield a run's events from the log, run it on, and yield what comes.

        Args:
            thread_id: Its thread.
            resume: Runs it on, and writes its events; told whether this is its first call. It
                is called again when whoever else runs the thread is done, or dead.
            after: The last event that the reader has.

        Raises:
            ThreadNotFoundError: There is no such thread.
            BadSequenceError: The run has no such event.
        """
        key, record, last = await self._place(thread_id, after)
        if last is not None and last.kind == "run_finished" and record.status not in UNFINISHED:
            with self._database.events.follow(key) as feed:
                async for event in self._events(key, feed, is_over=_always, after=after):
                    yield event
            return
        with self._database.events.follow(key) as feed:
            async with _Running(self._when_free(thread_id, resume), feed) as running:
                over = running.is_over
                async for event in self._events(key, feed, is_over=over, after=after, polls=True):
                    yield event

    async def watch(
        self, thread_id: str, *, after: int, follow: bool
    ) -> AsyncGenerator[WorkflowEvent]:
        """Yield a run's events, and `follow` it as long as anybody runs it; see `go_on`."""
        key, _, _ = await self._place(thread_id, after)

        async def is_left() -> bool:
            record = await self._database.threads.get(thread_id)
            return record.plan.run_id != key.run_id or not _is_held(record)

        over = is_left if follow else _always
        with self._database.events.follow(key) as feed:
            async for event in self._events(key, feed, is_over=over, after=after, polls=True):
                yield event

    async def _events(
        self,
        key: RunKey,
        feed: Feed,
        *,
        is_over: Callable[[], Awaitable[bool]],
        after: int = 0,
        polls: bool = False,
    ) -> AsyncIterator[WorkflowEvent]:
        """Yield events until no more will come; `polls` if another process may add some."""
        pause, over, look = SHORTEST_PAUSE_SECONDS, False, polls
        while True:
            found = feed.take(after)
            if found is None or (look and not found):
                found = [*await self._database.events.read(key, after=after)]
            look = False
            for each in found:
                after = each.sequence
                yield _told(each, key.thread_id)
            if found:
                pause = SHORTEST_PAUSE_SECONDS
            elif over:
                return
            elif await is_over():
                over, look = True, polls  # once more
            else:
                is_woken = await feed.wait(pause if polls else None)
                look = polls and not is_woken
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _place(
        self, thread_id: str, after: int
    ) -> tuple[RunKey, ThreadRecord, LoggedEvent | None]:
        """Find a thread's present run, how it stands, and its last event."""
        record = await self._database.threads.get(thread_id)
        key = RunKey(thread_id, record.plan.run_id)
        last = await self._database.events.last(key)
        highest = 0 if last is None else last.sequence
        if not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= highest:
            raise BadSequenceError(thread_id, after, highest)
        return key, record, last

    async def _when_free(
        self, thread_id: str, resume: Callable[[bool], Awaitable[object]]
    ) -> object:
        """Run a thread on, once nobody else does."""
        is_first = True
        while True:
            try:
                return await resume(is_first)
            except ThreadBusyError:
                is_first = False
            await self._until_free(thread_id)

    async def _until_free(self, thread_id: str) -> None:
        """Wait until nobody runs a thread; who else does tells nobody but the database."""
        while _is_held(await self._database.threads.get(thread_id)):  # noqa: ASYNC110
            await asyncio.sleep(LONGEST_PAUSE_SECONDS / 2)


class _Running:
    """A run that a stream owns: it ends where it stands when the reader leaves."""

    def __init__(self, run: Coroutine[None, None, object], feed: Feed) -> None:
        self._task = asyncio.ensure_future(run)
        self._task.add_done_callback(lambda _: feed.wake())

    async def is_over(self) -> bool:
        return self._task.done()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        """Raises what the run raised, if the reader has stayed."""
        if kind is None:
            self._task.result()
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # who left does not want it


async def _always() -> bool:
    return True


def _is_held(record: ThreadRecord) -> bool:
    return record.lease is not None and record.lease.expires_at > time.time()


def _told(event: LoggedEvent, thread_id: str) -> WorkflowEvent:
    kind = cast("EventKind", event.kind)
    return WorkflowEvent(event.sequence, kind, thread_id, event.task_id, event.data)
