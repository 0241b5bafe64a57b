"""Ends a run early: counts outcomes as they come and cancels what need not finish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from state.failure_mode import Stop, stop_verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from state.failure_mode import FailureModeDocument
    from state.outcome import Outcome
    from state.plan import PlanDocument

T = TypeVar("T")


class CancelledByStopError(Exception):
    """Raised in place of an answer when the run ended before the agent did."""


class StopSignal:
    """The tally of one run in this process.

    Parallel nodes see the state as it was when their superstep began, so what their
    siblings achieved meanwhile is counted here. After a crash it is seeded from the
    checkpoint and its pending writes.
    """

    def __init__(self, plan: PlanDocument, known: Mapping[str, Outcome]) -> None:
        self._mode: FailureModeDocument = plan["on_failure"]
        self._total = len(plan["order"])
        self._known = dict(known)
        self._calls: set[asyncio.Future[Any]] = set()
        self._waits: set[asyncio.Future[Any]] = set()
        self.verdict: Stop | None = None
        self._judge()

    def record(self, task_id: str, outcome: Outcome) -> None:
        """Count an outcome; cancel running calls if it ends the run."""
        self._known[task_id] = outcome
        self._judge()

    async def guard(self, work: Awaitable[T], *, only_waits: bool = False) -> T:
        """Await `work`, unless the run ends first.

        Args:
            work: A call of an agent, or a wait before one.
            only_waits: Whether any end of the run ends it, also one that lets calls finish.

        Raises:
            CancelledByStopError: The run ended, and the work was cancelled.
        """
        running = asyncio.ensure_future(work)
        running.add_done_callback(_retrieve)
        ending = self._waits if only_waits else self._calls
        ending.add(running)
        self._end(running, only_waits=only_waits)
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})  # let it tidy up
            raise
        finally:
            ending.discard(running)
        if running.cancelled() and self.verdict is not None:
            raise CancelledByStopError(self.verdict.reason)
        return running.result()

    def _judge(self) -> None:
        if self.verdict is not None:
            return
        self.verdict = stop_verdict(self._mode, self._known, total=self._total)
        for call in self._calls:
            self._end(call, only_waits=False)
        for wait in self._waits:
            self._end(wait, only_waits=True)

    def _end(self, running: asyncio.Future[Any], *, only_waits: bool) -> None:
        if self.verdict is not None and (only_waits or self.verdict.cancel_running):
            running.cancel()


def _retrieve(finished: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more, so that asyncio does not complain."""
    if not finished.cancelled():
        finished.exception()
