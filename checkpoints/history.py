"""The messages of threads, one turn after another, kept beside the checkpoints.

A checkpoint holds the whole state, so a history in the state is written again at every step
and grows with every turn. Here each message is written once, and a run gets the last few.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from state.conversation import HistoryWindow
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpoints.approvals import NewRequest
    from checkpoints.threads import Lease, Released
    from checkpoints.traffic import CallRecord
    from checkpoints.upgrades import TurnResult
    from state.jsonvalue import JsonObject
    from state.plan import Plan

KEEP_RUNS_VARIABLE: Final = "ORCHESTRATION_KEEP_RUNS"
ALL: Final = "all"
DEFAULT_KEEP_RUNS: Final = 0

KeepRuns = int | Literal["all"]


class RecordedMessage(NamedTuple):
    """One message of a thread."""

    sequence: int
    """Its place in the thread: 1 for the first, and no gaps."""
    run_id: str
    """The turn in which it was said."""
    message: JsonObject
    created_at: float
    """Seconds since the epoch."""


class Answers(NamedTuple):
    """What the agents of a run said."""

    run_id: str
    position: int
    """How many messages the run's tasks brought, which stand before these."""
    messages: Sequence[JsonObject]
    result: JsonObject | None = None
    """What the run came to, where the results of turns are kept."""


class Begun(NamedTuple):
    """A run that holds its thread."""

    lease: Lease
    history: list[JsonObject]
    """The last messages of earlier turns, the oldest first."""
    is_emptied: bool = False
    """Whether all checkpoints of earlier runs were forgotten, so that nothing is to be cleared."""


@dataclass(frozen=True, slots=True)
class HistoryPolicy:
    """What of earlier runs a thread keeps, and what a run gets to see of it."""

    keep_runs: KeepRuns = DEFAULT_KEEP_RUNS
    """Earlier runs whose checkpoints stay when the thread begins another; messages always do."""
    window: HistoryWindow = field(default_factory=HistoryWindow)


class HistoryStore(Protocol):
    """Begins and ends the turns of threads, with their messages; every method is atomic.

    A run's messages are written in the transaction that claims or releases its thread, so they
    are there exactly once, whoever dies when, and only the lease's holder adds any.
    """

    async def begin(
        self, thread_id: str, plan: Plan, *, holder: str, seconds: float, only_new: bool = False
    ) -> Begun:
        """Do what `ThreadStore.start` does; record what the tasks bring, and forget old runs.

        Args:
            thread_id: Where the run is kept.
            plan: What it does.
            holder: Who claims the thread.
            seconds: How long the lease lasts.
            only_new: Whether to do it only if there is no such thread yet, whatever its state.

        Raises:
            ThreadExistsError: `only_new`, and there is one; nothing is recorded.
            ThreadBusyError: Somebody runs it; nothing is recorded.
            ThreadPendingError: Its last run has not finished; nothing is recorded.
        """
        ...

    async def end(  # noqa: PLR0913  one for each thing that a run leaves
        self,
        lease: Lease,
        *,
        status: str,
        asked: Sequence[NewRequest] | None = None,
        heed_cancellation: bool = False,
        answers: Answers | None = None,
        calls: Sequence[CallRecord] = (),
    ) -> Released:
        """Do what `ThreadStore.release` does, and record what the agents said and cost.

        When a run is over, it is forgotten where its calls went. Recording the same answers or
        calls again changes nothing. Nothing is recorded where the lease
        is kept, because somebody has answered one of the questions `asked`.

        Raises:
            LeaseLostError: The thread belongs to another; nothing is recorded.
        """
        ...

    async def before(self, thread_id: str, *, run_id: str) -> list[JsonObject]:
        """Return what `begin` gave to this run, for whoever has to start it again."""
        ...

    async def turns(self, thread_id: str) -> list[TurnResult]:
        """Return the results of a thread's turns, the oldest first, as far as they are kept."""
        ...

    async def page(
        self, thread_id: str, *, limit: int, before: int | None = None
    ) -> list[RecordedMessage]:
        """Return the last messages (of those with a lower sequence than `before`), newest last."""
        ...


def keep_runs_setting(wanted: object = None) -> KeepRuns:
    """Return how many earlier runs keep their checkpoints: `wanted`, else the environment's.

    Raises:
        ConfigurationError: It is neither a whole number from 0 on nor `all`.
    """
    given = os.environ.get(KEEP_RUNS_VARIABLE) or DEFAULT_KEEP_RUNS if wanted is None else wanted
    if given == ALL:
        return ALL
    text = "" if isinstance(given, bool) else str(given).strip()
    if text.isascii() and text.isdigit():
        return int(text)
    source = f"{KEEP_RUNS_VARIABLE}={given!r}" if wanted is None else f"keep_runs={given!r}"
    raise ConfigurationError(
        f"{source} cannot be; use the number of earlier runs of a thread that keep their "
        "checkpoints (0 is none), or 'all'"
    )
