"""LangGraph's SQLite saver, made faster and safer: one commit a superstep, and fenced."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from langgraph.checkpoint.sqlite import SqliteSaver

from checkpoints import sqlite_retention
from checkpoints.lease_sql import check_token
from checkpoints.retention import check_strategy
from checkpoints.retention_sql import check_idle, copy_checkpoints
from state.errors import DatabaseError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        DeltaChannelHistory,
    )
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpoints.group_commit import GroupCommitWriter

LEASE_TOKEN: Final = "__lease_token"  # noqa: S105  a fencing token, no secret
"""Key in `configurable`; LangGraph hands it to subgraphs and keeps it out of metadata."""

MOST_INPUTS: Final = 100
"""Inputs under way before those that are saved are looked for."""

Place = tuple[str, str, int | None]
"""Thread, namespace, and the token of the lease under which it is written."""

_URGENT_CHANNELS = frozenset({INTERRUPT, ERROR})


class _Statements:
    """Stands in for a cursor: collects what LangGraph's saver would execute."""

    def __init__(self) -> None:
        self._collected: list[tuple[str, list[tuple[Any, ...]]]] = []

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._collected.append((sql, [tuple(parameters)]))

    def executemany(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._collected.append((sql, list(rows)))

    def run(self, connection: sqlite3.Connection) -> None:
        for sql, rows in self._collected:
            connection.executemany(sql, rows)


class GroupCommitSqliteSaver(SqliteSaver):
    """LangGraph's `SqliteSaver` over a group-commit writer; its tables are unchanged.

    The parent's code builds every statement; only when and where they run differs. The
    writes of a superstep's tasks wait briefly for its checkpoint, and share its commit;
    concurrent runs share commits too. Where the config carries a lease token, the token is
    compared in the same transaction. Reads use a connection of their own, and see
    whatever was committed. Works under any event loop, and without one.
    """

    def __init__(
        self,
        writer: GroupCommitWriter,
        reader: sqlite3.Connection,
        *,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(reader, serde=serde)
        self._writer = writer
        self._collecting = threading.local()
        self._inputs: dict[Place, list[Future[None]]] = {}
        self.is_setup = True  # whoever opens the database creates the tables

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:  # noqa: FBT001, FBT002
        """Yield a cursor of the reading connection, or one that collects for the writer."""
        statements: _Statements | None = getattr(self._collecting, "statements", None)
        if transaction and statements is not None:
            yield cast("sqlite3.Cursor", statements)
        elif transaction:  # a write method of LangGraph's that this class does not know
            statements = _Statements()
            yield cast("sqlite3.Cursor", statements)
            self._writer.submit(statements.run).result()
        else:
            with self._reading(), super().cursor(transaction=False) as cursor:
                yield cursor

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if "closed" not in str(error):
                raise
            raise DatabaseError("the database is closed; open it again") from error

    # -- writes ---------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; returns when it is durable."""
        stored, future = self._put(config, checkpoint, metadata, new_versions)
        future.result()
        return stored

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; returns when it is durable.

        Checkpoints that hold only a run's input share the commit of the next; whoever awaits
        that awaits them all. If they are lost, no outcome is: the run begins again from the
        plan in its thread's row, with the same idempotency keys.
        """
        input_only = metadata.get("source") == "input" or (
            metadata.get("step") == 0 and LEASE_TOKEN in config["configurable"]
        )
        stored, future = self._put(config, checkpoint, metadata, new_versions, lazy=input_only)
        if input_only:
            self._remember(_place(config, stored), future)
            return stored
        earlier = self._inputs.pop(_place(config, stored), ())
        await asyncio.wrap_future(future)
        for each in earlier:  # done by now: the writer keeps the order
            each.result()
        return stored

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote; returns when it is durable."""
        self._put_writes(config, writes, task_id, task_path).result()

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Save what a task wrote; returns when it is durable.

        What a task asks shares the commit of the ledger's entry, or of the lease's release,
        which the engine makes next. If it is lost, the task asks again under the same id.
        """
        future = self._put_writes(config, writes, task_id, task_path)
        if _only_asks(config, writes):
            self._remember(_place(config, config), future)
        else:
            await asyncio.wrap_future(future)

    # -- retention: in bounded batches, and never what a kept checkpoint needs ---------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints and writes, and its row: nothing could resume it.

        Raises:
            ThreadBusyError: Somebody runs it.
        """
        guard = partial(check_idle, thread_id=thread_id)
        sqlite_retention.delete(self._writer, thread_id, serde=self.serde, guard=guard)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints, writes and row."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but each namespace's latest checkpoint, or (`delete`) whole threads."""
        check_strategy(strategy)
        for thread_id in thread_ids:
            if strategy == "delete":
                self.delete_thread(thread_id)
            else:
                sqlite_retention.prune(self._writer, thread_id, keep=1, serde=self.serde)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but each namespace's latest checkpoint, or (`delete`) whole threads."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes to an id that has none, in one transaction."""
        write = partial(copy_checkpoints, source=source_thread_id, target=target_thread_id)
        self._writer.submit(write).result()

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes to an id that has none, in one transaction."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what runs wrote (by `run_id` in the metadata), but not what others need."""
        sqlite_retention.delete_for_runs(self._writer, run_ids, serde=self.serde)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what runs wrote (by `run_id` in the metadata), but not what others need."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        *,
        lazy: bool = False,
    ) -> tuple[RunnableConfig, Future[None]]:
        with self._collect() as statements:
            stored = super().put(config, checkpoint, metadata, new_versions)
        return stored, self._submit(statements, config, lazy=lazy)

    def _put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> Future[None]:
        with self._collect() as statements:
            super().put_writes(config, writes, task_id, task_path)
        urgent = any(channel in _URGENT_CHANNELS for channel, _ in writes)
        return self._submit(statements, config, lazy=not urgent or _only_asks(config, writes))

    @contextmanager
    def _collect(self) -> Iterator[_Statements]:
        self._collecting.statements = statements = _Statements()
        try:
            yield statements
        finally:
            del self._collecting.statements

    def _submit(
        self, statements: _Statements, config: RunnableConfig, *, lazy: bool = False
    ) -> Future[None]:
        configurable = config["configurable"]
        token = configurable.get(LEASE_TOKEN)
        if token is None:
            return self._writer.submit(statements.run, lazy=lazy)

        def fenced(connection: sqlite3.Connection) -> None:
            check_token(connection, configurable["thread_id"], token)
            statements.run(connection)

        return self._writer.submit(fenced, lazy=lazy)

    # -- reads: LangGraph's own code, off the event loop ------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read one checkpoint."""
        self._settle(config)
        return super().get_tuple(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Read checkpoints, the newest first."""
        self._settle(config)
        return super().list(config, filter=filter, before=before, limit=limit)

    def _remember(self, place: Place, future: Future[None]) -> None:
        """Note a write that shares a later commit, so that reads see it."""
        self._forget_finished_inputs()
        self._inputs.setdefault(place, []).append(future)

    def _forget_finished_inputs(self) -> None:
        """Drop inputs that are saved, of runs that ended before their next checkpoint."""
        if len(self._inputs) < MOST_INPUTS:
            return
        for key, futures in tuple(self._inputs.items()):
            if all(future.done() for future in futures):
                self._inputs.pop(key, None)

    def _settle(self, config: RunnableConfig | None) -> None:
        """Wait for inputs that share another checkpoint's commit, so that a read sees them."""
        wanted = None if config is None else config["configurable"]["thread_id"]
        pending = [
            future
            for (thread_id, _, _), futures in tuple(self._inputs.items())
            if wanted in {None, thread_id}
            for future in futures
        ]
        wait(pending)  # an input that could not be saved is its writer's error, not a reader's

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read one checkpoint."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Read checkpoints, the newest first."""

        def read() -> tuple[CheckpointTuple, ...]:
            return tuple(self.list(config, filter=filter, before=before, limit=limit))

        for each in await asyncio.to_thread(read):
            yield each

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Read what `DeltaChannel`s need to rebuild their values."""
        return await asyncio.to_thread(
            self.get_delta_channel_history, config=config, channels=channels
        )


def _place(config: RunnableConfig, stored: RunnableConfig) -> Place:
    """Where a write belongs; one under an older lease concerns nobody who has a newer one."""
    configurable = stored["configurable"]
    token = config["configurable"].get(LEASE_TOKEN)
    return configurable["thread_id"], configurable.get("checkpoint_ns", ""), token


def _only_asks(config: RunnableConfig, writes: Sequence[tuple[str, Any]]) -> bool:
    """Whether writes are questions alone, of a run whose engine enters them into the ledger."""
    return LEASE_TOKEN in config["configurable"] and all(
        channel == INTERRUPT for channel, _ in writes
    )
