"""What processes that share a database tell each other of endpoints, and what outlives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from checkpoints.traffic import SharedState
from orchestration.routing.breaker import CLOSED, Breaker, lets_by, probe_begun

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


def adopt(endpoint: EndpointState, shared: SharedState) -> None:
    """Take over what another process has written."""
    state: Mapping[str, Any] = shared.state
    if state["open"]:
        endpoint.breaker = Breaker(
            is_open=True,
            due=state["due"],
            openings=state["openings"],
            passed=state["passed"],
            probe_until=state["probe_until"],
        )
    elif endpoint.breaker.is_open:
        endpoint.breaker = CLOSED
    endpoint.ejected_until = state["ejected_until"]
    endpoint.ejections = state["ejections"]
    endpoint.ejected_why = state["ejected_why"]
    endpoint.limited_until = state["limited_until"]
    endpoint.failed_probes = state["failed_probes"]
    endpoint.last_probe_at = state["last_probe_at"]
    endpoint.revision = shared.revision


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
        if self._clock() >= self._read_at + SYNC_SECONDS:
            await self._read()

    async def ready(self) -> None:
        """Have read it once; after that, read it again now and then, beside the calls."""
        if self._read_at == _NEVER:
            await self._read()
        elif self._clock() >= self._read_at + SYNC_SECONDS:
            self._begin("read", self._read())

    def tell(self, endpoint: EndpointState) -> None:
        """Write an endpoint's state soon, beside whatever is going on."""
        self._dirty[endpoint.key] = endpoint
        self._begin("write", self._write_all())

    async def claim_probe(self, endpoint: EndpointState) -> bool:
        """Whether this process, of all, may send a half-open endpoint its one call."""
        now = self._clock()
        claimed: JsonObject = {**as_state(endpoint)}
        claimed["probe_until"] = probe_begun(endpoint.breaker, now).probe_until
        there = await self.store.write(SharedState(endpoint.key, claimed, endpoint.revision, now))
        if there is None:
            endpoint.revision += 1
            return True
        adopt(endpoint, there)
        self._adopted(endpoint)
        if not endpoint.breaker.is_open:
            return True
        return lets_by(endpoint.breaker, now) and await self.claim_probe(endpoint)

    async def claim_check(self, endpoint: EndpointState) -> bool:
        """Whether this process, of all, is to ask an endpoint whether it is well."""
        state = SharedState(endpoint.key, as_state(endpoint), endpoint.revision, self._clock())
        there = await self.store.write(state)
        if there is None:
            endpoint.revision += 1
            return True
        adopt(endpoint, there)  # another one has just asked, or knows better
        self._adopted(endpoint)
        return False

    async def settle(self) -> None:
        """Wait for what is under way, and write what is not written yet."""
        if self._under_way:
            await asyncio.wait(self._under_way.values())
        await self._write_all()

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something once at a time in the background; without a loop, later."""
        running = self._under_way.get(name)
        if running is not None and not running.done() and _is_here(running):
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
        except Exception:
            log.exception("cannot %s what is shared of agents' endpoints; going on without", name)
        finally:
            if self._under_way.get(name) is asyncio.current_task():
                del self._under_way[name]

    async def _read(self) -> None:
        self._read_at = self._clock()
        for shared in await self.store.states():
            endpoint = self._find(shared.place)
            if endpoint is None or shared.place in self._dirty:
                continue
            if shared.revision > endpoint.revision:
                adopt(endpoint, shared)
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
            state = as_state(endpoint)
            written = SharedState(endpoint.key, state, endpoint.revision, self._clock())
            there = await self.store.write(written)
            if there is None:
                endpoint.revision += 1
                return
            endpoint.revision = there.revision  # what was just seen here is newer
            _keep_later(endpoint, there)
        log.warning("%s: others change its state so fast that this one's was lost", endpoint.key)


def _keep_later(endpoint: EndpointState, there: SharedState) -> None:
    """Of what two processes say at once, keep the ends that are further away."""
    state: Mapping[str, Any] = there.state
    endpoint.limited_until = max(endpoint.limited_until, state["limited_until"])
    endpoint.ejected_until = max(endpoint.ejected_until, state["ejected_until"])
    endpoint.ejections = max(endpoint.ejections, state["ejections"])


def _is_here(task: asyncio.Task[None]) -> bool:
    """Whether a task belongs to the running loop; one of a loop that has ended never goes on."""
    try:
        return task.get_loop() is asyncio.get_running_loop()
    except RuntimeError:
        return False
