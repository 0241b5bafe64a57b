"""LangGraph's saver in memory, with the retention that it lacks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from langgraph.checkpoint.memory import InMemorySaver

from checkpoints.chains import CheckpointKey, Link, needed_by, retained
from checkpoints.retention import Copied, Removed, check_strategy, taken

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from checkpoints.memory_threads import MemoryThreads


class MemorySaver(InMemorySaver):
    """LangGraph's `InMemorySaver` with prune, copy and delete; no method waits inside."""

    def __init__(self, threads: MemoryThreads, *, serde: SerializerProtocol) -> None:
        super().__init__(serde=serde)
        self._threads = threads

    # -- LangGraph's ---------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints and writes, and its row: nothing could resume it.

        Raises:
            ThreadBusyError: Somebody runs it.
        """
        self.check_idle(thread_id)
        super().delete_thread(thread_id)
        self._threads.forget(thread_id)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but each namespace's latest checkpoint, or (`delete`) whole threads."""
        check_strategy(strategy)
        for thread_id in thread_ids:
            if strategy == "delete":
                self.delete_thread(thread_id)
            else:
                self.prune_thread(thread_id, keep=1)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all but each namespace's latest checkpoint, or (`delete`) whole threads."""
        self.prune(thread_ids, strategy=strategy)

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes to an id that has none."""
        self.copy_checkpoints(source_thread_id, target_thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints and writes to an id that has none."""
        self.copy_checkpoints(source_thread_id, target_thread_id)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what runs wrote (by `run_id` in the metadata), but not what others need."""
        wanted = set(run_ids)
        for thread_id in tuple(self.storage):
            doomed = {key for key in self.keys(thread_id) if self._run(thread_id, key) in wanted}
            if not doomed:
                continue
            self.check_idle(thread_id)
            chains = _Chains(self, thread_id)
            kept = set(self.keys(thread_id)) - doomed
            needed = {each for key in kept for each in needed_by(key, chains)}
            self._remove(thread_id, doomed - needed)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what runs wrote (by `run_id` in the metadata), but not what others need."""
        self.delete_for_runs(run_ids)

    # -- what LangGraph's names do not say ------------------------------------------------

    def keys(self, thread_id: str) -> Iterator[CheckpointKey]:
        """Yield a thread's checkpoints."""
        for namespace, stored in self.storage.get(thread_id, {}).items():
            for id_ in stored:
                yield namespace, id_

    def check_idle(self, thread_id: str) -> None:
        """Return if nobody runs the thread.

        Raises:
            ThreadBusyError: Somebody does.
        """
        standing = self._threads.standing(thread_id)
        if standing is not None:
            standing.check_idle(thread_id, now=time.time())

    def prune_thread(self, thread_id: str, *, keep: int) -> Removed:
        """Delete what a thread does not need, but the latest `keep` of each namespace."""
        newest_first = {
            namespace: sorted(stored, reverse=True)
            for namespace, stored in self.storage.get(thread_id, {}).items()
        }
        needed = retained(newest_first, _Chains(self, thread_id), keep=keep)
        return self._remove(thread_id, set(self.keys(thread_id)) - needed)

    def copy_checkpoints(self, source: str, target: str) -> Copied:
        """Copy checkpoints and writes to an id that has none.

        Raises:
            RetentionError: It has some.
        """
        if any(self.keys(target)):
            raise taken(target)
        writes = 0
        for namespace, id_ in tuple(self.keys(source)):
            self.storage[target][namespace][id_] = self.storage[source][namespace][id_]
            written = self.writes.get((source, namespace, id_), {})
            if written:
                self.writes[target, namespace, id_] = dict(written)
            writes += len(written)
        for (thread_id, namespace, channel, version), blob in tuple(self.blobs.items()):
            if thread_id == source:
                self.blobs[target, namespace, channel, version] = blob
        return Copied(sum(1 for _ in self.keys(target)), writes)

    def _run(self, thread_id: str, key: CheckpointKey) -> object:
        return self.serde.loads_typed(self.storage[thread_id][key[0]][key[1]][1]).get("run_id")

    def _remove(self, thread_id: str, keys: Iterable[CheckpointKey]) -> Removed:
        checkpoints = writes = 0
        for namespace, id_ in keys:
            del self.storage[thread_id][namespace][id_]
            writes += len(self.writes.pop((thread_id, namespace, id_), ()))
            checkpoints += 1
        for namespace in tuple(self.storage.get(thread_id, ())):
            if not self.storage[thread_id][namespace]:
                del self.storage[thread_id][namespace]
        used = set(self._used_blobs(thread_id)) if checkpoints else set()
        for blob in [each for each in self.blobs if checkpoints and each[0] == thread_id]:
            if blob not in used:
                del self.blobs[blob]
        return Removed(checkpoints, writes)

    def _used_blobs(self, thread_id: str) -> Iterator[tuple[str, str, str, str | int | float]]:
        for namespace, id_ in self.keys(thread_id):
            checkpoint = self.serde.loads_typed(self.storage[thread_id][namespace][id_][0])
            for channel, version in checkpoint["channel_versions"].items():
                yield thread_id, namespace, channel, version


class _Chains:
    """The checkpoints of one thread in memory; a `Chains`."""

    def __init__(self, saver: MemorySaver, thread_id: str) -> None:
        self._saver = saver
        self._thread_id = thread_id

    def link(self, key: CheckpointKey) -> Link | None:
        """Return a checkpoint's link; None if it is gone."""
        found = self._saver.storage.get(self._thread_id, {}).get(key[0], {}).get(key[1])
        if found is None:
            return None
        return Link.of(found[2], self._saver.serde.loads_typed(found[1]))

    def holds(self, key: CheckpointKey) -> frozenset[str]:
        """Return the channels whose values a checkpoint has itself."""
        namespace, id_ = key
        stored = self._saver.storage[self._thread_id][namespace][id_][0]
        versions = self._saver.serde.loads_typed(stored)["channel_versions"]
        blobs = self._saver.blobs
        return frozenset(
            channel
            for channel, version in versions.items()
            if blobs.get((self._thread_id, namespace, channel, version), ("empty",))[0] != "empty"
        )
