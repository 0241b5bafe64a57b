"""Threads are shared out among versions by weight, and stay with theirs."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.traffic import Place
from nodes.ports import Dispatch, Terms
from orchestration import (
    AgentSpec,
    AgentTask,
    PlanError,
    Ramp,
    Resilience,
    SimpleCoordinator,
)
from orchestration.routing.versions import Split, ramped
from tests.unit.orchestration.routing.stage import START, Clock, call, registry_of


async def answer(_input: dict[str, Any]) -> dict[str, Any]:
    return {}


def version(name: str, **more: Any) -> AgentSpec:  # noqa: ANN401
    return AgentSpec("agent", handler=answer, version=name, **more)


@pytest.mark.parametrize("weights", [(50, 50), (90, 10), (1, 2, 5)])
async def test_ten_thousand_threads_split_by_weight_and_each_stays(
    weights: tuple[int, ...],
) -> None:
    specs = [version(str(number), weight=weight) for number, weight in enumerate(weights)]
    registry = registry_of(*specs)
    first: dict[str, str] = {}
    for thread in range(10_000):
        first[str(thread)] = (await call(registry, thread_id=str(thread)))[1].version
    counts = Counter(first.values())
    for number, weight in enumerate(weights):
        assert abs(counts[str(number)] / 10_000 - weight / sum(weights)) < 0.01
    for thread in random.Random(2).sample(range(10_000), 500):
        again = (await call(registry, thread_id=str(thread)))[1].version
        assert again == first[str(thread)]


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 100), min_size=1),
    st.integers(0, 2**32),
)
def test_a_split_is_never_off_by_more_than_a_few_threads(
    weights: dict[str, float], seed: int
) -> None:
    split, source, counts = Split(), random.Random(seed).random, Counter[str]()
    total = sum(weights.values())
    for drawn in range(1, 200):
        counts[split.draw(weights, source)] += 1
        for name, weight in weights.items():
            assert abs(counts[name] - drawn * weight / total) < len(weights)


def test_who_gets_what_cannot_be_foreseen() -> None:
    split, source = Split(), random.Random(3).random
    drawn = "".join(split.draw({"a": 1, "b": 1}, source) for _ in range(200))
    assert drawn not in {"ab" * 100, "ba" * 100}
    assert "aa" in drawn


def test_a_version_without_weight_gets_no_thread() -> None:
    split, source = Split(), random.Random(4).random
    assert {split.draw({"a": 1, "b": 0}, source) for _ in range(100)} == {"a"}


def test_a_ramp_grows_evenly_between_its_points() -> None:
    ramp = Ramp(since=100, points=((0, 1), (10, 11), (20, 50)))
    assert [ramped(ramp, at) for at in (99, 100, 105, 110, 115, 120, 999)] == [
        0, 1, 6, 11, 30.5, 50, 50,
    ]  # fmt: skip


async def test_a_canary_gets_more_and_more_new_threads_and_takes_none_away() -> None:
    clock = Clock()
    ramp = Ramp(since=START, points=((0, 0), (100, 100)))
    registry = registry_of(version("1", weight=100), version("2", ramp=ramp), clock=clock)
    has: dict[str, str] = {}
    shares = []
    for step in range(3):
        drawn = []
        for number in range(400):
            thread = f"{step}/{number}"
            has[thread] = (await call(registry, thread_id=thread))[1].version
            drawn.append(has[thread])
        shares.append(drawn.count("2") / 400)
        clock.pass_(50)
    assert shares == pytest.approx([0, 1 / 3, 1 / 2], abs=0.01)
    for thread, name in has.items():
        assert (await call(registry, thread_id=thread))[1].version == name


async def test_a_version_that_is_gone_gives_its_threads_to_the_others_for_good() -> None:
    registry = registry_of(version("1"), version("2"), version("3"))
    made = (await call(registry, thread_id="t"))[1]
    registry.unregister("agent", made.version)
    again = {(await call(registry, thread_id="t"))[1].version for _ in range(9)}
    assert len(again) == 1
    assert made.version not in again


async def test_a_thread_stays_with_the_version_that_was_the_only_one() -> None:
    registry = registry_of(version("1", resilience=Resilience()))
    for thread in map(str, range(20)):
        await call(registry, thread_id=thread)
    registry.register(version("2", weight=1000))
    has = {(await call(registry, thread_id=str(thread)))[1].version for thread in range(20)}
    assert has == {"1"}


async def test_of_a_draining_version_threads_that_have_it_keep_it_and_no_new_one_gets_it() -> None:
    registry = registry_of(version("1"), version("2"))
    has = {str(n): (await call(registry, thread_id=str(n)))[1].version for n in range(20)}
    registry.router.groups["agent"].versions["1"].switched(own="draining")
    for thread, name in has.items():
        assert (await call(registry, thread_id=thread))[1].version == name
    new = {(await call(registry, thread_id=f"new {n}"))[1].version for n in range(20)}
    assert new == {"2"}


async def test_a_lower_priority_version_gets_no_threads_while_there_is_a_higher() -> None:
    registry = registry_of(version("1", priority=1), version("2"))
    assert {(await call(registry, thread_id=str(n)))[1].version for n in range(9)} == {"1"}


async def test_why_a_version_was_chosen_is_told() -> None:
    registry = registry_of(version("1", weight=0), version("2", weight=3))
    first, again = [(await call(registry, thread_id="t"))[1].told for _ in range(2)]
    assert first["routing"]["why"].startswith("version 2 of 1 0%, 2 100%")
    assert again["routing"]["why"].startswith("version 2, as before in this thread")


async def test_a_draining_agent_gets_no_new_runs_and_finishes_those_that_began() -> None:
    registry = registry_of(version("1"))
    registry.register(AgentSpec("other", ["work"], handler=answer))
    registry.register(AgentSpec("drained", ["work"], handler=answer, priority=9))
    async with SimpleCoordinator(registry=registry, database_url="memory://") as coordinator:
        paused = await coordinator.execute_sequential([AgentTask("agent", requires_approval=True)])
        for agent in ("agent", "drained"):
            await registry.switch(Place(agent), "draining")
        with pytest.raises(PlanError, match="'agent' is being drained"):
            await coordinator.execute_sequential([AgentTask("agent")])
        result = await coordinator.resume(paused.thread_id, {"agent": "approve"})
        assert result.status == "completed"
        elsewhere = await coordinator.execute_sequential([AgentTask(capability="work")])
        assert elsewhere[0].agent == "other"
        await registry.switch(Place("agent"), "enabled")
        assert (await coordinator.execute_sequential([AgentTask("agent")])).status == "completed"


class Assigned:
    """A journal that keeps versions as the database does."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    @property
    def is_empty(self) -> bool:
        return False

    async def sent(self, key: str) -> Dispatch | None:  # noqa: ARG002
        return None

    async def note(self, key: str, dispatch: Dispatch | None) -> None:
        """What is called where does not matter here."""

    async def version_of(self, agent_id: str) -> str | None:
        return self.versions.get(agent_id)

    async def assign(self, agent_id: str, version: str, *, instead_of: str | None = None) -> str:
        if instead_of is not None and self.versions.get(agent_id) == instead_of:
            self.versions[agent_id] = version
        return self.versions.setdefault(agent_id, version)


@pytest.mark.parametrize("how", ["switched", "in the specification"])
async def test_threads_of_a_version_that_is_disabled_get_another_one_and_keep_that(
    how: str,
) -> None:
    registry = registry_of(version("1"), version("2", weight=0), version("3", weight=0))
    journal = Assigned()
    terms = Terms(journal)
    assert (await call(registry, thread_id="t", terms=terms))[1].version == "1"
    if how == "switched":
        await registry.switch(Place("agent", "1"), "disabled")
    else:
        registry.disable("agent", "1")
    used = {(await call(registry, thread_id="t", terms=terms))[1].version for _ in range(9)}
    assert len(used) == 1
    assert used < {"2", "3"}
    assert journal.versions["agent"] in used


async def test_a_thread_that_somebody_chatted_under_gets_its_version_written_down() -> None:
    registry = registry_of(version("1"), version("2"))
    await call(registry, thread_id="t")  # without a database
    journal = Assigned()
    had = (await call(registry, thread_id="t", terms=Terms(journal)))[1].version
    assert journal.versions == {"agent": had}


async def test_a_thread_that_got_another_version_elsewhere_has_that_here_too() -> None:
    registry = registry_of(version("1"), version("2"))
    journal = Assigned()
    had = (await call(registry, thread_id="t", terms=Terms(journal)))[1].version
    other = {"1": "2", "2": "1"}[had]
    journal.versions["agent"] = other  # the thread was deleted, and begun anew elsewhere
    assert (await call(registry, thread_id="t", terms=Terms(journal)))[1].version == other
