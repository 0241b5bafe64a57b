"""Fetches in the background: shared by those who want the same, joined where it is needed."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from cachebox import LRUCache

from orchestration.optimizer.calling import is_control_flow
from orchestration.routing.loops import is_here
from state.errors import UnknownSourceError

if TYPE_CHECKING:
    from state.jsonvalue import JsonValue

LONGEST_NOTE: Final = 200
CANCELLED = "was cancelled"
ELSEWHERE = "was begun on another event loop, and is not there yet"


class Wish(NamedTuple):
    """Something that is to be fetched."""

    key: Hashable
    """Equal for equal wishes, and for nothing else."""
    fetch: Callable[[], Awaitable[JsonValue]]
    ttl_seconds: float
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Context:
    """What was fetched, and why the rest is missing."""

    values: dict[str, JsonValue]
    """By source."""
    notes: dict[str, str] = field(default_factory=dict)
    """Why there is no value, by source; empty if nothing is missing."""


class _Fetched(NamedTuple):
    """How one fetch ended."""

    value: JsonValue
    note: str | None = None


@dataclass(slots=True, eq=False)
class _Flight:
    """One fetch under way."""

    key: Hashable
    task: asyncio.Task[_Fetched]
    wanted_by: int = 0


_Flights = dict[Hashable, _Flight]


class Prefetch:
    """Fetches that one run has begun; `join` them where their values are needed."""

    def __init__(
        self,
        values: Mapping[str, JsonValue],
        flights: Mapping[str, _Flight],
        leave: Callable[[_Flight], None],
    ) -> None:
        self._values = values
        self._flights = dict(flights)
        self._leave = leave
        self._left: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Of what was begun."""
        return (*self._values, *self._flights)

    async def join(self, names: Iterable[str] | None = None) -> Context:
        """Wait for the fetches, and return what they brought; nothing is fetched again.

        Args:
            names: Of which sources; by default all that were begun.

        Raises:
            UnknownSourceError: A name was not among them.
        """
        known = self.names
        wanted = known if names is None else [*names]
        if unknown := [name for name in wanted if name not in known]:
            raise UnknownSourceError(unknown, known)
        tasks = [self._flights[name].task for name in wanted if name in self._flights]
        if waiting := [each for each in tasks if not each.done() and is_here(each)]:
            await asyncio.wait(waiting)
        ended = {name: self._ended(name) for name in wanted}
        return Context(
            {name: copy.deepcopy(each.value) for name, each in ended.items() if each.note is None},
            {name: each.note for name, each in ended.items() if each.note is not None},
        )

    def cancel(self) -> None:
        """Want none of it any more; a fetch that nobody else wants is cancelled."""
        for name, flight in self._flights.items():
            if name not in self._left and not flight.task.done():
                self._left.add(name)
                self._leave(flight)

    def _ended(self, name: str) -> _Fetched:
        if name in self._values:
            return _Fetched(self._values[name])
        task = self._flights[name].task
        if name in self._left or (task.done() and task.cancelled()):
            return _Fetched(None, CANCELLED)
        return task.result() if task.done() else _Fetched(None, ELSEWHERE)


class SharedFetches:
    """Fetches each thing once for all who want it, and keeps what came for a while.

    Args:
        most_entries: Values that are kept.
        clock: Seconds that only grow.
    """

    def __init__(self, most_entries: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: LRUCache[Hashable, tuple[float, JsonValue]] = LRUCache(most_entries)
        self._lock = threading.Lock()
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, _Flights] = WeakKeyDictionary()

    def begin(self, wishes: Mapping[str, Wish]) -> Prefetch:
        """Begin what is not kept, and not under way on this event loop."""
        values: dict[str, JsonValue] = {}
        flights: dict[str, _Flight] = {}
        for name, wish in wishes.items():
            kept = self._kept.get(wish.key)
            if kept is not None and self._clock() < kept[0]:
                values[name] = kept[1]
            else:
                flights[name] = self._flight(wish)
        return Prefetch(values, flights, self._leave)

    def forget(self, key: Hashable) -> None:
        """Keep a value no longer, also not that of a fetch under way."""
        self._kept.pop(key, None)
        with self._lock:
            for flights in self._flights.values():
                flights.pop(key, None)

    def _flight(self, wish: Wish) -> _Flight:
        loop = asyncio.get_running_loop()
        with self._lock:
            flights = self._flights.setdefault(loop, {})
            flight = flights.get(wish.key)
            if flight is None:
                flight = flights[wish.key] = _Flight(wish.key, loop.create_task(_fetched(wish)))
                flight.task.add_done_callback(partial(self._landed, wish, flights, flight))
            flight.wanted_by += 1
            return flight

    def _landed(
        self, wish: Wish, flights: _Flights, flight: _Flight, task: asyncio.Task[_Fetched]
    ) -> None:
        """Keep what a fetch brought, unless it was to be forgotten."""
        with self._lock:
            if flights.get(wish.key) is not flight:
                return
            del flights[wish.key]
        if task.cancelled() or task.exception() is not None or task.result().note is not None:
            return
        if wish.ttl_seconds > 0:
            self._kept.insert(wish.key, (self._clock() + wish.ttl_seconds, task.result().value))

    def _leave(self, flight: _Flight) -> None:
        with self._lock:
            flight.wanted_by -= 1
            if flight.wanted_by > 0:
                return
            for flights in self._flights.values():
                if flights.get(flight.key) is flight:  # whoever wants it now begins anew
                    del flights[flight.key]
        loop = flight.task.get_loop()
        if is_here(flight.task):
            flight.task.cancel()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(flight.task.cancel)


async def _fetched(wish: Wish) -> _Fetched:
    """Fetch one thing; say in words why it did not come."""
    scope = asyncio.timeout(wish.timeout_seconds)
    try:
        async with scope:
            return _Fetched(await wish.fetch())
    except Exception as error:
        if is_control_flow(error):
            raise
        if scope.expired():
            return _Fetched(None, f"did not answer within {wish.timeout_seconds:g} s")
        return _Fetched(None, f"failed: {type(error).__name__}: {error}"[:LONGEST_NOTE])
