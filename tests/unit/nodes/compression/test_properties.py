"""What holds for every history, whatever stands in it."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.compression import (
    Calibration,
    Compressed,
    TokenCounter,
    acompress,
    approximate_tokens,
    compress,
)
from state.errors import PromptTooLongError
from tests.unit.nodes.compression.histories import (
    as_langchain,
    langchain_histories,
    odd_histories,
    problems_of,
    strict_problems_of,
    valid_histories,
)

ROOT = Path(__file__).resolve().parents[4]
shares = st.floats(0.02, 1.1)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def characters(messages: list[Any]) -> int:
    return sum(len(str(message)) for message in messages)


def mostly_wide(messages: list[Any]) -> int:
    text = str(messages)
    return math.ceil(sum(1 if ord(letter) > 255 else 0.3 for letter in text))


counters = st.sampled_from([None, len, characters, mostly_wide, Calibration(1.7), Calibration(0.6)])


def cut(
    messages: list[Any], share: float, counter: TokenCounter | None = None
) -> Compressed | None:
    """Cut to a share of what it takes; None where the least that is valid takes more."""
    count = counter or approximate_tokens
    budget = max(1, int(count(messages) * share))
    try:
        compressed = compress(messages, max_tokens=budget, counter=counter)
    except PromptTooLongError:
        return None
    assert compressed.tokens_after == count(compressed.messages) <= budget
    again = compress(compressed.messages, max_tokens=budget, counter=counter)
    assert again.messages == compressed.messages
    return compressed


@thorough
@given(odd_histories(), shares, counters)
def test_no_history_becomes_invalid_or_too_long_or_changes_when_compressed_again(
    messages: list[Any], share: float, counter: TokenCounter | None
) -> None:
    before = copy.deepcopy(messages)
    if compressed := cut(messages, share, counter):
        assert list(problems_of(compressed.messages)) == []
        assert compressed.dropped_messages <= len(messages)
    assert messages == before


@thorough
@given(valid_histories, shares)
def test_users_and_assistants_still_take_turns(messages: list[Any], share: float) -> None:
    assert list(problems_of(messages)) == []
    assert list(strict_problems_of(messages)) == []
    if compressed := cut(messages, share):
        assert list(problems_of(compressed.messages)) == []
        assert list(strict_problems_of(compressed.messages)) == []


@thorough
@given(langchain_histories, shares, counters)
def test_message_objects_come_back_as_message_objects(
    messages: list[Any], share: float, counter: TokenCounter | None
) -> None:
    before = copy.deepcopy(messages)
    if compressed := cut(messages, share, counter):
        assert list(problems_of(compressed.messages)) == []
        assert list(strict_problems_of(compressed.messages)) == []
        assert {type(each).__module__ for each in compressed.messages} <= {
            type(each).__module__
            for each in [*messages, *as_langchain([{"role": "user", "content": ""}])]
        }
    assert messages == before


@thorough
@given(valid_histories)
def test_what_fits_comes_back_as_the_same_objects(messages: list[Any]) -> None:
    compressed = compress(messages, max_tokens=approximate_tokens(messages) + 1)
    assert all(after is before for after, before in zip(compressed.messages, messages, strict=True))
    assert compressed.dropped_messages == compressed.cut_messages == 0


@thorough
@given(odd_histories(), shares, st.text(max_size=400))
async def test_a_summary_of_any_length_never_breaks_the_budget(
    messages: list[Any], share: float, summary: str
) -> None:
    budget = max(1, int(approximate_tokens(messages) * share))

    async def summarise(text: str, max_tokens: int) -> str:
        assert max_tokens > 0
        return summary

    try:
        compressed = await acompress(messages, max_tokens=budget, summarise=summarise)
    except PromptTooLongError:
        return
    assert approximate_tokens(compressed.messages) == compressed.tokens_after <= budget
    assert list(problems_of(compressed.messages)) == []
    again = await acompress(compressed.messages, max_tokens=budget, summarise=summarise)
    assert again.messages == compressed.messages


@pytest.mark.parametrize("seed", ["0", "1", "424242"])
def test_another_process_with_another_hash_seed_cuts_the_same(seed: str) -> None:
    script = (
        "import json, random\n"
        "from benchmarks.compression_service import retail\n"
        "from nodes.compression import approximate_tokens, compress\n"
        "messages = retail(random.Random(7))\n"
        "budget = approximate_tokens(messages) // 3\n"
        "print(json.dumps(compress(messages, max_tokens=budget).messages))\n"
    )

    def run(hash_seed: str) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        messages: list[Any] = json.loads(done.stdout)
        return messages

    assert run(seed) == run("99")
