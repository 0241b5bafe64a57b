"""A call that fails is made elsewhere where that is safe, and nowhere where it is not."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.ports import Dispatch, Terms
from nodes.retry_budget import RetryBudget
from orchestration import (
    AgentAuthError,
    AgentContext,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentSpec,
    AgentTimeoutError,
    AgentUnavailableError,
    Endpoint,
    LeaseLostError,
    Resilience,
)
from tests.unit.orchestration.routing.stage import START, Clock, Places, call, registry_of

MAYBE = AgentError("the connection broke")
NOT = AgentNotStartedError("nothing listens there")


class Journal:
    """A thread's journal, in memory."""

    def __init__(self) -> None:
        self.places: dict[str, Dispatch] = {}

    @property
    def is_empty(self) -> bool:
        return False

    async def sent(self, key: str) -> Dispatch | None:
        return self.places.get(key)

    async def note(self, key: str, dispatch: Dispatch | None) -> None:
        if dispatch is None:
            self.places.pop(key, None)
        else:
            self.places[key] = dispatch

    async def version_of(self, agent_id: str) -> str | None:  # noqa: ARG002
        return None

    async def assign(self, agent_id: str, version: str, *, instead_of: str | None = None) -> str:  # noqa: ARG002
        return version


def spec_of(places: Places, *names: str, **more: Any) -> AgentSpec:  # noqa: ANN401
    ends = [places.endpoint(name, priority=-at) for at, name in enumerate(names)]
    return AgentSpec("agent", endpoints=ends, **more)


@pytest.mark.parametrize(
    ("error", "flags", "goes_on"),
    [
        (NOT, {}, True),
        (AgentRateLimitedError("later"), {}, True),
        (AgentAuthError("who are you"), {}, True),
        (MAYBE, {}, False),
        (AgentTimeoutError("too slow"), {}, False),
        (ValueError("of the handler"), {}, False),
        (MAYBE, {"idempotent": True}, True),
        (AgentTimeoutError("too slow"), {"read_only": True}, True),
        (AgentRefusedError("no seats"), {"idempotent": True}, False),
    ],
)
async def test_only_what_surely_did_not_start_or_may_be_repeated_goes_elsewhere(
    error: Exception,
    flags: dict[str, bool],
    goes_on: bool,  # noqa: FBT001
) -> None:
    places = Places(errors={"a": error})
    reply, made = await call(registry_of(spec_of(places, "a", "b", **flags)))
    assert reply == ({"by": "b"} if goes_on else error)
    assert places.calls == ({"a": 1, "b": 1} if goes_on else {"a": 1})
    tries = made.told["tries"]
    assert [each["endpoint"] for each in tries] == list(places.calls)
    assert "error" in tries[0]
    assert {key for _, key in places.keys} == {"run:task"}


async def test_it_is_tried_at_so_many_endpoints_and_no_more() -> None:
    places = Places(errors=dict.fromkeys("abcd", NOT))
    resilience = Resilience(failovers=2)
    reply, made = await call(registry_of(spec_of(places, *"abcd", resilience=resilience)))
    assert reply is NOT
    assert [each["endpoint"] for each in made.told["tries"]] == ["a", "b", "c"]


async def test_a_runs_retry_budget_counts_failovers_too() -> None:
    places = Places(errors=dict.fromkeys("abcd", NOT))
    budget = RetryBudget(1)
    await call(registry_of(spec_of(places, *"abcd")), terms=Terms(budget=budget))
    assert places.calls == {"a": 1, "b": 1}
    assert not budget.take()


async def test_past_its_deadline_nothing_more_is_tried() -> None:
    places = Places(errors={"a": NOT})
    registry = registry_of(spec_of(places, "a", "b"), clock=Clock())
    assert (await call(registry, deadline=START))[0] is NOT


async def test_where_no_endpoint_is_left_the_first_failure_is_told() -> None:
    places = Places(errors={"a": NOT})
    spec = spec_of(places, "a", "b")
    registry = registry_of(spec)
    registry.router.groups["agent"].versions["1"].pool.endpoints["b"].switch = "disabled"
    pool = registry.router.groups["agent"].versions["1"].pool
    pool.refresh(pool.endpoints["b"], START)
    assert (await call(registry))[0] is NOT


async def test_where_no_endpoint_takes_calls_it_says_why_and_when_one_will() -> None:
    places = Places(errors={"a": NOT, "b": NOT})
    registry = registry_of(spec_of(places, "a", "b", resilience=Resilience()), clock=Clock())
    for _ in range(5):
        await call(registry)
    error, _ = await call(registry)
    assert isinstance(error, AgentUnavailableError)
    assert "a: its breaker is open" in str(error)
    assert "b: its breaker is open" in str(error)
    assert error.retry_after == 10


async def test_one_primary_and_one_fallback_through_a_minute_without_the_primary() -> None:
    """Ten calls a second; the primary is down from the start until second 60."""
    clock, places = Clock(), Places(errors={"primary": NOT})
    spec = spec_of(places, "primary", "fallback")
    registry = registry_of(spec, clock=clock)
    log: list[tuple[float, int]] = []
    for _ in range(900):
        before = places.calls["primary"]
        reply, _ = await call(registry)
        assert isinstance(reply, dict)  # no caller ever sees the failure
        log.append((clock.seconds - START, places.calls["primary"] - before))
        clock.pass_(0.1)
        if clock.seconds >= START + 60:
            places.errors.clear()
    down = [at for at, calls in log if at < 60 and calls]
    assert len([at for at in down if at < 5]) == 5  # the breaker's threshold
    probes = [at for at in down if at >= 5]
    assert probes == pytest.approx([10.4, 30.4], abs=0.5)  # one each time, after 10 and 20 s
    back = [at for at, calls in log if at >= 60 and calls]
    assert back[0] == pytest.approx(70.4, abs=0.5)  # the next probe closes it
    assert len(back) == len([at for at, _ in log if at >= back[0]])


async def test_while_one_probe_is_under_way_all_others_go_to_the_fallback() -> None:
    clock, places = Clock(), Places(errors={"primary": NOT})
    held, inside = asyncio.Event(), asyncio.Event()

    async def slow(_input: dict[str, Any]) -> dict[str, Any]:
        inside.set()
        await held.wait()
        return {"by": "primary"}

    registry = registry_of(spec_of(places, "primary", "fallback"), clock=clock)
    for _ in range(5):
        await call(registry)
    clock.pass_(10)
    pool = registry.router.groups["agent"].versions["1"].pool
    del pool.endpoints["primary"].connector  # the next call makes another
    pool.endpoints["primary"].connector = None
    object.__setattr__(pool.endpoints["primary"].place, "handler", slow)
    probe = asyncio.create_task(call(registry))
    await asyncio.wait_for(inside.wait(), 5)
    others = await asyncio.gather(*(call(registry) for _ in range(20)))
    assert {reply["by"] for reply, _ in others} == {"fallback"}
    held.set()
    assert (await probe)[0] == {"by": "primary"}
    assert (await call(registry))[0] == {"by": "primary"}


# -- effects -----------------------------------------------------------------------------------


async def test_a_call_that_may_have_begun_is_made_again_only_where_it_was_made() -> None:
    places, journal = Places(errors={"a": MAYBE}), Journal()
    registry = registry_of(spec_of(places, "a", "b"))
    terms = Terms(journal=journal)
    assert (await call(registry, terms=terms))[0] is MAYBE
    places.errors.clear()
    again, made = await call(registry, terms=terms)  # by a retry, or after a crash
    assert again == {"by": "a"}
    assert "where the call was sent before" in made.told["routing"]["why"]
    assert places.calls == {"a": 2}


async def test_if_that_place_does_not_answer_now_it_still_goes_nowhere_else() -> None:
    places, journal = Places(errors={"a": NOT}), Journal()
    journal.places["run:task"] = Dispatch("agent", "1", "a")
    registry = registry_of(spec_of(places, "a", "b"))
    reply, made = await call(registry, terms=Terms(journal=journal))
    assert reply is NOT
    assert made.may_retry
    assert places.calls == {"a": 1}
    assert journal.places  # it may have begun the first time


async def test_if_that_place_is_gone_a_person_has_to_look() -> None:
    places, journal = Places(), Journal()
    journal.places["run:task"] = Dispatch("agent", "1", "old")
    registry = registry_of(spec_of(places, "a", "b"))
    error, made = await call(registry, terms=Terms(journal=journal))
    assert isinstance(error, AgentError)
    assert "may have begun at endpoint 'old'" in str(error)
    assert not made.may_retry
    assert not places.calls


async def test_a_retry_of_what_may_have_begun_stays_with_the_version_that_knows_the_key() -> None:
    places, journal = Places(errors={"a": MAYBE}), Journal()
    registry = registry_of(
        spec_of(places, "a", idempotent=True),
        spec_of(places, "b", idempotent=True, version="2", weight=1e-9),
    )
    _, made = await call(registry, terms=Terms(journal), thread_id="t")
    for _ in range(4):  # the breaker opens, and the other version would get the call
        await call(registry, key="other", thread_id="t")
    places.errors.clear()
    assert (await call(registry, key="new", thread_id="t"))[0] == {"by": "b"}
    tries = made.told["tries"]
    again, made = await call(registry, terms=Terms(journal, tries=tries), thread_id="t")
    assert isinstance(again, AgentUnavailableError)
    assert made.may_retry
    assert places.calls["b"] == 1


async def test_what_surely_did_not_begin_is_forgotten() -> None:
    places, journal = Places(errors={"a": NOT, "b": NOT}), Journal()
    registry = registry_of(spec_of(places, "a", "b"))
    await call(registry, terms=Terms(journal=journal))
    assert not journal.places


async def test_agents_that_may_repeat_leave_no_trace_in_the_journal() -> None:
    places, journal = Places(), Journal()
    registry = registry_of(spec_of(places, "a", "b", idempotent=True))
    await call(registry, terms=Terms(journal=journal))
    assert not journal.places


class Purchases:
    """Endpoints that do not know of each other: each acts once for a key, then knows it."""

    def __init__(self, script: list[str]) -> None:
        self.script = script
        self.effects: list[tuple[str, str]] = []
        self.known: set[tuple[str, str]] = set()

    def endpoint(self, name: str, priority: int) -> Endpoint:  # noqa: C901
        async def buy(_input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
            end = self.script.pop(0) if self.script else "ok"
            if end == "refused connection":
                raise AgentNotStartedError("nothing listens there")
            if end == "limited":
                raise AgentRateLimitedError("later", retry_after=1)
            if end == "lost request":
                raise AgentError("the connection broke before it acted")
            if (name, context.idempotency_key) not in self.known:
                self.known.add((name, context.idempotency_key))
                self.effects.append((context.idempotency_key, name))
            if end == "lost reply":
                raise AgentError("the connection broke after it acted")
            if end == "late":
                raise AgentTimeoutError("it acted, and did not answer in time")
            if end == "we die":
                raise asyncio.CancelledError
            return {"by": name}

        return Endpoint(endpoint_id=name, handler=buy, priority=priority)


ENDS = ["ok", "refused connection", "limited", "lost request", "lost reply", "late", "we die"]


@given(
    st.lists(st.sampled_from(ENDS), max_size=12),
    st.integers(2, 4),
    st.integers(1, 6),
    st.lists(st.floats(0, 30), min_size=6, max_size=6),
    st.randoms(use_true_random=False),
)
def test_whatever_fails_a_purchase_has_one_effect_at_most(
    script: list[str], size: int, attempts: int, waits: list[float], source: random.Random
) -> None:
    """Each attempt may be a retry, or another process after this one has died."""
    purchases, journal, clock = Purchases(script), Journal(), Clock()
    ends = [purchases.endpoint(str(at), source.choice([0, 1])) for at in range(size)]
    spec = AgentSpec("agent", endpoints=ends)

    async def run() -> None:
        registry = registry_of(spec, clock=clock)
        for attempt in range(attempts):
            try:
                reply, made = await call(registry, terms=Terms(journal=journal))
            except asyncio.CancelledError:
                registry = registry_of(spec, clock=clock, seed=attempt)  # a new process
                continue
            if isinstance(reply, dict) or not made.may_retry:
                return
            clock.pass_(waits[attempt])

    asyncio.run(run())
    assert len(purchases.effects) <= 1


# -- what is told, what is abandoned -----------------------------------------------------------


async def test_earlier_tries_and_costs_are_kept() -> None:
    places = Places()
    spec = AgentSpec("agent", endpoints=[places.endpoint("a", cost=0.25)])
    earlier = {"endpoint": "z", "version": "1", "seconds": 0.1, "error": "agent_failed"}
    terms = Terms(tries=(earlier,), cost=0.5)  # type: ignore[arg-type]  # a plain dict
    _, made = await call(registry_of(spec), terms=terms)
    assert made.told["cost"] == 0.75
    assert [each["endpoint"] for each in made.told["tries"]] == ["z", "a"]


async def test_a_call_that_nobody_waits_for_any_more_says_nothing_of_the_endpoint() -> None:
    held = asyncio.Event()

    async def slow(_input: dict[str, Any]) -> dict[str, Any]:
        await held.wait()
        return {}

    ends = [Endpoint(endpoint_id=name, handler=slow) for name in "ab"]
    registry = registry_of(AgentSpec("agent", endpoints=ends))
    running = [asyncio.create_task(call(registry)) for _ in range(20)]
    await asyncio.sleep(0)
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    pool = registry.router.groups["agent"].versions["1"].pool
    assert pool.serving == 2
    assert [each.outstanding for each in pool.endpoints.values()] == [0, 0]


async def test_a_call_past_its_deadline_counts_against_the_endpoint() -> None:
    clock, held = Clock(), asyncio.Event()

    async def slow(_input: dict[str, Any]) -> dict[str, Any]:
        await held.wait()
        return {}

    ends = [Endpoint(endpoint_id=name, handler=slow) for name in "ab"]
    registry = registry_of(AgentSpec("agent", endpoints=ends), clock=clock)
    running = [asyncio.create_task(call(registry, deadline=START + 1)) for _ in range(10)]
    await asyncio.sleep(0)
    clock.pass_(1)
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert registry.router.groups["agent"].versions["1"].pool.serving == 0


async def test_a_process_that_lost_the_thread_calls_nobody_and_blames_nobody() -> None:
    class Lost(Journal):
        async def note(self, _key: str, _dispatch: Dispatch | None) -> None:
            raise LeaseLostError("thread")

    places = Places()
    registry = registry_of(spec_of(places, "a", "b"))
    error, made = await call(registry, terms=Terms(journal=Lost()))
    assert isinstance(error, LeaseLostError)
    assert not places.calls
    assert not made.told["tries"]
    pool = registry.router.groups["agent"].versions["1"].pool
    assert [(each.failures, each.outstanding) for each in pool.endpoints.values()] == [(0, 0)] * 2
