"""Ends a run early: counts outcomes as they come and cancels what need not finish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from state.failure_mode import Stop, stop_verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from state.failure_mode import FailureModeDocument
    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan import PlanDocument


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
        self._calls: set[asyncio.Future[JsonObject]] = set()
        self.verdict: Stop | None = None
        self._judge()

    def record(self, task_id: str, outcome: Outcome) -> None:
        """Count an outcome; cancel running calls if it ends the run."""
        self._known[task_id] = outcome
        self._judge()

    async def guard(self, call: Awaitable[JsonObject]) -> JsonObject:
        """Await `call`, unless the run ends first.

        Raises:
            CancelledByStopError: The run ended, and the call was cancelled.
        """
        running = asyncio.ensure_future(call)
        self._calls.add(running)
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            self._calls.discard(running)
        if running.cancelled() and self.verdict is not None:
            raise CancelledByStopError(self.verdict.reason)
        return running.result()

    def _judge(self) -> None:
        if self.verdict is None:
            self.verdict = stop_verdict(self._mode, self._known, total=self._total)
            if self.verdict is not None and self.verdict.cancel_running:
                for call in self._calls:
                    call.cancel()
