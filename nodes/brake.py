"""Stops a run from outside: at its next superstep (drain), or for good (cancel)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl

if TYPE_CHECKING:
    from nodes.ports import Clock
    from state.cancellation import Cancellation


class Brake:
    """What stops one run; used on the event loop that runs it.

    Calls under way are awaited in both cases, as they may have acted. Drained, the run can
    be resumed; cancelled, each task that has not begun ends as `cancelled`.
    """

    __slots__ = ("_pulled", "cancellation", "control")

    def __init__(self, cancellation: Cancellation | None = None) -> None:
        self.control = RunControl()
        self.cancellation = cancellation
        self._pulled: asyncio.Event | None = None

    def drain(self) -> None:
        """Stop at the next superstep."""
        self.control.request_drain()
        self._pull()

    def cancel(self, cancellation: Cancellation) -> None:
        """Begin no further task."""
        if self.cancellation is None:
            self.cancellation = cancellation
            self._pull()

    async def sleep(self, seconds: float, clock: Clock, *, though_cancelled: bool = False) -> None:
        """Wait before an attempt, unless the run is stopped meanwhile.

        Args:
            seconds: How long.
            clock: Waits.
            though_cancelled: Whether only a drain ends the wait, as it is for undoing something.

        Raises:
            GraphDrained: It is to be resumed later.
        """
        self._pulled = self._pulled or asyncio.Event()
        goes_on = though_cancelled or self.cancellation is None
        if though_cancelled:
            self._pulled.clear()
        if goes_on and not self.control.drain_requested:
            waits = {
                asyncio.ensure_future(clock.sleep(seconds)),
                asyncio.ensure_future(self._pulled.wait()),
            }
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
                await asyncio.wait(waits)
        if self.control.drain_requested:
            raise GraphDrained(self.control.drain_reason or "shutdown")

    def _pull(self) -> None:
        if self._pulled is not None:
            self._pulled.set()
