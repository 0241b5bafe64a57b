"""What every store of spending does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.database import open_database
from checkpoints.spending import Charged, MemorySpending, Scope, SpendingStore
from state.budget import Balance, Spent

RUN = Scope("run", "r")
THREAD = Scope("thread", "t")
TENANT = Scope("tenant", "acme")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SpendingStore]:
    if request.param == "memory":
        yield MemorySpending()
        return
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    yield database.spending
    database.close()


def charged(key: str, *, run: str = "r", at: float = 1.0) -> Charged:
    return Charged(key, run, "t", "acme", at)


def never(_balances: object) -> bool:
    return False


def always(_balances: object) -> bool:
    return True


async def test_a_call_counts_when_it_begins_and_what_it_used_when_it_ends(
    store: SpendingStore,
) -> None:
    await store.begin(charged("a"), [RUN], always)
    assert await store.balances([RUN]) == [Balance(Spent(attempts=1))]
    await store.end(charged("a"), Spent(tokens=10, cost=0.5, seconds=2, attempts=1))
    assert await store.balances([RUN]) == [Balance(Spent(10, 0.5, 2, 1))]


async def test_a_call_that_is_made_again_after_a_crash_counts_again(store: SpendingStore) -> None:
    await store.begin(charged("a"), [RUN], always)  # and the process dies
    await store.begin(charged("a"), [RUN], always)
    await store.end(charged("a"), Spent(tokens=10, attempts=1))
    assert await store.balances([RUN]) == [Balance(Spent(tokens=10, attempts=2))]


async def test_a_call_that_may_have_begun_is_admitted_whatever_is_used_up(
    store: SpendingStore,
) -> None:
    await store.begin(charged("a"), [RUN], always)  # and the process dies
    assert (await store.begin(charged("a"), [RUN], never)).admitted
    assert not (await store.begin(charged("b"), [RUN], never)).admitted
    assert await store.balances([RUN]) == [Balance(Spent(attempts=2))]


async def test_an_answer_without_a_call_uses_nothing_up(store: SpendingStore) -> None:
    await store.begin(charged("a"), [RUN], always)
    await store.end(charged("a"), Spent())
    assert await store.balances([RUN]) == [Balance()]


async def test_a_call_that_is_not_admitted_does_not_count(store: SpendingStore) -> None:
    found = await store.begin(charged("a"), [RUN, THREAD], lambda balances: len(balances) > 2)
    assert found == (False, [Balance(), Balance()])
    assert await store.balances([RUN]) == [Balance()]


async def test_looking_and_counting_are_one_step(store: SpendingStore) -> None:
    def below_three(balances: Sequence[Balance]) -> bool:
        return balances[0].spent.attempts < 3

    calls = (store.begin(charged(f"c{number}"), [RUN], below_three) for number in range(20))
    await asyncio.gather(*calls)
    assert await store.balances([RUN]) == [Balance(Spent(attempts=3))]


async def test_runs_threads_and_tenants_are_summed_up_apart(store: SpendingStore) -> None:
    await store.begin(charged("a"), [], always)
    await store.begin(charged("b", run="other"), [], always)
    await store.begin(Charged("c", "r3", "t3", None, 1.0), [], always)
    await store.begin(Charged("d", "r4", "t4", "globex", 1.0), [], always)
    found = await store.balances([RUN, THREAD, TENANT, Scope("tenant", "globex")])
    assert [each.spent.attempts for each in found] == [1, 2, 2, 1]


async def test_only_what_was_used_within_the_window_counts(store: SpendingStore) -> None:
    await store.begin(charged("old", at=10), [], always)
    await store.begin(charged("new", at=20), [], always)
    (balance,) = await store.balances([Scope("thread", "t", since=10)])
    assert balance.spent.attempts == 1


async def test_a_grant_counts_once_and_only_for_its_kind_of_budget(store: SpendingStore) -> None:
    for _ in range(2):
        await store.grant(charged("g"), Spent(tokens=5), "thread")
    found = await store.balances([RUN, THREAD])
    assert [each.granted.tokens for each in found] == [0, 5]
    assert found[1].spent == Spent()


async def test_a_question_stays_about_what_it_was_about_when_it_was_asked(
    store: SpendingStore,
) -> None:
    assert await store.asked(charged("q"), None) is None
    assert await store.asked(charged("q"), 2**32 - 1) == 2**32 - 1
    assert await store.asked(charged("q"), 7) == 2**32 - 1
    assert await store.asked(charged("q"), None) == 2**32 - 1
    assert await store.balances([RUN, THREAD, TENANT]) == [Balance()] * 3


IDS = st.sampled_from(["x", "y"])
TIMES = st.floats(min_value=0, max_value=9)
CHARGES = st.builds(lambda key, at: Charged(key, key, key, "acme", at), IDS, TIMES)
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "grant"]), CHARGES), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, since=TIMES)
def test_both_stores_say_the_same(steps: list[tuple[str, Charged]], since: float) -> None:
    scopes = [Scope("run", "x"), Scope("thread", "y"), Scope("tenant", "acme")]
    scopes += [each._replace(since=since) for each in scopes]

    async def play(store: SpendingStore) -> list[Balance]:
        for act, each in steps:
            if act == "begin":
                await store.begin(each, scopes, always)
            elif act == "end":
                await store.end(each, Spent(tokens=4, attempts=1))
            else:
                await store.grant(each._replace(key=f"{act}:{each.key}"), Spent(tokens=8), "thread")
        return [*await store.balances(scopes)]

    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/a.db")
        try:
            assert asyncio.run(play(MemorySpending())) == asyncio.run(play(database.spending))
        finally:
            database.close()
