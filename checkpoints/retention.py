"""Retention: how finished work is trimmed, copied, left to expire, and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from checkpoints.threads import UNFINISHED
from state.errors import ConfigurationError, RetentionError, ThreadBusyError

if TYPE_CHECKING:
    from collections.abc import Sequence

Strategy = Literal["keep_latest", "delete"]
"""What LangGraph's `prune` can do."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted; add them up with `+`."""

    checkpoints: int = 0
    writes: int = 0
    thread_ids: tuple[str, ...] = ()
    """Threads that are gone altogether."""

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.checkpoints + other.checkpoints,
            self.writes + other.writes,
            self.thread_ids + other.thread_ids,
        )


class Copied(NamedTuple):
    """What a copy consists of."""

    checkpoints: int
    writes: int


class Vacuumed(NamedTuple):
    """What vacuuming did to a database's files."""

    kind: Literal["full", "incremental", "none"]
    """`none` for a database that has no file."""
    bytes_before: int
    """Size of the file and its write-ahead log."""
    bytes_after: int


class Retention(Protocol):
    """Trims and deletes the threads of one database; every step leaves them whole.

    Much is deleted in several transactions, so that others can write in between. A thread
    that somebody runs is left alone.
    """

    async def prune(self, thread_ids: Sequence[str] | None = None, *, keep: int = 1) -> Removed:
        """Delete old checkpoints, all but the latest `keep` of each namespace.

        What those need is kept: subgraphs under way, and what a `DeltaChannel` is put
        together from. A paused thread can still be resumed, a finished one looked at.

        Args:
            thread_ids: The threads; None means every one that nobody runs.
            keep: How many checkpoints are kept, beside what they need.

        Raises:
            ConfigurationError: `keep` is less than 1.
            ThreadBusyError: Somebody runs one of them.
        """
        ...

    async def copy(self, source: str, target: str) -> Copied:
        """Copy a finished thread, with all its checkpoints, under another id.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody runs it.
            RetentionError: It has not finished, so that its work would be done twice; or
                the other id is taken.
        """
        ...

    async def delete(self, thread_id: str, *, force: bool = False) -> Removed:
        """Delete a thread: its checkpoints, their writes, its row, its time to live.

        Args:
            thread_id: The thread.
            force: Whether to delete it although it waits, or was interrupted by a crash.

        Raises:
            ThreadNotFoundError: There is no such thread.
            ThreadBusyError: Somebody runs it.
            RetentionError: It has not finished, and `force` is not set.
        """
        ...

    async def expire(self, thread_id: str, *, after: timedelta | None) -> None:
        """Say how long a thread is kept once it has finished; None is for ever.

        Raises:
            ConfigurationError: The time is not positive.
            ThreadNotFoundError: There is no such thread.
        """
        ...

    async def sweep(
        self, *, older_than: timedelta | None = None, now: float | None = None
    ) -> Removed:
        """Delete finished threads whose time is over; unfinished ones are never deleted.

        Args:
            older_than: The time for threads that have none of their own; None is for ever.
            now: Seconds since the epoch; by default the present.

        Raises:
            ConfigurationError: The time is not positive.
        """
        ...

    async def vacuum(self, *, full: bool = False) -> Vacuumed:
        """Give free space back to the file system; other processes go on meanwhile.

        Args:
            full: Whether to rewrite the whole file, which packs it best; others wait for
                their writes until it is done.

        Raises:
            DatabaseError: Others kept the file busy for too long.
        """
        ...


def check_keep(keep: int) -> None:
    """Return if so many checkpoints can be kept.

    Raises:
        ConfigurationError: They cannot.
    """
    if keep < 1:
        raise ConfigurationError(
            f"keep={keep} cannot be; keep at least 1 checkpoint, or delete the thread"
        )


def check_time(after: timedelta | None) -> None:
    """Return if a time to live can be used.

    Raises:
        ConfigurationError: It is not positive.
    """
    if after is not None and after <= timedelta(0):
        raise ConfigurationError(f"a time to live of {after} cannot be; give a positive one")


def check_strategy(strategy: str) -> None:
    """Return if LangGraph's name for what to prune is known.

    Raises:
        ConfigurationError: It is not.
    """
    if strategy not in {"keep_latest", "delete"}:
        raise ConfigurationError(
            f"prune strategy {strategy!r} is unknown; use 'keep_latest' or 'delete'"
        )


class Standing(NamedTuple):
    """How a thread's row stands, as far as retention asks."""

    status: str
    updated_at: float
    holder: str | None
    lease_expires_at: float
    expires_after_seconds: float | None

    def check_idle(self, thread_id: str, *, now: float) -> None:
        """Return if nobody runs the thread.

        Raises:
            ThreadBusyError: Somebody does.
        """
        if self.holder is not None and self.lease_expires_at > now:
            raise ThreadBusyError(thread_id, self.holder, self.lease_expires_at)

    def check_finished(self, thread_id: str, *, instead: str) -> None:
        """Return if the thread's last run has ended.

        Raises:
            RetentionError: It has not; `instead` says what to do.
        """
        if self.status in UNFINISHED:
            raise RetentionError(
                thread_id, f"its last run has not finished (status {self.status!r}); {instead}"
            )

    def is_due(self, *, older_than: timedelta | None, now: float) -> bool:
        """Whether the thread has finished, and its time is over."""
        seconds = self.expires_after_seconds
        if seconds is None and older_than is not None:
            seconds = older_than.total_seconds()
        idle = self.holder is None or self.lease_expires_at <= now
        finished = self.status not in UNFINISHED
        return idle and finished and seconds is not None and self.updated_at + seconds <= now


RESUME_OR_FORCE: Final = (
    "resume it to its end first, or force it (`force=True`, `--force`) to lose that work"
)
NO_SECOND_RUN: Final = (
    "a copy would do the same work a second time, under the same idempotency keys. "
    "Resume it to its end first"
)


def taken(thread_id: str) -> RetentionError:
    """The error for a copy onto a thread that exists."""
    return RetentionError(thread_id, "it exists already; copy to another id, or delete it first")
