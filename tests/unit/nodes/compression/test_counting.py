from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from nodes.compression import Calibration, approximate_tokens, compress
from tests.unit.nodes.compression.histories import (
    anthropic_span,
    langchain_dict_span,
    langchain_histories,
    openai_span,
    turns,
)

ROOT = Path(__file__).resolve().parents[4]
quick = settings(max_examples=40, deadline=None)


@quick
@given(turns(openai_span() | langchain_dict_span() | anthropic_span()))
def test_dicts_are_counted_as_langchain_counts_them(messages: list[Any]) -> None:
    assert approximate_tokens(messages) == count_tokens_approximately(messages)


@quick
@given(langchain_histories)
def test_message_objects_are_counted_as_langchain_counts_them(messages: list[Any]) -> None:
    assert approximate_tokens(messages) == count_tokens_approximately(messages)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": None},
        {"role": "function", "name": "look_up", "content": "found"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x" * 999}}, "y"]},
        {"type": "human", "content": "by type"},
        AIMessage([{"type": "text", "text": "Hi"}]),
        ToolMessage("done", tool_call_id="call_1", name="look_up"),
        SystemMessage("Be brief.", additional_kwargs={"__openai_role__": "developer"}),
    ],
)
def test_odd_messages_are_counted_as_langchain_counts_them(
    message: Any,  # noqa: ANN401  a dict or an object
) -> None:
    assert approximate_tokens([message]) == count_tokens_approximately([message])


def test_a_legacy_call_counts_though_langchain_forgets_it() -> None:
    call = {"name": "look_up", "arguments": '{"order_id": "#W2378156"}'}
    message = {"role": "assistant", "content": None, "function_call": call}
    assert approximate_tokens([message]) > count_tokens_approximately([message])


def test_dicts_are_compressed_without_importing_langchain() -> None:
    script = (
        "import sys\n"
        "from nodes.compression import compress\n"
        "said = [{'role': 'user', 'content': 'word ' * 99}, {'role': 'assistant', 'content': 'a'},"
        " {'role': 'user', 'content': 'b'}]\n"
        "compress(said, max_tokens=40)\n"
        "heavy = {'langchain_core', 'langgraph', 'numpy', 'bm25s', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_calibration_learns_the_ratio_and_the_newest_counts_most() -> None:
    known = Calibration().learn(100, 150)
    assert known.ratio == pytest.approx(1.5)
    assert known.learn(100, 250).ratio == pytest.approx(2.0)
    for _ in range(20):
        known = known.learn(100, 300)
    assert known.ratio == pytest.approx(3.0, abs=0.05)
    assert known([HumanMessage("x" * 397)]) == pytest.approx(104 * known.ratio, abs=1)


def test_calibration_stays_within_what_tokenisers_do() -> None:
    assert Calibration().learn(10, 10_000).ratio == 4.0
    assert Calibration().learn(10_000, 10).ratio == 0.5
    assert Calibration().learn(0, 10) == Calibration()


def test_calibration_is_learnt_from_usage_in_dicts_and_in_objects() -> None:
    question = "x" * 395  # 103 tokens
    usage = {"input_tokens": 206, "output_tokens": 5, "total_tokens": 211}
    objects = [HumanMessage(question), AIMessage("Yes.", usage_metadata=usage)]
    dicts = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": "Yes.", "usage": {"prompt_tokens": 206}},
    ]
    assert Calibration.of(objects).ratio == Calibration.of(dicts).ratio == 2.0
    assert Calibration.of(dicts[:1]) == Calibration()


def test_a_calibrated_count_is_kept_to() -> None:
    counter = Calibration(2.0)
    said = [
        {"role": side, "content": f"Number {number}. " + "And so on. " * 20}
        for number in range(5)
        for side in ("user", "assistant")
    ][:-1]
    compressed = compress(said, max_tokens=300, counter=counter)
    assert counter(compressed.messages) == compressed.tokens_after <= 300
    assert approximate_tokens(compressed.messages) <= 150


def test_a_provider_is_asked_only_a_few_times() -> None:
    asked: list[int] = []

    def provider(messages: list[Any]) -> int:
        asked.append(len(messages))
        return int(approximate_tokens(messages) * 1.3) + 7

    said = [
        {"role": side, "content": f"Order #W{number}0000. " + "And so on. " * number}
        for number in range(40)
        for side in ("user", "assistant")
    ][:-1]
    compressed = compress(said, max_tokens=2000, counter=provider)
    assert provider(compressed.messages) <= 2000
    assert len(asked) - 1 <= 3
    assert compressed.tokens_after > 1800
