"""Runs that go on in this process, whoever listens to them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from a2a.types import Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

_STOP_SECONDS: Final = 10.0
_LONGEST_PIECE: Final = 4096
"""Letters; longer ones take no more."""
_log = logging.getLogger(__name__)
Update: TypeAlias = Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent


class Run:
    """One run, with what was told of it so far, so that a late listener misses nothing."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        """Why nothing more is known of it; its thread may still go on later."""
        self.is_over = False
        self._told: list[Update] = []
        self._heard = 0
        """How many of those any listener has got."""
        self._changed = asyncio.Event()
        self.worker: asyncio.Task[None] | None = None

    def tell(self, update: Update) -> None:
        """Tell all listeners; a piece of text goes with the one before if nobody has got that."""
        last = self._told[-1] if len(self._told) > self._heard else None
        if not _joined(last, update):
            self._told.append(update)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will be told."""
        self.error, self.is_over = error, True
        self._wake()

    async def updates(self) -> AsyncIterator[Update]:
        """Yield all that was told and will be."""
        position = 0
        while True:
            changed = self._changed
            while position < len(self._told):
                position += 1
                self._heard = max(self._heard, position)
                yield self._told[position - 1]
            if self.is_over:
                return
            await changed.wait()

    async def ended(self) -> None:
        """Wait until it is over."""
        while not self.is_over:
            await self._changed.wait()

    async def begun(self) -> None:
        """Wait until something was told, or it is over."""
        while not (self._told or self.is_over):
            await self._changed.wait()

    async def progress(self) -> None:
        """Wait until something more is told, or it is over."""
        if not self.is_over:
            await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _joined(last: Update | None, update: Update) -> bool:
    """Put a piece of an artifact's text to the one before, if they are of one sort.

    An update weighs a hundred times what its few letters do.
    """
    if not isinstance(last, TaskArtifactUpdateEvent):
        return False
    if not isinstance(update, TaskArtifactUpdateEvent) or not update.append or last.last_chunk:
        return False
    before, after = last.artifact, update.artifact
    is_more = before.artifact_id == after.artifact_id and not update.last_chunk
    if not is_more or len(before.parts) != 1 or len(after.parts) != 1:
        return False
    text, more = before.parts[0].text, after.parts[0].text  # empty for data
    if not text or not more or len(text) > _LONGEST_PIECE:
        return False
    before.parts[0].text += more
    return True


class Runs:
    """The runs of this process, by thread id."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def __len__(self) -> int:
        """How many go on."""
        return len(self._runs)

    def get(self, thread_id: str) -> Run | None:
        """Return a run that is not over."""
        return self._runs.get(thread_id)

    def begin(self, thread_id: str, work: Callable[[Run], Coroutine[None, None, None]]) -> Run:
        """Do work that tells a run what happens, without waiting for it."""
        run = self._runs[thread_id] = Run()
        run.worker = asyncio.create_task(self._do(thread_id, run, work))
        return run

    async def stop(self, thread_id: str) -> bool:
        """Stop a run where it stands, so that it can be resumed.

        Returns:
            Whether it has stopped; an agent may take long to heed that.
        """
        run = self._runs.get(thread_id)
        if run is None or run.worker is None:
            return True
        run.worker.cancel()
        await asyncio.wait({run.worker}, timeout=_STOP_SECONDS)
        return run.is_over

    async def close(self) -> None:
        """Stop all runs where they stand."""
        for thread_id in list(self._runs):
            await self.stop(thread_id)

    async def _do(
        self, thread_id: str, run: Run, work: Callable[[Run], Coroutine[None, None, None]]
    ) -> None:
        error: Exception | None = None
        try:
            await work(run)
        except Exception as raised:  # noqa: BLE001  it is told to whoever listens
            error = raised
            _log.warning("the run of thread %s stopped: %r", thread_id, raised)
        finally:
            self._runs.pop(thread_id, None)
            run.end(error)
