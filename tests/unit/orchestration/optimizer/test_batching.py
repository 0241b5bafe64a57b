"""Batches of tool calls: order, once or twice, errors in their place, limits, cancellation."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool
from langgraph.errors import GraphInterrupt

from orchestration.optimizer.batchable import batchable
from orchestration.optimizer.batching import BatchResults, batch_tool_calls
from orchestration.optimizer.tool_calls import ToolCall
from orchestration.optimizer.tools import Tools
from state.errors import ConfigurationError, ToolCallError, ToolNotFoundError, ToolTimeoutError

LONG = timedelta(seconds=60)
SHORT = timedelta(milliseconds=1)


class Shop:
    """Counts what is called."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.tools = Tools()
        self.tools.register(self.price, read_only=True)
        self.tools.register(self.buy)

    async def price(self, item: str, currency: str = "EUR") -> dict[str, str]:
        self.calls[f"price {item}"] += 1
        await asyncio.sleep(0)
        return {"item": item, "currency": currency}

    def buy(self, item: str) -> str:
        self.calls[f"buy {item}"] += 1
        return f"order {self.calls[f'buy {item}']}"


@pytest.fixture
def shop() -> Shop:
    return Shop()


# -- what a call may be ---------------------------------------------------------------------


async def test_functions_awaitables_and_named_calls_stand_in_one_batch(shop: Shop) -> None:
    async def answer() -> int:
        return 42

    calls: list[Any] = [
        answer,
        lambda: threading.current_thread() is threading.main_thread(),
        answer(),
        asyncio.ensure_future(answer()),
        ToolCall("price", {"item": "pen"}),
        {"name": "buy", "args": {"item": "pen"}, "id": "1", "type": "tool_call"},
    ]
    results = await batch_tool_calls(calls, tools=shop.tools)
    assert results == [42, False, 42, 42, {"item": "pen", "currency": "EUR"}, "order 1"]
    assert isinstance(results, list)
    assert not results.failures
    assert len(results.seconds) == 6


async def test_a_sync_function_that_returns_an_awaitable_is_awaited(shop: Shop) -> None:
    assert await batch_tool_calls([lambda: shop.price("pen")]) == [
        {"item": "pen", "currency": "EUR"}
    ]


async def test_langchain_tools_are_called_by_their_name() -> None:
    @tool
    async def weather(city: str) -> str:
        """Say what the weather is."""
        return f"rain in {city}"

    @tool
    def sums(a: int, b: int) -> int:
        """Add."""
        return a + b

    tools = Tools()
    tools.register(weather)
    tools.register(sums)
    calls: list[Any] = [
        {"name": "weather", "args": {"city": "Bern"}},
        ToolCall("sums", {"a": 1, "b": 2}),
    ]
    assert await batch_tool_calls(calls, tools=tools) == ["rain in Bern", 3]


async def test_calls_as_openai_writes_them_are_made(shop: Shop) -> None:
    def asked(arguments: object) -> dict[str, Any]:
        said = {"name": "price", "arguments": arguments}
        return {"id": "call_1", "type": "function", "function": said}

    (found,) = await batch_tool_calls([asked('{"item": "pen"}')], tools=shop.tools)
    assert found == {"item": "pen", "currency": "EUR"}
    for wrong, told in (("{item", "are no JSON"), ("[1]", "has the arguments")):
        with pytest.raises(ToolCallError, match=f"call 0 of 'price' .*{told}"):
            await batch_tool_calls([asked(wrong)], tools=shop.tools)


async def test_no_calls_are_no_results() -> None:
    results = await batch_tool_calls([])
    assert results == []
    assert results.calls == 0


async def test_what_is_no_call_is_named_with_its_place_before_anything_runs(shop: Shop) -> None:
    begun = shop.price("pen")
    calls: list[Any] = [begun, 7, {"args": {}}, ToolCall("buy", {1: 2}), lambda: shop.buy("x")]  # type: ignore[dict-item]
    with pytest.raises(ToolCallError) as caught:
        await batch_tool_calls(calls)
    text = str(caught.value)
    assert "call 1 is 7" in text
    assert "call 2 has the name ''" in text
    assert "call 3 of 'buy'" in text
    assert "Nothing was called" in text
    assert not shop.calls


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"call_timeout": timedelta(0)}, "call_timeout is 0:00:00"),
        ({"total_timeout": timedelta(seconds=-1)}, "total_timeout is"),
        ({"call_timeout": 0.5}, "call_timeout is 0.5; give a timedelta"),
    ],
)
async def test_a_limit_that_cannot_be_is_refused_and_coroutines_are_closed(
    shop: Shop, limit: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        await batch_tool_calls([shop.price("pen")], **limit)  # else "never awaited" fails this
    assert not shop.calls


@pytest.mark.parametrize("wrong", [7, object()])
def test_what_is_no_tool_cannot_be_registered(wrong: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigurationError, match="is no tool"):
        Tools().register(wrong, name="wrong")


def test_a_tool_without_a_name_needs_one() -> None:
    with pytest.raises(ConfigurationError, match="has no name"):
        Tools().register(batchable(list))


# -- once or twice --------------------------------------------------------------------------


async def test_equal_calls_of_a_read_only_tool_are_made_once_and_the_results_are_copies(
    shop: Shop,
) -> None:
    call = {"name": "price", "args": {"item": "pen", "currency": "CHF"}, "id": "a"}
    same = {"name": "price", "args": {"currency": "CHF", "item": "pen"}, "id": "b"}
    results = await batch_tool_calls(
        [call, same, ToolCall("price", {"item": "pen"})], tools=shop.tools
    )
    assert shop.calls["price pen"] == 2
    assert results.calls == 2
    assert results[0] == results[1]
    results[0]["item"] = "changed"
    assert results[1]["item"] == "pen"


async def test_two_equal_purchases_are_two(shop: Shop) -> None:
    purchase = ToolCall("buy", {"item": "pen"})
    results = await batch_tool_calls([purchase, purchase], tools=shop.tools)
    assert sorted(results) == ["order 1", "order 2"]


async def test_the_same_purchase_by_its_id_is_one(shop: Shop) -> None:
    purchase = ToolCall("buy", {"item": "pen"}, call_id="k")
    other = ToolCall("buy", {"item": "ink"}, call_id="k")
    unnamed = {"name": "buy", "args": {"item": "pen"}, "id": ""}
    results = await batch_tool_calls([purchase, other, purchase, unnamed], tools=shop.tools)
    assert results[0] == results[2]
    assert shop.calls == {"buy pen": 2, "buy ink": 1}


async def test_a_function_runs_as_often_as_it_is_given_and_an_awaitable_once(shop: Shop) -> None:
    pending = shop.price("pen")
    calls: list[Any] = [lambda: shop.buy("ink"), pending, pending]
    results = await batch_tool_calls(calls + [lambda: shop.buy("pad")] * 2)
    assert results[1] == results[2]
    assert shop.calls == {"price pen": 1, "buy ink": 1, "buy pad": 2}


async def test_arguments_that_are_no_json_are_never_taken_for_equal(shop: Shop) -> None:
    tools = Tools()
    tools.register(lambda value: id(value) and shop.buy("x"), name="look", read_only=True)
    value = object()
    await batch_tool_calls([ToolCall("look", {"value": value})] * 2, tools=tools)
    assert shop.calls["buy x"] == 2


async def test_what_cannot_be_copied_is_shared() -> None:
    lock = threading.Lock()
    tools = Tools()
    tools.register(lambda: {"lock": lock}, name="lock", read_only=True)
    results = await batch_tool_calls([ToolCall("lock")] * 2, tools=tools)
    assert results[1]["lock"] is lock


# -- errors ---------------------------------------------------------------------------------


async def test_a_call_that_fails_stands_in_its_place_and_the_others_go_on(shop: Shop) -> None:
    def fail() -> None:
        raise ValueError("no")

    def exhausted() -> None:
        raise StopIteration

    results = await batch_tool_calls(
        [fail, lambda: shop.buy("pen"), ToolCall("nothing"), ToolCall("buy", {}), exhausted],
        tools=shop.tools,
    )
    assert results[1] == "order 1"
    assert isinstance(results[0], ValueError)
    assert isinstance(results[2], ToolNotFoundError)
    assert "'buy'" in str(results[2])
    assert isinstance(results[3], TypeError)
    assert isinstance(results[4], RuntimeError)
    assert list(results.failures) == [0, 2, 3, 4]


async def test_an_error_that_is_returned_is_a_value() -> None:
    error = ValueError("a value")
    results = await batch_tool_calls([lambda: error])
    assert results == [error]
    assert not results.failures


async def test_something_awaited_that_somebody_else_cancelled_is_a_failure_of_its_own() -> None:
    cancelled: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    results = await batch_tool_calls([cancelled, lambda: 1])
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == 1


async def test_control_flow_is_raised_after_the_other_calls_were_stopped() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    async def interrupting() -> None:
        raise GraphInterrupt

    with pytest.raises(GraphInterrupt):
        await batch_tool_calls([forever, interrupting, interrupting])
    assert ended == ["forever"]


# -- limits ---------------------------------------------------------------------------------


async def test_calls_are_bounded_and_those_of_a_batchable_tool_do_not_count() -> None:
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    sizes: list[int] = []

    async def load(arguments: list[dict[str, Any]]) -> list[int]:
        sizes.append(len(arguments))
        return [each["n"] for each in arguments]

    tools = Tools()
    tools.register(batchable(load), name="load")
    calls: list[Any] = [*[work] * 20, *[ToolCall("load", {"n": n}) for n in range(20)]]
    results = await batch_tool_calls(calls, tools=tools, max_concurrency=3)
    assert most == 3
    assert results[20:] == list(range(20))
    assert sizes == [20]


async def test_a_call_that_is_late_fails_alone() -> None:
    cancelled = asyncio.Event()

    async def late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def quick() -> int:
        return 1

    async def own() -> None:
        raise TimeoutError("its own")

    results = await batch_tool_calls([late, quick, own], call_timeout=SHORT)
    assert isinstance(results[0], ToolTimeoutError)
    assert results[0].begun
    assert "within 0.001 s" in str(results[0])
    assert results[1] == 1
    assert type(results[2]) is TimeoutError
    assert cancelled.is_set()


async def test_after_the_time_of_all_what_did_not_end_or_begin_fails(shop: Shop) -> None:
    done = asyncio.Event()

    async def quick() -> str:
        done.set()
        return "quick"

    async def late() -> None:
        await done.wait()
        await asyncio.Event().wait()

    never = shop.price("pen")
    results = await batch_tool_calls(
        [quick, late, never], max_concurrency=1, total_timeout=timedelta(milliseconds=20)
    )
    assert results[0] == "quick"
    assert [results[1].begun, results[2].begun] == [True, False]
    assert results.seconds[2] == 0
    assert not shop.calls


async def test_cancelling_the_caller_cancels_the_calls_and_waits_for_them() -> None:
    begun = asyncio.Event()
    ended: list[int] = []

    async def slow(number: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ended.append(number)

    async def untouched() -> None:
        raise AssertionError("it was to wait for its turn")

    calls = [slow(1), slow(2), untouched()]
    batch = asyncio.ensure_future(batch_tool_calls(calls, max_concurrency=2, total_timeout=LONG))
    await begun.wait()
    for _ in range(20):  # again and again: each is waited for all the same
        await asyncio.sleep(0)
        batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert sorted(ended) == [1, 2]


# -- whatever comes -------------------------------------------------------------------------

_arguments = st.dictionaries(
    st.sampled_from("ab"), st.sampled_from([1, 1.0, True, "1", None, [1], [True]]), max_size=2
)
_calls = st.lists(
    st.builds(
        ToolCall,
        st.sampled_from(["look", "act", "bad"]),
        _arguments,
        st.sampled_from([None, "x", "y"]),
    ),
    max_size=12,
)


@given(_calls, st.integers(1, 4))
def test_every_result_is_that_of_its_own_call_and_only_the_same_calls_are_made_once(
    calls: list[ToolCall], slots: int
) -> None:
    made: list[str] = []
    numbers: Iterator[int] = iter(range(100))

    async def run(name: str, arguments: dict[str, object]) -> list[Any]:
        await asyncio.sleep(0)
        made.append(name + said(arguments))
        if name == "bad":
            raise ValueError(said(arguments))
        return [name, arguments, next(numbers)]

    async def look(**arguments: object) -> list[Any]:
        return await run("look", arguments)

    async def act(**arguments: object) -> list[Any]:
        return await run("act", arguments)

    async def bad(**arguments: object) -> list[Any]:
        return await run("bad", arguments)

    tools = Tools()
    tools.register(look, read_only=True)
    tools.register(act)
    tools.register(bad)
    results: BatchResults = asyncio.run(batch_tool_calls(calls, tools=tools, max_concurrency=slots))
    for call, result in zip(calls, results, strict=True):
        if call.name == "bad":
            assert str(result) == said(call.arguments)
        else:
            assert [result[0], said(result[1])] == [call.name, said(call.arguments)]
    unlike = {
        (each.name, said(each.arguments), None if each.name == "look" else each.call_id)
        if each.name == "look" or each.call_id
        else position
        for position, each in enumerate(calls)
    }
    assert results.calls == len(made) == len(unlike)


def said(arguments: object) -> str:
    return json.dumps(arguments, sort_keys=True)
