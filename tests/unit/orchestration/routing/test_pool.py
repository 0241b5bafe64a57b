"""Which endpoint gets a call: tiers, weights, load, latency, cost; and why others do not."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import AgentSpec, BreakerPolicy, Endpoint, OutlierPolicy, Resilience
from orchestration.routing.admission import hindrance
from orchestration.routing.breaker import Breaker
from orchestration.routing.policies import BALANCING
from orchestration.routing.pool import Pick, Pool
from state.errors import AgentError, AgentRateLimitedError, AgentRefusedError

BROKEN = AgentError("broken")


async def answer(_input: dict[str, Any]) -> dict[str, Any]:
    return {}


def place(name: str, **more: Any) -> Endpoint:  # noqa: ANN401
    return Endpoint(endpoint_id=name, handler=answer, **more)


def pool_of(*places: Endpoint, **more: Any) -> Pool:  # noqa: ANN401
    return Pool(AgentSpec("agent", endpoints=places, **more), changed=lambda _: None)


class Caller:
    """Makes calls of a pool, one at a time, at a time that it keeps."""

    def __init__(self, pool: Pool, seed: int = 1) -> None:
        self.pool = pool
        self.now = 1000.0
        self.random = random.Random(seed).random

    def begin(self) -> Pick | None:
        pick = self.pool.decide(self.now, self.random)
        if pick is not None:
            self.pool.begin(pick, self.now)
        return pick

    def end(self, pick: Pick, error: Exception | None = None, *, seconds: float = 0.1) -> None:
        self.pool.end(pick, self.now, seconds=seconds, error=error)

    def call(self, error: Exception | None = None, *, seconds: float = 0.1) -> str:
        pick = self.begin()
        assert pick is not None
        self.end(pick, error, seconds=seconds)
        return pick.endpoint.id

    def calls(self, count: int) -> Counter[str]:
        return Counter(self.call() for _ in range(count))


def test_by_weight_in_turn_the_shares_are_exact_and_nobody_waits_long() -> None:
    caller = Caller(pool_of(place("a", weight=3), place("b", weight=1)))
    order = [caller.call() for _ in range(400)]
    assert Counter(order) == {"a": 300, "b": 100}
    assert all("b" in order[at : at + 5] for at in range(395))


def test_the_one_with_the_fewest_calls_under_way_for_its_weight_is_next() -> None:
    caller = Caller(pool_of(place("a", weight=2), place("b"), balancing="least_outstanding"))
    under_way = [caller.begin() for _ in range(6)]
    assert Counter(pick.endpoint.id for pick in under_way if pick) == {"a": 4, "b": 2}
    first = next(pick for pick in under_way if pick and pick.endpoint.id == "b")
    caller.end(first)
    following = caller.begin()
    assert following is not None
    assert following.endpoint.id == "b"


def test_of_two_the_quicker_is_taken_and_the_slow_one_is_tried_again_in_time() -> None:
    caller = Caller(pool_of(place("slow"), place("quick"), balancing="latency"))
    for _ in range(20):
        pick = caller.begin()
        assert pick is not None
        caller.end(pick, seconds=2.0 if pick.endpoint.id == "slow" else 0.02)
    assert caller.calls(50)["quick"] == 50
    caller.now += 600
    caller.pool.endpoints["quick"].measured(0.02, caller.now)
    assert "slow" in caller.calls(5)


def test_the_cheapest_is_taken_until_it_has_as_many_calls_as_it_may() -> None:
    pool = pool_of(
        place("dear", cost=2), place("cheap", cost=1, max_concurrency=2), balancing="cost"
    )
    caller = Caller(pool)
    names = [pick.endpoint.id for pick in (caller.begin() for _ in range(4)) if pick]
    assert names == ["cheap", "cheap", "dear", "dear"]
    assert pool.is_full()


def test_a_lower_tier_gets_calls_only_while_none_of_a_higher_takes_any() -> None:
    caller = Caller(pool_of(place("first", priority=1), place("second")))
    assert caller.calls(5) == {"first": 5}
    for _ in range(5):
        assert caller.call(BROKEN) == "first"
    assert caller.calls(5) == {"second": 5}
    caller.now += 10
    assert caller.calls(5) == {"first": 5}


def test_a_half_open_endpoint_gets_one_call_at_a_time() -> None:
    caller = Caller(pool_of(place("a", priority=1), place("b")))
    for _ in range(5):
        caller.call(BROKEN)
    caller.now += 10
    probe, other = caller.begin(), caller.begin()
    assert probe is not None
    assert other is not None
    assert (probe.endpoint.id, probe.probe, other.endpoint.id, other.probe) == (
        "a",
        True,
        "b",
        False,
    )
    assert "probe is under way" in caller.pool.skipped_now()["a"]
    caller.end(probe, BROKEN)
    assert caller.call() == "b"
    caller.now += 20
    assert caller.call() == "a"


def test_what_a_refusal_says_is_said_of_the_task_and_not_of_the_endpoint() -> None:
    caller = Caller(pool_of(place("a"), place("b")))
    for _ in range(50):
        caller.call(AgentRefusedError("no seats"))
    assert caller.pool.serving == 2


def test_an_endpoint_that_asks_for_a_pause_gets_it() -> None:
    caller = Caller(pool_of(place("a", priority=1), place("b")))
    caller.call(AgentRateLimitedError("slow down", retry_after=7))
    assert caller.calls(3) == {"b": 3}
    assert caller.pool.next_due(caller.now) == 7
    caller.now += 7
    assert caller.calls(3) == {"a": 3}


def test_an_outlier_is_left_out_and_comes_back_to_its_share() -> None:
    resilience = Resilience(
        breaker=None, outliers=OutlierPolicy(ejected_for=timedelta(seconds=20), least_calls=10)
    )
    caller = Caller(pool_of(*(place(name) for name in "abcd"), resilience=resilience))
    for _ in range(100):
        pick = caller.begin()
        assert pick is not None
        caller.end(pick, BROKEN if pick.endpoint.id == "d" else None)
        caller.now += 0.1
    assert "ejected: 0% of its calls" in caller.pool.skipped["d"].why
    assert set(caller.calls(30)) == {"a", "b", "c"}
    caller.now += 21
    assert caller.calls(40) == {"a": 10, "b": 10, "c": 10, "d": 10}


def test_where_all_seem_unwell_one_gets_the_call_all_the_same() -> None:
    pool = pool_of(place("a"), place("b"))
    for endpoint in pool.endpoints.values():
        endpoint.ejected_until = 2000
        pool.refresh(endpoint, 1000)
    pick = pool.decide(1000, random.Random(1).random)
    assert pick is not None
    assert "all endpoints seem unwell" in pick.why
    pool.endpoints["a"].switch = "disabled"
    pool.endpoints["b"].switch = "disabled"
    for endpoint in pool.endpoints.values():
        pool.refresh(endpoint, 1000)
    assert pool.decide(1000, random.Random(1).random) is None


def test_another_specification_keeps_what_is_known_of_the_same_endpoints() -> None:
    pool = pool_of(place("a"), place("b"))
    caller = Caller(pool)
    under_way = [caller.begin(), caller.begin()]
    other = AgentSpec("agent", endpoints=[place("b", weight=5, priority=2), place("c")])
    gone = pool.replace(other)
    assert [endpoint.id for endpoint in gone] == ["a"]
    assert pool.endpoints["b"].outstanding == 1
    for pick in under_way:
        assert pick is not None
        caller.end(pick)
    assert pool.endpoints["b"].outstanding == 0
    assert caller.calls(4) == {"b": 4}


PLACES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 3]), st.sampled_from([None, 1, 2])),
    min_size=1,
    max_size=5,
)
EVENTS = st.lists(
    st.one_of(
        st.just("begin"),
        st.tuples(
            st.just("end"), st.integers(0, 9), st.sampled_from(["ok", "fail", "limit", "leave"])
        ),
        st.tuples(st.just("wait"), st.floats(0, 40)),
        st.tuples(st.just("switch"), st.integers(0, 4), st.sampled_from(["enabled", "disabled"])),
    ),
    max_size=60,
)
ERRORS = {"fail": BROKEN, "limit": AgentRateLimitedError("later", retry_after=3), "ok": None}


@given(PLACES, st.sampled_from(BALANCING), EVENTS)
def test_the_index_always_says_what_asking_every_endpoint_would(  # noqa: C901
    places: list[tuple[int, int, int | None]], balancing: str, events: list[Any]
) -> None:
    ends = [
        place(str(at), priority=priority, weight=weight, max_concurrency=most)
        for at, (priority, weight, most) in enumerate(places)
    ]
    resilience = Resilience(
        breaker=BreakerPolicy(failures=2), outliers=OutlierPolicy(least_calls=2)
    )
    caller = Caller(pool_of(*ends, balancing=balancing, resilience=resilience))
    pool, under_way = caller.pool, []
    for event in events:
        if event == "begin":
            serving = {
                endpoint.place.priority
                for endpoint in pool.endpoints.values()
                if hindrance(endpoint, caller.now) is None
            }
            pick = caller.begin()
            if serving:
                assert pick is not None
                assert pick.endpoint.place.priority == max(serving)
            if pick is not None:
                under_way.append(pick)
        elif event[0] == "end" and under_way:
            pick = under_way.pop(event[1] % len(under_way))
            left = event[2] == "leave"
            pool.end(pick, caller.now, seconds=0.1, error=ERRORS.get(event[2]), abandoned=left)
        elif event[0] == "wait":
            caller.now += event[1]
        elif event[0] == "switch":
            endpoint = pool.endpoints[str(event[1] % len(ends))]
            endpoint.switch = event[2]
            pool.refresh(endpoint, caller.now)
        pool.catch_up(caller.now)
        for endpoint in pool.endpoints.values():
            held = hindrance(endpoint, caller.now)
            assert endpoint.serving == (held is None)
            assert (endpoint.id in pool.skipped) == (held is not None)
        assert pool.serving == sum(each.serving for each in pool.endpoints.values())
        under = Counter(pick.endpoint.id for pick in under_way)
        assert all(each.outstanding == under[each.id] for each in pool.endpoints.values())


@pytest.mark.parametrize("balancing", BALANCING)
def test_no_entry_is_left_behind_however_many_calls_there_were(balancing: str) -> None:
    caller = Caller(pool_of(place("a"), place("b", max_concurrency=1), balancing=balancing))
    for _ in range(2000):
        picks = [caller.begin() for _ in range(3)]
        for pick in picks:
            assert pick is not None
            caller.end(pick)
    (tier,) = caller.pool._tiers.values()
    held = getattr(tier, "_turns", None) or getattr(tier, "_ranks", None) or []
    assert len(held) < 200


def test_one_that_seems_unwell_is_called_where_no_other_takes_calls() -> None:
    pool = pool_of(place("slow"), place("dead"), place("off", enabled=False))
    pool.endpoints["slow"].ejected_until = 2000
    pool.endpoints["dead"].breaker = Breaker(is_open=True, due=1500)
    for endpoint in pool.endpoints.values():
        pool.refresh(endpoint, 1000)
    pick = pool.decide(1000, random.Random(1).random)
    assert pick is not None
    assert pick.endpoint.id == "slow"


def test_one_that_seems_unwell_gets_no_more_than_its_breaker_its_pause_and_its_limit_allow() -> (
    None
):
    pool = pool_of(place("a", max_concurrency=2))
    endpoint = pool.endpoints["a"]
    endpoint.ejected_until = 2000
    for holds in ("open", "paused", "full"):
        endpoint.breaker = Breaker(is_open=holds == "open", due=1500)
        endpoint.limited_until = 1500 if holds == "paused" else 0
        endpoint.outstanding = 2 if holds == "full" else 0
        pool.refresh(endpoint, 1000)
        assert pool.decide(1000, random.Random(1).random) is None, holds
    endpoint.outstanding, endpoint.breaker = 0, Breaker(is_open=True, due=1500)
    pool.refresh(endpoint, 1500)
    probe = pool.decide(1500, random.Random(1).random)
    assert probe is not None
    assert probe.probe
    pool.begin(probe, 1500)
    assert pool.decide(1500, random.Random(1).random) is None


def test_an_endpoint_whose_breaker_is_taken_away_gets_all_its_calls() -> None:
    pool = pool_of(place("a"))
    caller = Caller(pool)
    for _ in range(5):
        caller.call(BROKEN)
    assert caller.begin() is None
    pool.replace(AgentSpec("agent", endpoints=[place("a")], resilience=Resilience(breaker=None)))
    assert caller.calls(3) == {"a": 3}


def test_a_price_that_is_changed_counts_at_once() -> None:
    def ends(price: float) -> AgentSpec:
        places = [place("a", cost=price), place("b", cost=2)]
        return AgentSpec("agent", endpoints=places, balancing="cost")

    pool = Pool(ends(3), changed=lambda _: None)
    caller = Caller(pool)
    assert caller.calls(2) == {"b": 2}
    pool.replace(ends(1))
    assert caller.calls(2) == {"a": 2}


def test_an_endpoint_that_was_switched_off_stays_off_at_another_address() -> None:
    def at(address: str) -> AgentSpec:
        ends = [Endpoint(endpoint_id="a", address=address)]
        return AgentSpec("agent", endpoints=ends)

    pool = Pool(at("https://old.example.com"), changed=lambda _: None)
    pool.endpoints["a"].switch = "disabled"
    pool.replace(at("https://new.example.com"))
    assert pool.decide(1000, random.Random(1).random) is None


@pytest.mark.parametrize("retry_after", [math.inf, 1e12])
def test_no_endpoint_is_left_alone_for_ever_because_it_says_so(retry_after: float) -> None:
    pool = pool_of(place("a"))
    caller = Caller(pool)
    caller.call(AgentRateLimitedError("later", retry_after=retry_after))
    assert caller.begin() is None
    caller.now += 24 * 3600
    assert caller.call() == "a"
