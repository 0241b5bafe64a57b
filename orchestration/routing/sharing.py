"""What processes that share a database tell each other of endpoints, and what outlives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from checkpoints.traffic import SharedState
from orchestration.routing.breaker import lets_by, probe_begun
from orchestration.routing.loops import is_here
from orchestration.routing.shared_state import adopt, as_state, keep_later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any

    from checkpoints.traffic import Place, Switched, TrafficStore
    from orchestration.routing.endpoint_state import EndpointState
    from state.jsonvalue import JsonObject

SYNC_SECONDS: Final = 1.0
"""How old what others have written may be."""
MOST_TRIES: Final = 5
"""Times that a state is written anew because somebody else was faster."""

_NEVER: Final = float("-inf")

log = logging.getLogger(__name__)


class Sharing:
    """Reads and writes what is shared, beside the calls: none waits but for a probe's claim."""

    def __init__(
        self,
        store: TrafficStore,
        *,
        clock: Callable[[], float],
        find: Callable[[Place], EndpointState | None],
        adopted: Callable[[EndpointState], None],
        switched: Callable[[Mapping[Place, Switched]], None],
    ) -> None:
        """Take what is to be used.

        Args:
            store: Where it is kept.
            clock: Seconds since the epoch.
            find: Finds an endpoint that is registered here.
            adopted: Told of each endpoint whose state was taken over from elsewhere.
            switched: Told how places are switched.
        """
        self.store = store
        self._clock = clock
        self._find = find
        self._adopted = adopted
        self._switched = switched
        self._read_at = _NEVER
        self._dirty: dict[Place, EndpointState] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def sync(self) -> None:
        """Read what others have written, unless that was done just now."""
        if not 0 <= self._clock() - self._read_at < SYNC_SECONDS:
            await self._careful("read", self._read())

    async def ready(self) -> None:
        """Have read it once; after that, read it again now and then, beside the calls."""
        if self._read_at == _NEVER:
            await self._careful("read", self._read())
        elif not 0 <= self._clock() - self._read_at < SYNC_SECONDS:
            self._begin("read", self._read())

    def tell(self, endpoint: EndpointState) -> None:
        """Write an endpoint's state soon, beside whatever is going on."""
        self._dirty[endpoint.key] = endpoint
        self._begin("write", self._write_all())

    async def claim_probe(self, endpoint: EndpointState) -> bool:
        """Whether this process, of all, may send a half-open endpoint its one call."""
        for _ in range(MOST_TRIES):
            now = self._clock()
            endpoint.breaker = probe_begun(endpoint.breaker, now)
            there = await self._written(endpoint, as_state(endpoint))
            if there is None:
                return True
            if not adopt(endpoint, there):
                continue
            allowed = lets_by(endpoint.breaker, now)
            if allowed and endpoint.breaker.is_open:  # nobody else here may try meanwhile
                endpoint.breaker = probe_begun(endpoint.breaker, now)
            self._adopted(endpoint)
            if not endpoint.breaker.is_open or not allowed:
                return allowed
        log.warning("%s: a probe cannot be claimed, so it is made without", endpoint.key)
        return True

    async def claim_check(self, endpoint: EndpointState) -> bool:
        """Whether this process, of all, is to ask an endpoint whether it is well."""
        there = await self._written(endpoint, as_state(endpoint))
        if there is None or not adopt(endpoint, there):
            return True
        self._adopted(endpoint)  # another one has just asked, or knows better
        return False

    async def settle(self) -> None:
        """Wait for what is under way, and write what is not written yet."""
        here = [each for each in self._under_way.values() if is_here(each)]
        if here:
            await asyncio.wait(here)
        if self._dirty:
            await self._careful("write", self._write_all())

    async def _written(self, endpoint: EndpointState, state: JsonObject) -> SharedState | None:
        """Write a state unless another is there, which is returned then.

        Where the database fails, this process goes on as if it were alone.
        """
        try:
            return await self._write_once(endpoint, state)
        except Exception as error:  # noqa: BLE001  whatever it is, the calls come first
            _complain("write", error)
            return None

    async def _write_once(self, endpoint: EndpointState, state: JsonObject) -> SharedState | None:
        """Write a state unless another is there, which is returned then."""
        shared = SharedState(endpoint.key, state, endpoint.revision, self._clock())
        breaker = endpoint.breaker
        there = await self.store.write(shared)
        if there is None:
            endpoint.revision = max(endpoint.revision, shared.revision + 1)
            endpoint.agreed = breaker
        return there

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something once at a time in the background; without a loop, later."""
        running = self._under_way.get(name)
        if running is not None and not running.done() and is_here(running):
            work.close()
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            work.close()
            return
        task = loop.create_task(self._careful(name, work))
        self._under_way[name] = task

    async def _careful(self, name: str, work: Awaitable[None]) -> None:
        """Do it; where the database fails, calls go on by what this process knows itself."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  whatever it is, the calls come first
            _complain(name, error)
        finally:
            if self._under_way.get(name) is asyncio.current_task():
                del self._under_way[name]

    async def _read(self) -> None:
        self._read_at = self._clock()
        for shared in await self.store.states():
            endpoint = self._find(shared.place)
            if endpoint is None or shared.place in self._dirty:
                continue
            if shared.revision > endpoint.revision and adopt(endpoint, shared):
                self._adopted(endpoint)
        self._switched(await self.store.switches())

    async def _write_all(self) -> None:
        while self._dirty:
            place, endpoint = self._dirty.popitem()
            try:
                await self._write(endpoint)
            except BaseException:
                self._dirty.setdefault(place, endpoint)
                raise

    async def _write(self, endpoint: EndpointState) -> None:
        for _ in range(MOST_TRIES):
            there = await self._write_once(endpoint, as_state(endpoint))
            if there is None:
                return
            if keep_later(endpoint, there):
                self._adopted(endpoint)
        log.warning("%s: others change its state so fast that this one's was lost", endpoint.key)


def _complain(doing: str, error: Exception) -> None:
    log.warning(
        "cannot %s what is shared of agents' endpoints, so this process goes on without: %s",
        doing,
        error,
    )
