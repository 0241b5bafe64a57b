"""What processes that share a database tell each other of endpoints, and what outlives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from checkpoints.traffic import SharedState
from orchestration.routing.breaker import CLOSED, Breaker, lets_by, probe_begun, probe_left
from orchestration.routing.loops import is_here

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


def as_state(endpoint: EndpointState) -> JsonObject:
    """Say as JSON what others should know of an endpoint."""
    breaker = endpoint.breaker
    return {
        "of": endpoint.whereabouts,
        "open": breaker.is_open,
        "due": breaker.due,
        "openings": breaker.openings,
        "passed": breaker.passed,
        "probe_until": breaker.probe_until,
        "ejected_until": endpoint.ejected_until,
        "ejections": endpoint.ejections,
        "ejected_why": endpoint.ejected_why,
        "limited_until": endpoint.limited_until,
        "failed_probes": endpoint.failed_probes,
        "last_probe_at": endpoint.last_probe_at,
    }


def adopt(endpoint: EndpointState, shared: SharedState) -> bool:
    """Take over what another process has written; whether it is about the same place."""
    endpoint.revision = shared.revision
    if not _is_of(endpoint, shared):
        return False
    state: Mapping[str, Any] = shared.state
    _adopt_breaker(endpoint, state)
    endpoint.ejected_until = state["ejected_until"]
    endpoint.ejections = state["ejections"]
    endpoint.ejected_why = state["ejected_why"]
    endpoint.limited_until = state["limited_until"]
    endpoint.failed_probes = state["failed_probes"]
    endpoint.last_probe_at = state["last_probe_at"]
    return True


def _is_of(endpoint: EndpointState, shared: SharedState) -> bool:
    return shared.state.get("of") == endpoint.whereabouts


def _adopt_breaker(endpoint: EndpointState, state: Mapping[str, Any]) -> None:
    if state["open"] and endpoint.resilience.breaker is not None:
        endpoint.breaker = Breaker(
            is_open=True,
            due=state["due"],
            openings=state["openings"],
            passed=state["passed"],
            probe_until=state["probe_until"],
        )
    elif endpoint.breaker.is_open:
        endpoint.breaker = CLOSED
    endpoint.agreed = endpoint.breaker


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
        endpoint.breaker = probe_left(endpoint.breaker)
        return False

    async def claim_check(self, endpoint: EndpointState) -> bool:
        """Whether this process, of all, is to ask an endpoint whether it is well."""
        there = await self._written(endpoint, as_state(endpoint))
        if there is None:
            return True
        if not adopt(endpoint, there):
            return True  # nobody asks this one
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
            endpoint.revision = there.revision  # what was just seen here is newer
            if _is_of(endpoint, there):
                _keep_later(endpoint, there)
                self._adopted(endpoint)
        log.warning("%s: others change its state so fast that this one's was lost", endpoint.key)


def _complain(doing: str, error: Exception) -> None:
    log.warning(
        "cannot %s what is shared of agents' endpoints, so this process goes on without: %s",
        doing,
        error,
    )


def _keep_later(endpoint: EndpointState, there: SharedState) -> None:
    """Of what two processes say at once, keep the ends that are further away.

    Of a breaker, what this process has found out since it knew what the others know.
    """
    state: Mapping[str, Any] = there.state
    if shown(endpoint.breaker) == shown(endpoint.agreed):
        _adopt_breaker(endpoint, state)
    endpoint.limited_until = max(endpoint.limited_until, state["limited_until"])
    endpoint.ejected_until = max(endpoint.ejected_until, state["ejected_until"])
    endpoint.ejections = max(endpoint.ejections, state["ejections"])


def shown(breaker: Breaker) -> Breaker:
    """What others know of a breaker; the calls that it counts are this process's own."""
    return breaker._replace(failures=0, recent=0, calls=0)
