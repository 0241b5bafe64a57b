"""What every store of answers has: LangGraph's `BaseCache`, claims, and invalidation."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from langgraph.cache.base import BaseCache, FullKey, Namespace

from checkpoints.cache_records import CacheRecords, Setting
from checkpoints.cache_values import NO_LABELS, Claim, Invalidation, Labels, Look, Row, StoreStats
from state.errors import CacheError

FAILURE_SECONDS: Final = 30.0
"""How long others may learn how a call failed; they look many times a second."""


class Bounds(NamedTuple):
    """How much a store may hold."""

    entries: int = 10_000
    bytes: int = 64 << 20

    def problem(self) -> str | None:
        """What is wrong with them, in words; None if nothing is."""
        for name, bound in (("entries", self.entries), ("bytes", self.bytes)):
            if type(bound) is not int or bound < 1:
                return f"the cache's bound of {name} is {bound!r}; it must be a whole number from 1"
        return None


class Kept(NamedTuple):
    """An answer to be stored."""

    value: Any
    seconds: float | None
    """How long it may be read; None for ever."""
    labels: Labels = NO_LABELS
    since: int | None = None
    """Don't store it if something that meets its labels was invalidated after this number."""
    holder: str = ""
    """Whose claim ends with it."""


class ResponseStore(BaseCache[Any]):
    """A `BaseCache` that also says who makes a call, and which entries are to go.

    Values are JSON. Entries are copies: what a caller does to one touches no other. What
    cannot be read (damaged, of another schema, under another key, moved from another row) is
    not there. Use one from any thread; the asynchronous methods never block the loop for long.

    Raises (any method):
        CacheUnreachableError: The store does not answer now.
        CacheError: It was closed.
    """

    def __init__(self, setting: Setting) -> None:
        self._records = CacheRecords(setting)
        super().__init__(serde=self._records.serializer)
        self._clock = setting.clock

    # -- LangGraph's interface ----------------------------------------------------------

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Return the values of those keys that are kept."""
        ids = self._ids(keys)
        return self._read_all(ids, self._load(list(ids)))

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """Return the values of those keys that are kept."""
        ids = self._ids(keys)
        return self._read_all(ids, await self._aload(list(ids)))

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Keep values for so many seconds each; None is for ever."""
        for key, (value, seconds) in pairs.items():
            self.keep(key, Kept(value, seconds))

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Keep values for so many seconds each; None is for ever."""
        for key, (value, seconds) in pairs.items():
            await self.akeep(key, Kept(value, seconds))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete the entries of namespaces, or all; calls under way are not stored either."""
        self._clear(_namespaces(namespaces))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete the entries of namespaces, or all; calls under way are not stored either."""
        await self._aclear(
            None if namespaces is None else [_namespace(each) for each in namespaces]
        )

    # -- answers --------------------------------------------------------------------------

    def keep(self, key: FullKey, kept: Kept) -> bool:
        """Store an answer and end its holder's claim; whether it was stored."""
        return self._keep(self._row(key, kept), kept)

    async def akeep(self, key: FullKey, kept: Kept) -> bool:
        """Store an answer and end its holder's claim; whether it was stored."""
        return await self._akeep(self._row(key, kept), kept)

    @abstractmethod
    async def look(self, key: FullKey, *, flight: str = "") -> Look:
        """Say what is known about a key, and how a flight failed, if it did."""

    @abstractmethod
    async def claim(
        self, key: FullKey, holder: str, *, labels: Labels, lease_seconds: float
    ) -> Claim:
        """Become who makes the call, unless another is, whose lease runs.

        Who began before an invalidation that meets the labels is nobody.
        """

    @abstractmethod
    async def renew(self, key: FullKey, holder: str, *, lease_seconds: float) -> bool:
        """Prolong one's lease; whether one still had it."""

    @abstractmethod
    async def end(
        self, key: FullKey, holder: str, *, failure: Mapping[str, Any] | None = None
    ) -> None:
        """End one's claim without an answer; tell those who wait how the call failed."""

    @abstractmethod
    async def is_outdated(self, labels: Labels, *, since: int) -> bool:
        """Whether something that meets the labels was invalidated after a number."""

    def invalidate(
        self,
        *,
        agent_id: str | None = None,
        version: str | None = None,
        tenant: str | None = None,
        tag: str | None = None,
    ) -> int:
        """Delete the entries that fit in all that is given; return how many that were.

        Calls that are under way and fit are not stored either.

        Raises:
            CacheError: Nothing is given.
        """
        return self._invalidate(Invalidation(agent_id, version, tenant, tag).checked())

    async def ainvalidate(
        self,
        *,
        agent_id: str | None = None,
        version: str | None = None,
        tenant: str | None = None,
        tag: str | None = None,
    ) -> int:
        """Do what `invalidate` does."""
        return await self._ainvalidate(Invalidation(agent_id, version, tenant, tag).checked())

    @abstractmethod
    async def stats(self) -> StoreStats:
        """Say how much is held."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give back what the store has opened."""

    # -- what each store does in its own way ------------------------------------------------

    @abstractmethod
    def _load(self, ids: Sequence[str]) -> Mapping[str, bytes]: ...

    @abstractmethod
    async def _aload(self, ids: Sequence[str]) -> Mapping[str, bytes]: ...

    @abstractmethod
    def _keep(self, row: Row, kept: Kept) -> bool: ...

    @abstractmethod
    async def _akeep(self, row: Row, kept: Kept) -> bool: ...

    @abstractmethod
    def _invalidate(self, invalidation: Invalidation) -> int: ...

    @abstractmethod
    async def _ainvalidate(self, invalidation: Invalidation) -> int: ...

    @abstractmethod
    def _clear(self, namespaces: Sequence[str] | None) -> None: ...

    @abstractmethod
    async def _aclear(self, namespaces: Sequence[str] | None) -> None: ...

    # -- records ------------------------------------------------------------------------------

    def entry_id(self, key: FullKey) -> str:
        """The id of a key's entry."""
        return self._records.entry_id(key)

    def _ids(self, keys: Iterable[FullKey]) -> dict[str, FullKey]:
        return {self.entry_id(key): key for key in keys}

    def _row(self, key: FullKey, kept: Kept) -> Row:
        entry_id = self.entry_id(key)
        until = math.inf if kept.seconds is None else self._clock() + kept.seconds
        record = self._records.sealed(entry_id, kept.value, until)
        return Row(entry_id, _namespace(key[0]), kept.labels, record, until)

    def _read_all(
        self, ids: Mapping[str, FullKey], records: Mapping[str, bytes]
    ) -> dict[FullKey, Any]:
        read = ((key, self._records.opened(each, records.get(each))) for each, key in ids.items())
        return {key: opened[0] for key, opened in read if opened is not None}


def closed() -> CacheError:
    """The error for a cache that is used after it was closed."""
    return CacheError("the cache is closed; open it again")


def _namespace(namespace: Sequence[str]) -> str:
    return json.dumps(list(namespace), separators=(",", ":"))


def _namespaces(namespaces: Sequence[Namespace] | None) -> list[str] | None:
    return None if namespaces is None else [_namespace(each) for each in namespaces]
