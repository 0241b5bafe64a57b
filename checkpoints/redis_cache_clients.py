"""Clients of a Redis or Valkey server: one for each event loop, one for other code."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from checkpoints.per_loop import PerLoop
from state.errors import CacheError, CacheUnreachableError

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

EXTRA: Final = "agent-orchestration-layer[redis]"
ANSWER_SECONDS: Final = 1.0
"""How long the server may take to accept a connection, or to answer."""
FIRST_PAUSE: Final = 0.5
"""Seconds in which nobody asks a server that did not answer; doubles each time."""
LONGEST_PAUSE: Final = 15.0

_LIMITS: Final[dict[str, Any]] = {
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": ANSWER_SECONDS,
    "max_connections": 32,
    "timeout": 5.0,  # until one of them is free
}
_MISREAD: Final = re.compile("[/?#]")
"""What ends host and port wherever it stands."""
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}


class RedisClients:
    """Makes clients when they are first needed; leaves a server that is down alone for a while.

    A client belongs to the loop it was made in, and is closed when that ends.
    """

    def __init__(self, url: str) -> None:
        """Take the URL, without connecting.

        Raises:
            CacheError: It cannot be, or the extra `redis` is not installed.
        """
        scheme, rest = url.split("://", 1)
        self._url = f"{_SCHEMES.get(scheme, scheme)}://{rest}"
        self.where = _shown(url)
        """The URL without its password."""
        self._clients: PerLoop[AsyncRedis] = PerLoop(self._make, lambda client: client.aclose())
        self._pause = FIRST_PAUSE
        self._not_before = 0.0
        self._why = ""
        try:
            self._sync: Redis = self._make_sync()
        except ImportError as error:
            raise CacheError(
                f"the cache {self.where} needs redis; run `pip install '{EXTRA}'`"
            ) from error
        except ValueError as error:
            raise CacheError(f"the cache's URL {self.where} cannot be{_why(url, error)}") from None

    @contextmanager
    def sync(self) -> Iterator[Redis]:
        """Give the client of code that is not asynchronous."""
        with self.watched():
            yield self._sync

    async def ask(self, script: str, *values: str | bytes | float) -> Any:  # noqa: ANN401  by script
        """Run a script on the server, asked by the running loop's client."""
        with self.watched():
            client = await self.client()
            return await client.register_script(script)(args=list(values))

    async def mget(self, *keys: str) -> list[bytes | None]:
        """Read several keys at one moment."""
        with self.watched():
            found = await (await self.client()).mget(keys)
            return [None if each is None else _bytes(each) for each in found]

    async def client(self) -> AsyncRedis:
        """Return the running loop's client."""
        return await self._clients.get()

    async def aclose(self) -> None:
        """Close all clients; those of other loops in their loops."""
        self._sync.close()
        await self._clients.close()

    def _make(self) -> AsyncRedis:
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415  heavy
        from redis.asyncio import Redis as AsyncRedis  # noqa: PLC0415  heavy
        from redis.asyncio.retry import Retry  # noqa: PLC0415  heavy
        from redis.backoff import NoBackoff  # noqa: PLC0415  heavy

        pool = BlockingConnectionPool.from_url(self._url, retry=Retry(NoBackoff(), 1), **_LIMITS)
        return AsyncRedis.from_pool(pool)

    def _make_sync(self) -> Redis:
        from redis import BlockingConnectionPool, Redis  # noqa: PLC0415  heavy
        from redis.backoff import NoBackoff  # noqa: PLC0415  heavy
        from redis.retry import Retry  # noqa: PLC0415  heavy

        pool = BlockingConnectionPool.from_url(self._url, retry=Retry(NoBackoff(), 1), **_LIMITS)
        return Redis.from_pool(pool)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Refuse at once while the server is left alone; note when it does not answer."""
        from redis import exceptions  # noqa: PLC0415  heavy

        if time.monotonic() < self._not_before:
            raise CacheUnreachableError(f"{self._why}; it is left alone for a while")
        try:
            yield
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            self._why = f"the cache {self.where} does not answer: {error}"
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise CacheUnreachableError(self._why) from error
        except exceptions.RedisError as error:
            raise CacheUnreachableError(f"the cache {self.where} refused: {error}") from error
        self._pause = FIRST_PAUSE

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Take what no cache of this project would have said for a server that cannot be used."""
        try:
            yield
        except (ValueError, TypeError, AttributeError) as error:
            raise CacheUnreachableError(
                f"the cache {self.where} holds what no cache has written; clear its keys"
            ) from error


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _shown(url: str) -> str:
    """The URL without user, password and options, also where these hold `/`, `?` or `#`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}"


def _why(url: str, error: ValueError) -> str:
    """What is wrong with the URL, unless that could show a password."""
    if _MISREAD.search(url.rpartition("@")[0].partition("://")[2]):
        return "; write '/', '?' and '#' in its password as %2F, %3F and %23"
    return f": {error}"
