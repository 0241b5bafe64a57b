from __future__ import annotations

import operator
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import ALL_CAPABILITIES
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from checkpoints.database import Database, open_database
from checkpoints.sqlite_saver import GroupCommitSqliteSaver
from state.errors import DatabaseError

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


class Notes(TypedDict):
    notes: Annotated[list[str], operator.add]


Graph = CompiledStateGraph[Notes, None, Notes, Notes]
NODES = ["one", "two", "three"]


def _note(state: Notes, config: RunnableConfig) -> dict[str, list[str]]:
    return {"notes": [config["metadata"]["langgraph_node"]]}


def _ask(state: Notes) -> dict[str, list[str]]:
    return {"notes": [interrupt("which?")]}


def graph_with(saver: BaseCheckpointSaver[str]) -> Graph:
    """Three nodes, the last of which asks a person."""
    builder = StateGraph(Notes)
    for name in NODES[:2]:
        builder.add_node(name, _note)
    builder.add_node(NODES[2], _ask)
    for node, successor in pairwise([START, *NODES, END]):
        builder.add_edge(node, successor)
    return builder.compile(checkpointer=saver)


def rows(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """Read with a connection of one's own, as another process would."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["plain", "encrypted"])
@pytest.mark.parametrize("scheme", ["sqlite", "memory"])
async def test_the_saver_conforms_to_langgraph(
    scheme: str, key: bytes | None, tmp_path: Path
) -> None:
    opened = 0

    @checkpointer_test(name=f"open_database({scheme})")
    async def fresh() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        nonlocal opened
        opened += 1
        url = "memory://" if scheme == "memory" else f"sqlite:///{tmp_path / f'{opened}.db'}"
        database = open_database(url, encryption_key=key)
        yield database.checkpointer
        database.close()

    report = await validate(fresh)

    for name in sorted(ALL_CAPABILITIES):
        result = report.results[name.value]
        assert (result.passed, result.failures) == (True, []), name
        assert result.tests_passed > 0


async def test_langgraphs_own_savers_go_on_with_a_thread_of_ours(
    database: Database, file: Path
) -> None:
    paused = await graph_with(database.checkpointer).ainvoke({"notes": []}, THREAD)
    assert paused["notes"] == NODES[:2]
    database.close()

    with SqliteSaver.from_conn_string(str(file)) as stock:
        snapshot = graph_with(stock).get_state(THREAD)
    assert (snapshot.values["notes"], snapshot.next) == (NODES[:2], ("three",))
    async with AsyncSqliteSaver.from_conn_string(str(file)) as stock_async:
        done = await graph_with(stock_async).ainvoke(Command(resume="this"), THREAD)
    assert done["notes"] == [*NODES[:2], "this"]


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_ours_goes_on_with_a_thread_of_langgraphs_own_savers(way: str, file: Path) -> None:
    if way == "sync":
        with SqliteSaver.from_conn_string(str(file)) as stock:
            graph_with(stock).invoke({"notes": []}, THREAD)
    else:
        async with AsyncSqliteSaver.from_conn_string(str(file)) as stock_async:
            await graph_with(stock_async).ainvoke({"notes": []}, THREAD)

    ours = open_database(f"sqlite:///{file}")
    graph = graph_with(ours.checkpointer)
    assert (await graph.aget_state(THREAD)).values["notes"] == NODES[:2]
    done = await graph.ainvoke(Command(resume="this"), THREAD)
    history = [each.values.get("notes") async for each in graph.aget_state_history(THREAD)]
    ours.close()

    assert done["notes"] == [*NODES[:2], "this"]
    assert history[0] == done["notes"]
    assert history[-1] in (None, [])


def test_the_tables_are_langgraphs_own(database: Database, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "stock.db"
    with SqliteSaver.from_conn_string(str(other)) as stock:
        stock.setup()
    sql = "SELECT name, sql FROM sqlite_master WHERE tbl_name IN ('checkpoints', 'writes')"
    assert sorted(rows(file, sql)) == sorted(rows(other, sql))


def test_a_graph_runs_without_an_event_loop(database: Database) -> None:
    graph = graph_with(database.checkpointer)
    assert graph.invoke({"notes": []}, THREAD, durability="sync")["notes"] == NODES[:2]
    assert graph.get_state(THREAD).next == ("three",)
    done = graph.invoke(Command(resume="this"), THREAD)
    assert done["notes"] == [*NODES[:2], "this"]
    assert next(graph.get_state_history(THREAD)).values == done
    database.checkpointer.delete_thread("t")
    assert graph.get_state(THREAD).values == {}


async def test_a_question_is_in_the_file_when_the_run_returns(
    database: Database, file: Path
) -> None:
    result = await graph_with(database.checkpointer).ainvoke(
        {"notes": []}, THREAD, durability="sync"
    )
    found = rows(file, "SELECT count(*) FROM writes WHERE channel = '__interrupt__'")
    assert len(result["__interrupt__"]) == 1
    assert found == [(1,)]


async def test_a_write_after_close_says_that_the_database_is_closed(database: Database) -> None:
    database.close()
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    with pytest.raises(DatabaseError, match="closed"):
        await database.checkpointer.aput(config, empty_checkpoint(), {}, {})


async def test_a_read_after_close_is_an_error_of_this_project(database: Database) -> None:
    database.close()
    with pytest.raises(DatabaseError, match="closed"):
        await database.checkpointer.aget_tuple(THREAD)


def test_a_statement_outside_our_own_write_methods_is_not_swallowed(
    database: Database, file: Path
) -> None:
    graph_with(database.checkpointer).invoke({"notes": []}, THREAD, durability="sync")
    saver = database.checkpointer
    assert isinstance(saver, GroupCommitSqliteSaver)
    saver.put_writes(_latest(saver), [("x", 1)], "task")  # on this very thread
    refused = False
    try:
        with saver.cursor() as cursor:  # as a later LangGraph's `prune` would
            cursor.execute("DELETE FROM writes")
    except Exception:  # noqa: BLE001  any refusal will do
        refused = True
    assert refused or rows(file, "SELECT count(*) FROM writes") == [(0,)]


def _latest(saver: GroupCommitSqliteSaver) -> RunnableConfig:
    found = saver.get_tuple(THREAD)
    assert found is not None
    return found.config
