"""Answers kept in the memory of one process: bounded, the least recently used go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cachebox import LRUCache

from checkpoints.cache_records import Setting
from checkpoints.cache_store import FAILURE_SECONDS, Bounds, ResponseStore
from checkpoints.cache_values import Claim, Invalidation, Labels, Look, Row, StoreStats

if TYPE_CHECKING:
    from langgraph.cache.base import FullKey

    from checkpoints.cache_store import Kept

REMEMBERED: Final = 1000
"""Invalidations; a call that began before them all counts as outdated."""
OVERHEAD_BYTES: Final = 300
"""Of an entry, beside its record."""


class _Held(NamedTuple):
    holder: str
    sequence: int
    expires_at: float


class MemoryCache(ResponseStore):
    """A `ResponseStore` for `memory://`; nothing in it waits."""

    def __init__(self, setting: Setting, bounds: Bounds = Bounds()) -> None:  # noqa: B008  frozen
        super().__init__(setting._replace(keyring=None))
        self._bounds = bounds
        self._lock = Lock()
        self._rows: LRUCache[str, Row] = LRUCache(bounds.bytes, getsizeof=_size)
        self._claims: dict[str, _Held] = {}
        self._failures: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._log: deque[tuple[int, Invalidation]] = deque(maxlen=REMEMBERED)
        self._sequence = 0
        self._evicted = 0

    async def look(self, key: FullKey, *, flight: str = "") -> Look:
        """Say what is known about a key."""
        entry_id = self.entry_id(key)
        with self._lock:
            row = self._rows.get(entry_id)
            held = self._running(entry_id)
            failure = self._failures.get(flight) if flight else None
            sequence = self._sequence
        return Look(
            value=None if row is None else self._records.value(entry_id, row.record),
            sequence=sequence,
            holder=None if held is None else held.holder,
            failure=None if failure is None else failure[0],
        )

    async def claim(
        self, key: FullKey, holder: str, *, labels: Labels, lease_seconds: float
    ) -> Claim:
        """Become who makes the call, unless another is."""
        entry_id = self.entry_id(key)
        with self._lock:
            held = self._running(entry_id)
            if held is not None and not self._outdated(labels, held.sequence):
                return Claim(mine=False, holder=held.holder, sequence=held.sequence)
            until = self._clock() + lease_seconds
            self._claims[entry_id] = _Held(holder, self._sequence, until)
            return Claim(mine=True, holder=holder, sequence=self._sequence)

    async def renew(self, key: FullKey, holder: str, *, lease_seconds: float) -> bool:
        """Prolong one's lease."""
        entry_id = self.entry_id(key)
        with self._lock:
            held = self._claims.get(entry_id)
            if held is None or held.holder != holder:
                return False
            self._claims[entry_id] = held._replace(expires_at=self._clock() + lease_seconds)
            return True

    async def end(
        self, key: FullKey, holder: str, *, failure: Mapping[str, Any] | None = None
    ) -> None:
        """End one's claim without an answer."""
        with self._lock:
            self._release(self.entry_id(key), holder)
            now = self._clock()
            while self._failures and next(iter(self._failures.values()))[1] <= now:
                del self._failures[next(iter(self._failures))]  # the oldest
            if failure is not None:
                self._failures[holder] = failure, now + FAILURE_SECONDS

    async def is_outdated(self, labels: Labels, *, since: int) -> bool:
        """Whether something that meets the labels was invalidated since."""
        with self._lock:
            return self._outdated(labels, since)

    async def stats(self) -> StoreStats:
        """Say how much is held."""
        with self._lock:
            return StoreStats(
                entries=len(self._rows), bytes=self._rows.current_size(), evicted=self._evicted
            )

    async def aclose(self) -> None:
        """Forget everything."""
        self._clear(None)

    def _running(self, entry_id: str) -> _Held | None:
        held = self._claims.get(entry_id)
        return held if held is not None and held.expires_at > self._clock() else None

    def _release(self, entry_id: str, holder: str) -> None:
        held = self._claims.get(entry_id)
        if held is not None and held.holder == holder:
            del self._claims[entry_id]

    def _outdated(self, labels: Labels, since: int) -> bool:
        if since >= self._sequence:
            return False
        if self._log[0][0] > since + 1:
            return True
        return any(number > since and each.meets(labels) for number, each in self._log)

    def _load(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        with self._lock:
            found = ((each, self._rows.get(each)) for each in ids)
            return {each: row.record for each, row in found if row is not None}

    async def _aload(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        return self._load(ids)

    def _keep(self, row: Row, kept: Kept) -> bool:
        size = _size(row.entry_id, row)
        with self._lock:
            self._release(row.entry_id, kept.holder)
            if kept.since is not None and self._outdated(kept.labels, kept.since):
                return False
            self._rows.pop(row.entry_id, None)
            if size > self._bounds.bytes:
                return False
            while (
                len(self._rows) >= self._bounds.entries
                or self._rows.current_size() + size > self._bounds.bytes
            ):
                self._rows.popitem()
                self._evicted += 1
            self._rows.insert(row.entry_id, row)
            return True

    async def _akeep(self, row: Row, kept: Kept) -> bool:
        return self._keep(row, kept)

    def _invalidate(self, invalidation: Invalidation) -> int:
        with self._lock:
            self._note(invalidation)
            return self._drop(
                [name for name, row in self._rows.items() if invalidation.meets(row.labels)]
            )

    async def _ainvalidate(self, invalidation: Invalidation) -> int:
        return self._invalidate(invalidation)

    def _clear(self, namespaces: Sequence[str] | None) -> None:
        with self._lock:
            self._note(Invalidation())
            self._drop(
                [
                    name
                    for name, row in self._rows.items()
                    if namespaces is None or row.namespace in namespaces
                ]
            )

    async def _aclear(self, namespaces: Sequence[str] | None) -> None:
        self._clear(namespaces)

    def _note(self, invalidation: Invalidation) -> None:
        self._sequence += 1
        self._log.append((self._sequence, invalidation))

    def _drop(self, ids: Sequence[str]) -> int:
        for each in ids:
            del self._rows[each]
        return len(ids)


def _size(entry_id: str, row: Row) -> int:
    return len(entry_id) + len(row.record) + len(row.namespace) + OVERHEAD_BYTES
