"""A graph of LangGraph's own can be compiled with each of the stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypedDict

import pytest
from langgraph.graph import StateGraph
from langgraph.types import CachePolicy

from tests.unit.checkpoints.cache_stage import KINDS, Clock, open_store, running_valkey, url_of


def joined(left: list[str], right: list[str]) -> list[str]:
    return left + right


class State(TypedDict):
    question: str
    answers: Annotated[list[str], joined]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_with_a_cache_policy_runs_once(kind: str, tmp_path: Path, server: str) -> None:
    calls = []

    async def answer(state: State) -> dict[str, list[str]]:
        calls.append(state["question"])
        return {"answers": [f"answer to {state['question']}"]}

    clock = Clock()
    store = open_store(url_of(kind, tmp_path, server), clock)
    builder = StateGraph(State)
    builder.add_node("answer", answer, cache_policy=CachePolicy(ttl=60))
    builder.set_entry_point("answer")
    graph = builder.compile(cache=store)
    for question in ("a", "a", "b"):
        result = await graph.ainvoke({"question": question, "answers": []})
        assert result["answers"] == [f"answer to {question}"]
    assert calls == ["a", "b"]
    clock.time += 61
    await graph.ainvoke({"question": "a", "answers": []})
    assert calls == ["a", "b", "a"]
    await graph.aclear_cache()
    await graph.ainvoke({"question": "b", "answers": []})
    assert calls == ["a", "b", "a", "b"]
    await store.aclose()
