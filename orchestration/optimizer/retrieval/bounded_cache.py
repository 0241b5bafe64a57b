"""A cache in memory that never holds more than so many entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cachebox import VTTLCache
from langgraph.cache.base import BaseCache, FullKey, Namespace

MOST_ENTRIES: Final = 512


class BoundedCache(BaseCache[str]):
    """Keeps texts until their time is over, or more recent ones need the room.

    Args:
        maxsize: Entries.
    """

    def __init__(self, *, maxsize: int = MOST_ENTRIES) -> None:
        super().__init__()
        self._entries: VTTLCache[FullKey, str] = VTTLCache(maxsize)

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, str]:
        """Return what is there."""
        found = ((key, self._entries.get(key)) for key in keys)
        return {key: value for key, value in found if value is not None}

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, str]:
        """Return what is there."""
        return self.get(keys)

    def set(self, pairs: Mapping[FullKey, tuple[str, int | None]]) -> None:
        """Keep values, each for so many seconds, or for as long as there is room."""
        for key, (value, ttl) in pairs.items():
            self._entries.insert(key, value, ttl=ttl)

    async def aset(self, pairs: Mapping[FullKey, tuple[str, int | None]]) -> None:
        """Keep values, each for so many seconds, or for as long as there is room."""
        self.set(pairs)

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget what is in some namespaces, or everything."""
        for key in list(self._entries):
            if namespaces is None or key[0] in namespaces:
                self._entries.pop(key, None)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget what is in some namespaces, or everything."""
        self.clear(namespaces)
