"""What a prune keeps of graphs that are not this project's: `DeltaChannel`s, lasting subgraphs."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from checkpoints.chains import CheckpointKey, Link, needed_by, retained
from checkpoints.database import Database, open_database

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


def _extend(value: list[str], updates: Sequence[list[str]]) -> list[str]:
    return [*value, *(each for update in updates for each in update)]


class Seldom(TypedDict, total=False):
    notes: Annotated[list[str], DeltaChannel(_extend, snapshot_frequency=7)]
    said: str


class Never(TypedDict, total=False):
    notes: Annotated[list[str], DeltaChannel(_extend, snapshot_frequency=10_000)]
    said: str


def _note(state: Any) -> dict[str, Any]:  # noqa: ANN401  two schemas
    return {"notes": [f"heard {state['said']}"]}


def _ask(state: Any) -> dict[str, Any]:  # noqa: ANN401  two schemas
    return {"notes": [interrupt("which?")]} if state["said"] == "ask" else {"notes": ["no"]}


def delta_graph(database: Database, schema: type) -> CompiledStateGraph[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    builder.add_node("note", _note)
    builder.add_node("ask", _ask)
    builder.add_edge(START, "note")
    builder.add_edge("note", "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=database.checkpointer)


@pytest.fixture(params=["sqlite", "memory", "encrypted"])
def database(request: pytest.FixtureRequest, file: Path) -> Iterator[Database]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{file}"
    key = bytes(32) if request.param == "encrypted" else None
    opened = open_database(url, encryption_key=key)
    yield opened
    opened.close()


async def count(database: Database) -> int:
    return len([each async for each in database.checkpointer.alist(THREAD)])


@pytest.mark.parametrize("schema", [Seldom, Never])
@pytest.mark.parametrize("keep", [1, 2])
async def test_a_delta_channel_reads_the_same_after_every_prune(
    database: Database, schema: type, keep: int
) -> None:
    graph = delta_graph(database, schema)
    expected: list[str] = []
    for turn in range(12):
        await graph.ainvoke({"said": str(turn)}, THREAD, durability="sync")
        expected += [f"heard {turn}", "no"]
        await database.retention.prune(["t"], keep=keep)
        history = [each async for each in graph.aget_state_history(THREAD)]
        assert history[0].values["notes"] == expected
    if schema is Seldom:
        assert await count(database) <= keep + 7 + 2, "what is behind a snapshot goes"
    else:
        assert await count(database) > 12, "without a snapshot, all of it is needed"


async def test_a_delta_channel_that_waits_goes_on_after_a_prune(database: Database) -> None:
    graph = delta_graph(database, Seldom)
    await graph.ainvoke({"said": "0"}, THREAD, durability="sync")
    await graph.ainvoke({"said": "ask"}, THREAD, durability="sync")
    await database.retention.prune(["t"])
    done = await graph.ainvoke(Command(resume="this"), THREAD, durability="sync")
    assert done["notes"] == ["heard 0", "no", "heard ask", "this"]


async def test_runs_that_a_delta_channel_is_put_together_from_are_not_deleted(
    database: Database,
) -> None:
    graph = delta_graph(database, Never)
    for run in ("one", "two"):
        config: RunnableConfig = {**THREAD, "metadata": {"run_id": run}}
        await graph.ainvoke({"said": run}, config, durability="sync")
    before = (await graph.aget_state(THREAD)).values
    await database.checkpointer.adelete_for_runs(["one"])
    assert (await graph.aget_state(THREAD)).values == before


async def test_a_copied_delta_channel_reads_the_same(database: Database) -> None:
    graph = delta_graph(database, Seldom)
    for turn in range(5):
        await graph.ainvoke({"said": str(turn)}, THREAD, durability="sync")
    await database.checkpointer.acopy_thread("t", "u")
    copy: RunnableConfig = {"configurable": {"thread_id": "u"}}
    original = (await graph.aget_state(THREAD)).values
    await database.checkpointer.adelete_thread("t")
    assert (await graph.aget_state(copy)).values == original


class Count(TypedDict):
    seen: Annotated[list[str], operator.add]


async def test_a_subgraph_that_remembers_across_runs_survives_a_prune(database: Database) -> None:
    inner = StateGraph(Count)
    inner.add_node("see", lambda _: {"seen": ["x"]})
    inner.add_edge(START, "see")
    lasting = inner.compile(checkpointer=True)
    outer = StateGraph(Count)
    outer.add_node("sub", lambda _: {"seen": [str(len(lasting.invoke({"seen": []})["seen"]))]})
    outer.add_edge(START, "sub")
    graph = outer.compile(checkpointer=database.checkpointer)
    for _ in range(3):
        graph.invoke({"seen": []}, THREAD, durability="sync")
        await database.retention.prune(["t"])
    assert graph.get_state(THREAD).values["seen"] == ["1", "2", "3"]
    assert await count(database) == 2


# -- the decision itself ----------------------------------------------------------------


class Stored(NamedTuple):
    link: Link
    holds: frozenset[str] = frozenset()


class Given:
    """Chains that a test writes down."""

    def __init__(self, stored: Mapping[CheckpointKey, Stored]) -> None:
        self.stored = stored
        self.newest_first: dict[str, list[str]] = {}
        for namespace, id_ in sorted(stored, reverse=True):
            self.newest_first.setdefault(namespace, []).append(id_)

    def link(self, key: CheckpointKey) -> Link | None:
        found = self.stored.get(key)
        return None if found is None else found.link

    def holds(self, key: CheckpointKey) -> frozenset[str]:
        return self.stored[key].holds

    def retained(self, keep: int = 1) -> set[CheckpointKey]:
        return retained(self.newest_first, self, keep=keep)


def chain(length: int, **more: Any) -> dict[CheckpointKey, Stored]:  # noqa: ANN401
    link = {"enclosing": {}, "deltas": frozenset(), **more}
    ids = [f"{number:03}" for number in range(length)]
    parents = [None, *ids[:-1]]
    return {
        ("", id_): Stored(Link(parent, **link)) for id_, parent in zip(ids, parents, strict=True)
    }


def test_a_nested_subgraph_goes_with_the_checkpoint_it_began_under() -> None:
    given = Given(
        {
            **chain(2),
            ("a:1", "100"): Stored(Link(None, {"": "000"}, frozenset())),
            ("a:1|b:2", "101"): Stored(Link(None, {"": "000", "a:1": "100"}, frozenset())),
            ("a:3", "102"): Stored(Link(None, {"": "001"}, frozenset())),
            ("a:3|b:4", "103"): Stored(Link(None, {"": "001", "a:3": "102"}, frozenset())),
            ("a:3|b:5", "104"): Stored(Link(None, {"": "001", "a:3": "099"}, frozenset())),
        }
    )
    assert given.retained() == {("", "001"), ("a:3", "102"), ("a:3|b:4", "103")}


def test_a_subgraph_that_was_changed_by_hand_names_itself_among_its_parents() -> None:
    stored = Stored(Link(None, {"": "001", "a:1": "100"}, frozenset()))
    given = Given({**chain(2), ("a:1", "105"): stored})
    assert ("a:1", "105") in given.retained()


def test_a_chain_that_bites_its_tail_ends() -> None:
    deltas = frozenset({"x"})
    given = Given(
        {
            ("", "a"): Stored(Link("b", {}, deltas)),
            ("", "b"): Stored(Link("a", {}, deltas)),
        }
    )
    assert given.retained() == {("", "a"), ("", "b")}


@given(
    length=st.integers(1, 12),
    keep=st.integers(1, 4),
    snapshots=st.sets(st.tuples(st.integers(0, 11), st.sampled_from(["x", "y"]))),
)
def test_every_kept_checkpoint_still_finds_its_snapshots(
    length: int, keep: int, snapshots: set[tuple[int, str]]
) -> None:
    channels = frozenset({"x", "y"})
    stored = {
        key: Stored(each.link, frozenset(name for at, name in snapshots if at == int(key[1])))
        for key, each in chain(length, deltas=channels).items()
    }
    full = Given(stored)
    kept = full.retained(keep)
    rest = Given({key: stored[key] for key in kept})
    heads = sorted(stored)[-keep:]
    for head in heads:
        assert head in kept
        assert [*needed_by(head, rest)] == [*needed_by(head, full)]
    assert rest.retained(keep) == kept
