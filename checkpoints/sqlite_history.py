"""Messages of threads in SQLite, through the group-commit writer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from checkpoints import events_sql, history_sql, lease_sql, traffic_sql, upgrade_sql
from checkpoints.encryption import PLAIN_TEXT
from checkpoints.history import Begun, RecordedMessage
from checkpoints.run_pruning import forget_runs
from checkpoints.statements import on_sqlite
from checkpoints.threads import UNFINISHED
from state.conversation import brought, message_of, role_of, text_of
from state.errors import ThreadExistsError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from checkpoints.approvals import NewRequest
    from checkpoints.encryption import TextCipher
    from checkpoints.group_commit import GroupCommitWriter, Write
    from checkpoints.history import Answers, HistoryPolicy
    from checkpoints.sqlite_threads import SqliteThreads
    from checkpoints.threads import Lease, Released
    from checkpoints.traffic import CallRecord
    from checkpoints.upgrades import TurnResult
    from state.jsonvalue import JsonObject
    from state.plan import Plan

T = TypeVar("T")


class SqliteHistory:
    """A `HistoryStore` in the same file as threads and checkpoints."""

    def __init__(
        self,
        writer: GroupCommitWriter,
        threads: SqliteThreads,
        policy: HistoryPolicy,
        *,
        cipher: TextCipher = PLAIN_TEXT,
    ) -> None:
        self._writer = writer
        self._cipher = cipher
        self._threads = threads
        self._policy = policy

    async def begin(
        self, thread_id: str, plan: Plan, *, holder: str, seconds: float, only_new: bool = False
    ) -> Begun:
        """Claim the thread for a new run, record what its tasks bring, forget old runs."""
        messages = self._rows(brought(plan.document)) if plan.traits.speaks else []
        limit = self._policy.window.messages

        def write(connection: sqlite3.Connection) -> tuple[Lease, list[str], bool]:
            is_known = lease_sql.exists(connection, thread_id)
            if is_known and only_new:
                raise ThreadExistsError(thread_id)
            lease = lease_sql.start(
                connection, thread_id, plan, holder=holder, seconds=seconds, cipher=self._cipher
            )
            earlier = []
            if is_known:
                keep = self._policy.keep_runs
                forget_runs(connection, thread_id, keep=keep)
                events_sql.forget_runs(connection, thread_id, present=plan.run_id, keep=keep)
                earlier = history_sql.last(
                    connection, thread_id, besides_run=plan.run_id, limit=limit
                )
            if messages:
                history_sql.append(connection, thread_id, messages, run_id=plan.run_id, position=0)
            return lease, earlier, is_known

        lease, earlier, is_known = await self._run(write)
        history = self._policy.window.fit(map(self._cipher.open, earlier))
        return Begun(lease, history, is_known and self._policy.keep_runs == 0)

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
        """Release the thread and record what the agents said and cost."""
        messages = self._rows(answers.messages) if answers is not None else []

        def write(connection: sqlite3.Connection) -> Released:
            released = self._threads.release_on(
                connection,
                lease,
                status=status,
                asked=asked,
                heed_cancellation=heed_cancellation,
            )
            if not released.ended:
                return released
            traffic = on_sqlite(connection)
            traffic_sql.record(traffic, calls)
            traffic_sql.keep_versions(traffic, calls)
            if status not in UNFINISHED:
                traffic_sql.forget_sent(traffic, lease.thread_id)
            if answers is not None and messages:
                history_sql.append(
                    connection,
                    lease.thread_id,
                    messages,
                    run_id=answers.run_id,
                    position=answers.position,
                )
            if answers is not None and answers.result is not None:
                upgrade_sql.record_turn(
                    connection,
                    lease,
                    run_id=answers.run_id,
                    status=status,
                    result=answers.result,
                    cipher=self._cipher,
                )
            return released

        return await self._run(write)

    async def before(self, thread_id: str, *, run_id: str) -> list[JsonObject]:
        """Return what `begin` gave to this run."""
        window = self._policy.window
        read = partial(
            history_sql.last, thread_id=thread_id, besides_run=run_id, limit=window.messages
        )
        return window.fit(map(self._cipher.open, await self._run(read)))

    async def turns(self, thread_id: str) -> list[TurnResult]:
        """Return the results of a thread's turns, the oldest first."""
        return await self._run(partial(upgrade_sql.turns, thread_id=thread_id, cipher=self._cipher))

    async def page(
        self, thread_id: str, *, limit: int, before: int | None = None
    ) -> list[RecordedMessage]:
        """Return the last messages before one, newest last."""
        read = partial(history_sql.page, thread_id=thread_id, before=before, limit=limit)
        return [
            RecordedMessage(sequence, run_id, message_of(self._cipher.open(row)), created_at)
            for sequence, run_id, row, created_at in reversed(await self._run(read))
        ]

    async def _run(self, write: Write[T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(write))

    def _rows(self, messages: Iterable[JsonObject]) -> list[tuple[str, str]]:
        """Say messages as they are stored."""
        return [(role_of(message), self._cipher.seal(text_of(message))) for message in messages]
