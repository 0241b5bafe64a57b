"""The endpoints of one version of an agent: which take calls, and which one gets the next.

Rules are asked again only for an endpoint that something happened to, or whose time has come,
so a decision does not look at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from heapq import heappop, heappush
from itertools import count, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.agents.price import cost_of
from orchestration.routing.admission import (
    ALL_THE_SAME,
    NEVER,
    Hindrance,
    has_room,
    hindrance,
)
from orchestration.routing.balancing import MAKERS, Balancer
from orchestration.routing.breaker import CLOSED, phase, probe_begun, probe_left
from orchestration.routing.endpoint_state import EndpointState
from orchestration.routing.judging import Ejection, judged
from orchestration.routing.policies import Resilience
from state.outcome import Usage

if TYPE_CHECKING:
    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.spec import AgentSpec

SHOWN: Final = 5
"""Endpoints that were skipped and are named on an outcome."""
USUAL: Final = Usage(input_tokens=1000, output_tokens=300)
"""What a call is taken to use before there was one."""
DEFAULT_RESILIENCE: Final = Resilience()


class Pick(NamedTuple):
    """An endpoint for one call."""

    endpoint: EndpointState
    why: str
    probe: bool
    """Whether the call tells whether a half-open breaker may close."""


class Pool:
    """All endpoints of a version. Not safe by itself: its owner holds a lock."""

    def __init__(self, spec: AgentSpec, *, changed: Callable[[EndpointState], None]) -> None:
        """Take a version's endpoints.

        Args:
            spec: The version.
            changed: Told of each endpoint that others should know of: its breaker opened or
                closed, it was ejected, or asked for a pause.
        """
        self.spec = spec
        self.resilience = spec.resilience or DEFAULT_RESILIENCE
        self.endpoints: dict[str, EndpointState] = {}
        self.skipped: dict[str, Hindrance] = {}
        self._changed = changed
        self._tiers: dict[int, Balancer] = {}
        self._order: list[int] = []
        self._due: list[tuple[float, int, str]] = []
        self._number = count()
        self._ejection = Ejection()
        for place in spec.places:
            self.add(place)

    # -- who is there ------------------------------------------------------------------------

    def add(self, place: Endpoint) -> None:
        """Add an endpoint; it takes calls from now on."""
        endpoint = EndpointState(self.spec.agent_id, self.spec.version, place, self.resilience)
        endpoint.price = expected_price(place)
        self.endpoints[place.endpoint_id] = endpoint
        if place.priority not in self._tiers:
            self._tiers[place.priority] = MAKERS[self.spec.balancing]()
            self._order = sorted(self._tiers, reverse=True)
        self.refresh(endpoint, 0.0)

    def replace(self, spec: AgentSpec) -> list[EndpointState]:
        """Take over another specification of the version; return the endpoints that are gone.

        What is known of endpoints that are still the same is kept, with their calls under way.
        """
        before = self.endpoints
        kept, gone = {}, []
        fresh = Pool(spec, changed=self._changed)
        for id_, endpoint in before.items():
            place = fresh.endpoints[id_].place if id_ in fresh.endpoints else None
            if place is not None and is_same_place(place, endpoint.place):
                kept[id_] = endpoint
                if place.cost != endpoint.place.cost:
                    endpoint.price = fresh.endpoints[id_].price
                if fresh.resilience.breaker is None:
                    endpoint.breaker = CLOSED  # nobody would ever close it
                endpoint.place, endpoint.resilience = place, fresh.resilience
            else:
                gone.append(endpoint)
        self.spec, self.resilience = spec, fresh.resilience
        self._tiers, self._order, self._due = fresh._tiers, fresh._order, fresh._due
        self.skipped = fresh.skipped
        self.endpoints = fresh.endpoints
        for id_, endpoint in kept.items():
            self._drop(self.endpoints[id_])
            endpoint.serving, endpoint.turn = False, 0.0
            endpoint.stamp += 1
            self.endpoints[id_] = endpoint
            self.refresh(endpoint, 0.0)
        for endpoint in gone:
            endpoint.serving = False
            if endpoint.id in self.endpoints:  # it is elsewhere now, and as people switched it
                self.endpoints[endpoint.id].switch = endpoint.switch
                self.refresh(self.endpoints[endpoint.id], 0.0)
        return gone

    def _drop(self, endpoint: EndpointState) -> None:
        if endpoint.serving:
            endpoint.serving = False
            self._tiers[endpoint.place.priority].remove(endpoint)
        self.skipped.pop(endpoint.id, None)

    @property
    def serving(self) -> int:
        """How many endpoints take calls now."""
        return sum(map(len, self._tiers.values()))

    # -- the decision ------------------------------------------------------------------------

    def decide(
        self, now: float, random: Callable[[], float], tried: Collection[str] = ()
    ) -> Pick | None:
        """Pick an endpoint for one more call; None if none takes calls.

        Args:
            now: Seconds since the epoch.
            random: Gives a number from 0 up to 1.
            tried: Endpoints that are not to be picked.
        """
        self.catch_up(now)
        for tier in self._order:
            balancer = self._tiers[tier]
            if not balancer:
                continue
            found = balancer.pick(tried, now=now, random=random)
            if found is None:
                continue
            why = self._why(len(balancer), tier)
            return Pick(found, why, probe=found.breaker.is_open)
        return self._last_resort(now, random, tried)

    def _why(self, serving: int, tier: int) -> str:
        if len(self.endpoints) == 1:
            return "the only endpoint"
        among = f"{serving} of {len(self.endpoints)} endpoints"
        if len(self._order) > 1:
            among = f"{among}, those of priority {tier}"
        return f"{among}; {self.spec.balancing}"

    def _last_resort(
        self, now: float, random: Callable[[], float], tried: Collection[str]
    ) -> Pick | None:
        """Where no other takes calls, one gets it all the same that only seems unwell."""
        unwell = []
        for id_, held in self.skipped.items():
            if id_ in tried:
                continue
            if held.stage == "concurrency":  # one that is well will have room
                return None
            endpoint = self.endpoints[id_]
            if held.stage == "health" and hindrance(endpoint, now, ALL_THE_SAME) is None:
                unwell.append(endpoint)
        if not unwell:
            return None
        found = unwell[int(random() * len(unwell))]
        why = "all endpoints seem unwell, so any of them"
        return Pick(found, why, probe=found.breaker.is_open)

    def would_have_room(self, id_: str) -> bool:
        """Whether an endpoint would take a call, if it had not as many as it may."""
        held = self.skipped.get(id_)
        if held is None:
            return False
        if held.stage == "health":
            return has_room(self.endpoints[id_], 0.0) is not None
        return held.stage == "concurrency"

    def skipped_now(self) -> dict[str, str]:
        """Why endpoints get no calls, of many the first few."""
        return {id_: held.why for id_, held in islice(self.skipped.items(), SHOWN)}

    def is_full(self) -> bool:
        """Whether an endpoint would take the call, if it had not as many as it may."""
        return any(map(self.would_have_room, self.skipped))

    def without_calls(self) -> list[str]:
        """The endpoints that get no calls, for whatever reason but that they have enough."""
        return [
            id_
            for id_, endpoint in self.endpoints.items()
            if endpoint.breaker.is_open
            or (not endpoint.serving and self.skipped[id_].stage != "concurrency")
        ]

    def next_due(self, now: float) -> float | None:
        """In how many seconds an endpoint may take calls again; None if nobody knows."""
        known = [held.until for held in self.skipped.values() if held.until != NEVER]
        return max(0.0, min(known) - now) if known else None

    # -- what happens ------------------------------------------------------------------------

    def begin(self, pick: Pick, now: float) -> None:
        """Note that a call is under way."""
        endpoint = pick.endpoint
        endpoint.outstanding += 1
        endpoint.calls += 1
        endpoint.last_call_at = now
        if pick.probe:
            endpoint.breaker = probe_begun(endpoint.breaker, now)
        self._count_changed(endpoint, now)

    def end(  # noqa: PLR0913  all that is known of a call
        self,
        pick: Pick,
        now: float,
        *,
        seconds: float,
        error: Exception | None = None,
        abandoned: bool = False,
        cost: float | None = None,
    ) -> None:
        """Note how a call ended.

        Args:
            pick: The call.
            now: Seconds since the epoch.
            seconds: How long it took.
            error: What went wrong.
            abandoned: Whether nobody waited for its end, so that it says nothing.
            cost: What it cost.
        """
        endpoint = pick.endpoint
        endpoint.outstanding -= 1
        if cost is not None:
            endpoint.cost += cost
            endpoint.price += 0.1 * (cost - endpoint.price)
        if abandoned:
            if pick.probe:
                endpoint.breaker = probe_left(endpoint.breaker)
                self._changed(endpoint)
        elif judged(endpoint, error, now, seconds=seconds, probe=pick.probe):
            self._changed(endpoint)
        self._count_changed(endpoint, now)
        for ejected in self._ejection.due(self, now):
            self._changed(ejected)
            self.refresh(ejected, now)

    # -- the index ---------------------------------------------------------------------------

    def catch_up(self, now: float) -> None:
        """Look again at the endpoints whose time has come."""
        while self._due and self._due[0][0] <= now:
            _, _, id_ = heappop(self._due)
            endpoint = self.endpoints.get(id_)
            if endpoint is not None:
                self.refresh(endpoint, now)

    def refresh(self, endpoint: EndpointState, now: float) -> None:
        """Ask the rules whether an endpoint takes calls, and put it where it belongs."""
        if self.endpoints.get(endpoint.id) is not endpoint:
            return  # it has left
        held = hindrance(endpoint, now)
        tier = self._tiers[endpoint.place.priority]
        if held is None:
            self.skipped.pop(endpoint.id, None)
            if not endpoint.serving:
                endpoint.serving = True
                tier.add(endpoint)
            return
        if endpoint.serving:
            endpoint.serving = False
            tier.remove(endpoint)
        self.skipped[endpoint.id] = held
        if held.until != NEVER:
            heappush(self._due, (held.until, next(self._number), endpoint.id))

    def _count_changed(self, endpoint: EndpointState, now: float) -> None:
        """Take note that an endpoint has more or fewer calls, and may be judged otherwise."""
        was_serving = endpoint.serving
        self.refresh(endpoint, now)
        if endpoint.serving and was_serving:
            self._tiers[endpoint.place.priority].changed(endpoint)

    def explained(self, now: float) -> Iterator[Mapping[str, object]]:
        """Say of each endpoint how it stands, for people."""
        self.catch_up(now)
        for id_, endpoint in self.endpoints.items():
            held = self.skipped.get(id_)
            yield {
                "endpoint": id_,
                "address": endpoint.place.told_address,
                "kind": endpoint.place.kind,
                "takes_calls": held is None,
                "stage": None if held is None else held.stage,
                "why_not": None if held is None else told(held, now),
                "priority": endpoint.place.priority,
                "weight": endpoint.place.weight,
                "switch": endpoint.switch,
                "breaker": phase(endpoint.breaker, now),
                "outstanding": endpoint.outstanding,
                "calls": endpoint.calls,
                "failures": endpoint.failures,
                "latency_seconds": endpoint.latency,
                "price": endpoint.price,
                "cost": endpoint.cost,
            }


def told(held: Hindrance, now: float) -> str:
    """Say why an endpoint gets no calls, and for how long still, if that is known."""
    return held.why if held.until == NEVER else f"{held.why} (for {held.until - now:.3g} s)"


def is_same_place(one: Endpoint, other: Endpoint) -> bool:
    """Whether what is known of one endpoint holds for the other."""
    return (one.address, one.kind, one.handler, one.settings) == (
        other.address,
        other.kind,
        other.handler,
        other.settings,
    )


def expected_price(place: Endpoint) -> float:
    """What a call costs, as far as is known before there was one."""
    return cost_of(place.cost, USUAL) or 0.0
