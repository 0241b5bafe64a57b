"""Open a cache URL into a store of answers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from checkpoints.encryption import Keyring, encryption_keys
from state.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkpoints.cache_records import Setting
    from checkpoints.cache_store import Bounds, ResponseStore
    from checkpoints.encryption import EncryptionKey

URL_VARIABLE: Final = "ORCHESTRATION_CACHE_URL"
DEFAULT_URL: Final = "memory://"
_SERVERS: Final = ("redis", "rediss", "valkey", "valkeys")
_SHARED: Final = (
    "'sqlite:///path/to/cache.db', or 'redis://', 'rediss://', 'valkey://' or 'valkeys://' with "
    "host and port"
)
_KNOWN: Final = f"'memory://', {_SHARED}"


def open_cache(
    url: str | None = None,
    *,
    bounds: Bounds | None = None,
    encryption_key: EncryptionKey | None = None,
    clock: Callable[[], float] = time.time,
) -> ResponseStore:
    """Open a cache, creating file and folder as needed.

    Args:
        url: `memory://`, `sqlite:///relative.db`, `sqlite:////absolute.db`, `redis://host:6379/0`
            or alike; by default the environment's `ORCHESTRATION_CACHE_URL`, else memory.
        bounds: How much it may hold; a server has bounds of its own.
        encryption_key: Encrypts what is kept outside the process; by default the environment's
            `ORCHESTRATION_ENCRYPTION_KEY`. See `open_database`.
        clock: What time it is, in seconds since the epoch.

    Raises:
        CacheError: The URL is not understood, or the file cannot be used.
        ConfigurationError: The key cannot be.
    """
    from checkpoints.cache_records import Setting  # noqa: PLC0415  heavy
    from checkpoints.cache_store import Bounds  # noqa: PLC0415  heavy

    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    bounds = bounds or Bounds()
    if (problem := bounds.problem()) is not None:
        raise CacheError(problem)
    keys = encryption_keys(encryption_key)
    keyring = Keyring(keys) if keys else None
    setting = Setting(clock=clock, keyring=keyring, secret=keys[0] if keys else b"")
    return _opened(url, setting, bounds)


def _opened(url: str, setting: Setting, bounds: Bounds) -> ResponseStore:
    if url == DEFAULT_URL:
        from checkpoints.memory_cache import MemoryCache  # noqa: PLC0415  heavy

        return MemoryCache(setting, bounds)
    if url.startswith("sqlite:///"):
        from checkpoints.sqlite_cache import SqliteCache  # noqa: PLC0415  heavy

        return SqliteCache(_path_in(url), setting, bounds)
    scheme, separator, _ = url.partition("://")
    if separator and scheme in _SERVERS:
        from checkpoints.redis_cache import RedisCache  # noqa: PLC0415  heavy

        return RedisCache(url, setting)
    # what has no scheme may be a mistyped URL with a password in it
    named = f" scheme {scheme[:40]!r}" if separator else ""
    raise CacheError(f"the cache URL{named} is not supported; use {_KNOWN}")


def open_shared_cache(url: str | None = None) -> ResponseStore:
    """Open a cache that processes share, as for a command that looks into it.

    Raises:
        CacheError: It is none, its file does not exist, or it cannot be used.
    """
    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    if url == DEFAULT_URL:
        raise CacheError(
            "a cache in memory is seen by its own process only; name one that processes share "
            f"(--cache, or {URL_VARIABLE}): {_SHARED}"
        )
    if url.startswith("sqlite:///") and not _path_in(url).exists():
        raise CacheError(f"there is no cache at {url!r}; check the URL")
    return open_cache(url)


def _path_in(url: str) -> Path:
    location = url.removeprefix("sqlite:///")
    if not location or location == ":memory:":
        raise CacheError(f"cache URL {url!r} names no file; use 'memory://' for memory")
    if "?" in location:
        raise CacheError(f"cache URL {url!r} has options; a cache's file takes none")
    return Path(location)
