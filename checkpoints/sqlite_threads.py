"""Thread records and leases in SQLite, through the group-commit writer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from checkpoints import lease_sql
from checkpoints.encryption import PLAIN_TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from checkpoints.encryption import TextCipher
    from checkpoints.group_commit import GroupCommitWriter, Write
    from checkpoints.threads import Lease, ThreadRecord
    from state.plan import Plan

T = TypeVar("T")


class SqliteThreads:
    """A `ThreadStore` in the same file as the checkpoints."""

    def __init__(self, writer: GroupCommitWriter, cipher: TextCipher = PLAIN_TEXT) -> None:
        self._writer = writer
        self._cipher = cipher

    async def start(self, thread_id: str, plan: Plan, *, holder: str, seconds: float) -> Lease:
        """Store the plan of a new run and claim its thread."""
        return await self._run(
            partial(
                lease_sql.start,
                thread_id=thread_id,
                plan=plan,
                holder=holder,
                seconds=seconds,
                cipher=self._cipher,
            )
        )

    async def resume(
        self, thread_id: str, *, holder: str, seconds: float
    ) -> tuple[ThreadRecord, Lease]:
        """Claim a thread as it is."""
        return await self._run(
            partial(
                lease_sql.resume,
                thread_id=thread_id,
                holder=holder,
                seconds=seconds,
                cipher=self._cipher,
            )
        )

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> set[str]:
        """Extend leases; return the ids of the threads that are lost to others."""
        return await self._run(partial(lease_sql.renew, leases=leases, seconds=seconds))

    async def release(self, lease: Lease, *, status: str) -> None:
        """End a lease and note how the thread stands."""
        await self._run(partial(lease_sql.release, lease=lease, status=status))

    async def get(self, thread_id: str) -> ThreadRecord:
        """Return one record."""
        return await self._run(partial(lease_sql.get, thread_id=thread_id, cipher=self._cipher))

    async def recent(self, *, limit: int = 50, status: str | None = None) -> list[ThreadRecord]:
        """Return records, the last changed first."""
        return await self._run(
            partial(lease_sql.recent, limit=limit, status=status, cipher=self._cipher)
        )

    async def _run(self, write: Write[T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(write))
