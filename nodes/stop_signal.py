"""Ends a run early: counts outcomes as they come and cancels what need not finish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from state.failure_mode import Stop, stop_verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from state.failure_mode import FailureModeDocument
    from state.outcome import Outcome
    from state.plan_document import PlanDocument

T = TypeVar("T")

GRACE_SECONDS: Final = 1.0
"""How long a cancelled call may tidy up before it is left behind."""


_GOES_ON: Final[FailureModeDocument] = {"kind": "continue", "needed": 0}


class CancelledByStopError(Exception):
    """Raised in place of an answer when the run ended before the agent did."""


class StopSignal:
    """The tally of one run in this process.

    Parallel nodes see the state as it was when their superstep began, so what their
    siblings achieved meanwhile is counted here. After a crash it is seeded from the
    checkpoint and its pending writes.
    """

    def __init__(
        self,
        plan: PlanDocument,
        known: Mapping[str, Outcome],
        *,
        around: StopSignal | None = None,
        judges: bool = True,
    ) -> None:
        """Count what is known.

        Args:
            plan: Whose tasks are counted.
            known: What became of them so far.
            around: Of the plan that this one is inside of; its end ends this one too.
            judges: Whether outcomes here end anything by themselves.
        """
        self._mode: FailureModeDocument = plan["on_failure"] if judges else _GOES_ON
        self._total = len(plan["order"])
        self._known = dict(known)
        self._calls: dict[asyncio.Future[Any], asyncio.Event] = {}
        self._waits: dict[asyncio.Future[Any], asyncio.Event] = {}
        self._around = around
        self._verdict: Stop | None = None
        self._judge()

    @property
    def verdict(self) -> Stop | None:
        """Why no further task begins; None while they do."""
        if self._verdict is None and self._around is not None:
            return self._around.verdict
        return self._verdict

    def record(self, task_id: str, outcome: Outcome) -> None:
        """Count an outcome; cancel running calls if it ends the run."""
        self._known[task_id] = outcome
        self._judge()

    async def guard(self, work: Awaitable[T], *, only_waits: bool = False) -> T:
        """Await `work`, unless the run ends first.

        What is cancelled gets `GRACE_SECONDS` to tidy up, and is then left behind: agents in
        threads, and those that swallow a cancellation, may go on for as long as they like.

        Args:
            work: A call of an agent, or a wait before one.
            only_waits: Whether any end of the run ends it, also one that lets calls finish.

        Raises:
            CancelledByStopError: The run ended, and the work was cancelled.
        """
        if self._around is None:
            return await self._guard(work, only_waits=only_waits)
        running = asyncio.ensure_future(work)
        running.add_done_callback(_retrieve)
        ended = self._around.verdict
        if ended is not None and (only_waits or ended.cancel_running):
            running.cancel()  # before it begins
        own = self._guard(running, only_waits=only_waits)
        try:
            return await self._around.guard(own, only_waits=only_waits)
        except BaseException:
            running.cancel()  # as `own` may not even have begun
            raise

    async def _guard(self, work: Awaitable[T], *, only_waits: bool) -> T:
        running = asyncio.ensure_future(work)
        running.add_done_callback(_retrieve)
        over = asyncio.Event()
        running.add_done_callback(lambda _: over.set())
        guarded = self._waits if only_waits else self._calls
        guarded[running] = over
        self._end(running, over, only_waits=only_waits)
        try:
            await over.wait()
            if not running.done():
                await asyncio.wait({running}, timeout=GRACE_SECONDS)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running}, timeout=GRACE_SECONDS)
            raise
        finally:
            del guarded[running]
        if self._verdict is not None and (not running.done() or running.cancelled()):
            raise CancelledByStopError(self._verdict.reason)
        return running.result()

    def _judge(self) -> None:
        if self._verdict is not None:
            return
        self._verdict = stop_verdict(self._mode, self._known, total=self._total)
        for call, over in self._calls.items():
            self._end(call, over, only_waits=False)
        for wait, over in self._waits.items():
            self._end(wait, over, only_waits=True)

    def _end(self, running: asyncio.Future[Any], over: asyncio.Event, *, only_waits: bool) -> None:
        if self._verdict is not None and (only_waits or self._verdict.cancel_running):
            running.cancel()
            over.set()


def _retrieve(finished: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more, so that asyncio does not complain."""
    if not finished.cancelled():
        finished.exception()
