"""The optimizer as the description has it, and its parts by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever

from nodes.compression import approximate_tokens
from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Optimizer,
    PerformanceMetrics,
    PromptTooLongError,
    SimpleCoordinator,
    get_optimizer,
)
from state.errors import RetrievalError

QUESTION = "What time does the game start?"


def test_there_is_one_optimizer_for_the_process() -> None:
    assert get_optimizer() is get_optimizer()


def test_a_common_question_is_answered_from_the_cache() -> None:
    optimizer = Optimizer()
    assert optimizer.get_common_query_response(QUESTION) is None
    optimizer.cache_response(QUESTION, {"content": "At seven."})
    assert optimizer.get_common_query_response("what time does the game START") == {
        "content": "At seven."
    }
    assert optimizer.get_performance_stats()["cache_hit_rate"] == 0.5


def test_what_an_agent_answered_comes_back_as_it_was() -> None:
    registry = AgentRegistry()
    registry.register(AgentSpec("clerk", handler=lambda _: {"content": "At seven."}))
    optimizer = Optimizer()
    response = registry.get("clerk").chat(QUESTION)
    optimizer.cache_response(QUESTION, response)
    found = optimizer.get_common_query_response(QUESTION)
    assert str(found) == "At seven."
    assert type(found) is type(response)


def test_common_answers_of_one_tenant_are_not_another_ones() -> None:
    optimizer = Optimizer()
    optimizer.cache_response(QUESTION, "seven", tenant="acme")
    assert optimizer.get_common_query_response(QUESTION) is None
    assert optimizer.get_common_query_response(QUESTION, tenant="globex") is None
    assert optimizer.get_common_query_response(QUESTION, tenant="acme") == "seven"


async def test_answers_survive_the_process_in_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    async with Optimizer(cache_url=url) as optimizer:
        optimizer.cache_response(QUESTION, "seven", tags=["game"])
    async with Optimizer(cache_url=url) as optimizer:
        assert optimizer.get_common_query_response(QUESTION) == "seven"
        assert await optimizer.invalidate(tag="game") == 1
        assert optimizer.get_common_query_response(QUESTION) is None


async def test_calls_of_tools_are_batched() -> None:
    optimizer = Optimizer()
    meeting = asyncio.Barrier(3)

    async def call() -> int:
        await meeting.wait()  # nobody passes before all three are under way
        return 1

    async with asyncio.timeout(10):
        assert await optimizer.batch_tool_calls([call, call, call]) == [1, 1, 1]


async def test_a_batch_may_name_registered_tools() -> None:
    optimizer = Optimizer()
    optimizer.tools.register(lambda city: f"rain in {city}", name="weather", read_only=True)
    calls: Any = [
        {"name": "weather", "args": {"city": "Oslo"}, "id": "1"},
        {"name": "no_such", "args": {}, "id": "2"},
    ]
    results = await optimizer.batch_tool_calls(calls)
    assert results[0] == "rain in Oslo"
    assert "no_such" in str(results[1])


def history(turns: int) -> list[dict[str, Any]]:
    said = [{"role": "system", "content": "You sell tickets."}]
    for number in range(turns):
        said += [
            {"role": "user", "content": f"Question {number}: " + "is it raining? " * 20},
            {"role": "assistant", "content": f"Answer {number}: " + "it may well be. " * 20},
        ]
    return [*said, {"role": "user", "content": "And now?"}]


def test_a_prompt_is_compressed_to_its_budget() -> None:
    optimizer = Optimizer()
    messages = history(60)
    compressed = optimizer.compress_prompt(messages, max_tokens=800)
    assert len(str(compressed)) < len(str(messages)) / 3
    assert (compressed[0], compressed[-1]) == (messages[0], messages[-1])
    assert optimizer.compress_prompt(compressed, max_tokens=800) == compressed
    assert optimizer.compress_prompt(messages[:3], max_tokens=2000) == messages[:3]


def test_a_prompt_that_cannot_be_that_short_is_refused() -> None:
    with pytest.raises(PromptTooLongError):
        Optimizer().compress_prompt(history(3), max_tokens=3)


def test_a_model_sums_up_what_is_left_out() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("They spoke of rain.")]))
    compressed = Optimizer(model=model).compress_prompt(history(60), max_tokens=800)
    assert "They spoke of rain." in str(compressed)


async def test_agents_get_messages_cut_to_their_budget() -> None:
    given: list[dict[str, Any]] = []
    registry = AgentRegistry()

    def clerk(told: dict[str, Any]) -> dict[str, Any]:
        given.append(told)
        return {}

    registry.register(AgentSpec("clerk", handler=clerk))
    optimizer = Optimizer(compress_to=5000)
    runs = SimpleCoordinator(registry=registry, optimizer=optimizer, database_url="memory://")
    messages = history(60)
    tasks = [AgentTask("clerk", {"messages": messages}, compress_to=800, task_id="short")]
    tasks += [AgentTask("clerk", {"messages": messages}, task_id="long")]
    result = await runs.execute_parallel(tasks)
    told: Any = result["short"].middleware["compression"]
    assert told["verdict"] == "compressed"
    assert told["tokens_after"] <= 800
    assert told["tokens_before"] > 5000
    assert min(len(str(each)) for each in given) < len(str(messages)) / 3
    assert optimizer.get_performance_stats()["tokens_saved"] > told["tokens_before"] - 800


async def test_a_prompt_that_cannot_be_that_short_fails_its_task() -> None:
    registry = AgentRegistry()
    registry.register(AgentSpec("clerk", handler=lambda _: {}))
    runs = SimpleCoordinator(registry=registry, database_url="memory://")
    task = AgentTask("clerk", {"messages": history(1)}, compress_to=2)
    result = await runs.execute_sequential([task])
    assert result[0].error is not None
    assert result[0].error["code"] == "prompt_too_long"


async def test_context_is_prefetched() -> None:
    optimizer = Optimizer()
    optimizer.register_context("profile", lambda user_id: {"name": user_id})
    optimizer.register_context("broken", lambda _user_id: 1 / 0)
    assert await optimizer.prefetch_context("ann") == {"profile": {"name": "ann"}}


class Shelf(BaseRetriever):
    """Finds what has a word of the query."""

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002  LangChain's
    ) -> list[Document]:
        texts = ["Refunds take five days.", "Tickets cost 20 euros.", "The game starts at seven."]
        asked = query.lower().split()
        return [Document(text) for text in texts if any(word in text.lower() for word in asked)]


async def test_a_question_has_its_queries_at_once_and_its_documents_when_awaited() -> None:
    optimized = Optimizer(retriever=Shelf()).optimize_rag_query("  How long do refunds take? ")
    assert optimized.query == "How long do refunds take"
    assert optimized.queries[0] == optimized.query
    found = await optimized
    assert "five days" in found.context
    assert found.documents[0].document.page_content == "Refunds take five days."


async def test_without_a_retriever_there_are_queries_and_no_documents() -> None:
    optimized = Optimizer().optimize_rag_query("refunds")
    assert str(optimized) == "refunds"
    with pytest.raises(RetrievalError):
        await optimized


def test_what_is_recorded_is_summed_up() -> None:
    optimizer = Optimizer()
    stats = optimizer.get_performance_stats()
    assert f"{stats['cache_hit_rate']:.2%} {stats['p95_response_time_ms']}ms" == "0.00% 0.0ms"
    assert stats["avg_tool_calls"] == 0
    for milliseconds in range(1, 101):
        optimizer.record(PerformanceMetrics(milliseconds, tool_calls=2, cache_hit=True))
    stats = optimizer.get_performance_stats()
    assert stats["p95_response_time_ms"] == pytest.approx(95, rel=0.01)
    assert (stats["avg_tool_calls"], stats["cache_hit_rate"]) == (2, 1)


async def test_a_threads_history_gets_what_its_messages_leave() -> None:
    seen: list[tuple[int, int]] = []
    registry = AgentRegistry()

    def clerk(told: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        seen.append((approximate_tokens(told["messages"]), approximate_tokens(context.history)))
        return {"content": f"Order {len(seen)} is ready. " + "It was a pleasure. " * 30}

    registry.register(AgentSpec("clerk", handler=clerk, compress_to=300))
    runs = SimpleCoordinator(registry=registry, database_url="memory://")
    for number in range(6):
        asked = [{"role": "user", "content": f"Order {number}, please. " + "I wait. " * 60}]
        task = AgentTask("clerk", {"messages": asked})
        result = await runs.execute_sequential([task], thread_id="t")
    assert seen[0][1] == 0
    assert all(said + before <= 300 for said, before in seen)
    assert seen[-1][1] > 50
    assert result[0].middleware["compression"]["verdict"] == "compressed"


async def test_tokens_are_counted_as_the_agents_model_does_once_that_is_known() -> None:
    given: list[int] = []
    registry = AgentRegistry()

    def clerk(told: dict[str, Any]) -> dict[str, Any]:
        given.append(approximate_tokens(told["messages"]))
        counted = 2 * given[-1] + 1000  # and its own instructions
        return {"content": "Yes.", "usage": {"input_tokens": counted, "output_tokens": 1}}

    registry.register(AgentSpec("clerk", handler=clerk))
    runs = SimpleCoordinator(
        registry=registry, optimizer=Optimizer(compress_to=1000), database_url="memory://"
    )
    for turns in (1, 2, 3, 60):
        task = AgentTask("clerk", {"messages": history(turns)})
        await runs.execute_sequential([task])
    assert 300 < given[-1] <= 500
