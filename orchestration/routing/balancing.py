"""How one of the endpoints that take calls is picked, in less time than it takes to look at all.

A balancer holds the serving endpoints of one tier. It is told when one joins, leaves, or has
more or fewer calls under way, so that a pick costs the logarithm of their number at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from orchestration.routing.policies import COST, LATENCY, LEAST_OUTSTANDING, WEIGHTED_ROUND_ROBIN

if TYPE_CHECKING:
    from orchestration.routing.endpoint_state import EndpointState

    Random = Callable[[], float]
    """Gives a number from 0 up to 1."""


class Balancer(Protocol):
    """Picks endpoints."""

    def add(self, endpoint: EndpointState) -> None:
        """Let it be picked from now on."""
        ...

    def remove(self, endpoint: EndpointState) -> None:
        """Let it not be picked any more."""
        ...

    def changed(self, endpoint: EndpointState) -> None:
        """Take note that calls under way at it, or its price, have changed."""
        ...

    def pick(self, tried: Collection[str], *, now: float, random: Random) -> EndpointState | None:
        """Return the next endpoint that is not among `tried`; None if there is none."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


class _Heap:
    """Endpoints by a key, the lowest first, of equals the one that was pushed first.

    An entry lapses when its endpoint gets another stamp; it is dropped when it comes to the top,
    or when there are many of them.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[tuple[float, ...], int, int, EndpointState]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, endpoint: EndpointState, *key: float) -> None:
        heappush(self._entries, (key, next(self._order), endpoint.stamp, endpoint))

    def pop(self, tried: Collection[str]) -> EndpointState | None:
        """Take out the lowest that is not among `tried`."""
        passed_over = []
        found = None
        while self._entries:
            entry = heappop(self._entries)
            _, _, stamp, endpoint = entry
            if stamp != endpoint.stamp:
                continue
            if endpoint.id not in tried:
                found = endpoint
                break
            passed_over.append(entry)
        for entry in passed_over:
            heappush(self._entries, entry)
        return found

    def tidy(self, size: int) -> None:
        """Drop what has lapsed, if that is most of it."""
        if len(self._entries) > 4 * size + 64:
            self._entries = [each for each in self._entries if each[2] == each[3].stamp]
            heapify(self._entries)


class Weighted:
    """Weighted round robin: the earliest turn is next, and comes again after 1/weight."""

    def __init__(self) -> None:
        self._turns = _Heap()
        self._size = 0
        self._time = 0.0

    def __len__(self) -> int:
        return self._size

    def add(self, endpoint: EndpointState) -> None:
        """Give it a turn, no earlier than those that waited all along."""
        self._size += 1
        endpoint.turn = max(endpoint.turn, self._time + 1.0 / endpoint.place.weight)
        self._turns.push(endpoint, endpoint.turn)

    def remove(self, endpoint: EndpointState) -> None:
        """Let its turn lapse."""
        self._size -= 1
        endpoint.stamp += 1
        self._turns.tidy(self._size)

    def changed(self, endpoint: EndpointState) -> None:
        """Turns do not depend on it."""

    def pick(
        self,
        tried: Collection[str],
        *,
        now: float,  # noqa: ARG002
        random: Random,  # noqa: ARG002
    ) -> EndpointState | None:
        """Return whose turn it is."""
        found = self._turns.pop(tried)
        if found is not None:
            self._time = max(self._time, found.turn)
            found.turn += 1.0 / found.place.weight
            self._turns.push(found, found.turn)
        return found


class Lowest:
    """The endpoint with the lowest rank, of equals the one whose rank is the oldest."""

    def __init__(self, rank: Callable[[EndpointState], tuple[float, ...]]) -> None:
        self._rank = rank
        self._ranks = _Heap()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, endpoint: EndpointState) -> None:
        """Rank it."""
        self._size += 1
        self._ranks.push(endpoint, *self._rank(endpoint))

    def remove(self, endpoint: EndpointState) -> None:
        """Forget its rank."""
        self._size -= 1
        endpoint.stamp += 1

    def changed(self, endpoint: EndpointState) -> None:
        """Rank it anew."""
        endpoint.stamp += 1
        self._ranks.push(endpoint, *self._rank(endpoint))
        self._ranks.tidy(self._size)

    def pick(
        self,
        tried: Collection[str],
        *,
        now: float,  # noqa: ARG002
        random: Random,  # noqa: ARG002
    ) -> EndpointState | None:
        """Return the lowest; it goes behind its equals."""
        found = self._ranks.pop(tried)
        if found is not None:
            self._ranks.push(found, *self._rank(found))
        return found


class LatencyOfTwo:
    """Of two drawn at random, the one that is expected to answer sooner (peak EWMA)."""

    def __init__(self) -> None:
        self._all: list[EndpointState] = []
        self._at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, endpoint: EndpointState) -> None:
        """Let it be drawn."""
        self._at[endpoint.id] = len(self._all)
        self._all.append(endpoint)

    def remove(self, endpoint: EndpointState) -> None:
        """Let it not be drawn; the last takes its place."""
        at = self._at.pop(endpoint.id)
        last = self._all.pop()
        if last is not endpoint:
            self._all[at] = last
            self._at[last.id] = at

    def changed(self, endpoint: EndpointState) -> None:
        """Its latency is looked at when it is drawn."""

    def pick(self, tried: Collection[str], *, now: float, random: Random) -> EndpointState | None:
        """Draw two, take the better."""
        among = self._all
        if tried:
            among = [each for each in among if each.id not in tried]
        if not among:
            return None
        size = len(among)
        first = among[int(random() * size)]
        if size == 1:
            return first
        second = among[int(random() * (size - 1))]
        if second is first:
            second = among[-1]
        return min(first, second, key=lambda each: each.expected_latency(now))


MAKERS: Final[dict[str, Callable[[], Balancer]]] = {
    WEIGHTED_ROUND_ROBIN: Weighted,
    LEAST_OUTSTANDING: lambda: Lowest(lambda endpoint: (endpoint.load,)),
    LATENCY: LatencyOfTwo,
    COST: lambda: Lowest(lambda endpoint: (endpoint.price, endpoint.load)),
}
