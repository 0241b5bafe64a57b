"""Questions that mean the same, by the model that ships in its wheel."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from checkpoints.response_caches import open_cache
from nodes.caching import semantic
from nodes.caching.question import Question
from nodes.caching.response_cache import ResponseCache
from nodes.caching.semantic import SemanticIndex, wordllama_embed
from state.cache_key import Asked, CacheKey, cache_key
from state.errors import ConfigurationError
from state.jsonvalue import JsonObject
from tests.unit.nodes.caching.cache_stage import Time, key_of, policy, prompt
from tests.unit.nodes.caching.test_paraphrase import LOOK_ALIKES, PARAPHRASES

LIKE = policy(semantic=True)


@pytest.fixture(scope="module")
def embed() -> Any:  # noqa: ANN401
    return wordllama_embed()


@pytest.fixture
def cache(embed: Any) -> ResponseCache:  # noqa: ANN401
    time = Time()
    store = open_cache("memory://", clock=time)
    return ResponseCache(store, now=time, sleep=time.sleep, semantic=SemanticIndex(lambda: embed))


def user(text: str) -> JsonObject:
    return {"role": "user", "content": text}


async def verdict(cache: ResponseCache, key: CacheKey, how: Any = LIKE) -> str:  # noqa: ANN401
    return (await cache.answer(key, prompt(), policy=how)).verdict["verdict"]


async def test_a_question_that_means_the_same_is_answered_from_the_cache(
    cache: ResponseCache,
) -> None:
    await cache.answer(key_of("What is the capital of France?"), prompt(), policy=LIKE)
    found = await cache.answer(key_of("capital of France?"), prompt(), policy=LIKE)
    assert found.verdict["verdict"] == "hit"
    assert found.verdict["why"].startswith("a question that means the same (0.9")


async def test_without_the_policy_only_the_same_question_is(cache: ResponseCache) -> None:
    await cache.answer(key_of("What is the capital of France?"), prompt(), policy=LIKE)
    assert await verdict(cache, key_of("capital of France?"), policy()) == "miss"


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
async def test_look_alikes_miss(cache: ResponseCache, one: str, other: str) -> None:
    await cache.answer(key_of(one), prompt(), policy=policy(semantic=True, semantic_threshold=0.01))
    assert await verdict(cache, key_of(other)) == "miss"


async def test_most_paraphrases_hit_at_the_default_threshold(cache: ResponseCache) -> None:
    hits = 0
    for one, other in PARAPHRASES:
        await cache.answer(key_of(one), prompt(), policy=LIKE)
        hits += await verdict(cache, key_of(other)) == "hit"
    assert (hits, len(PARAPHRASES)) == (13, 16)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "globex"},
        {"user": "bob"},
        {"version": "2"},
        {"agent_id": "b"},
        {"capability": "c"},
    ],
)
async def test_the_tier_stays_with_its_asker_and_version(
    cache: ResponseCache, other: dict[str, str]
) -> None:
    await cache.answer(key_of("What is the capital of France?"), prompt(), policy=LIKE)
    assert await verdict(cache, key_of("capital of France?", **other)) == "miss"


async def test_all_else_that_the_agent_sees_has_to_be_equal(cache: ResponseCache) -> None:
    def said(before: str, text: str) -> CacheKey:
        return cache_key({"messages": [user(before), user(text)]}, Asked(agent_id="a", version="1"))

    await cache.answer(said("I am in Bonn", "What is the weather?"), prompt(), policy=LIKE)
    assert await verdict(cache, said("I am in Rome", "the weather?")) == "miss"
    assert await verdict(cache, said("I am in Bonn", "the weather?")) == "hit"


async def test_an_invalidated_answer_is_not_found_by_meaning(cache: ResponseCache) -> None:
    await cache.answer(key_of("What is the capital of France?"), prompt(), policy=LIKE)
    await cache.store.ainvalidate(agent_id="weather")
    assert await verdict(cache, key_of("capital of France?")) == "miss"


async def test_a_miss_says_in_what_the_nearest_question_differs(cache: ResponseCache) -> None:
    await cache.answer(key_of("Q3 revenue"), prompt(), policy=LIKE)
    found = await cache.answer(key_of("Q4 revenue"), prompt(), policy=LIKE)
    assert found.verdict["why"] == "stored; the nearest kept question differs in words: q3, q4"


async def test_nobody_is_told_what_other_users_asked(cache: ResponseCache) -> None:
    await cache.answer(key_of("Q3 revenue", user=None, scope="tenant"), prompt(), policy=LIKE)
    asked = key_of("Q4 revenue", user=None, scope="tenant")
    found = await cache.answer(asked, prompt(), policy=LIKE)
    assert found.verdict["why"] == "stored; the nearest kept question differs"


async def test_what_is_too_long_is_neither_compared_nor_remembered(embed: Any) -> None:  # noqa: ANN401
    index = SemanticIndex(lambda: embed)
    asked = Question(key_of("how much does " * 1000), prompt(), LIKE, bool)
    await index.learn(asked)
    assert index._frames == {}
    assert (await index.find(asked)).key is None


async def test_the_index_is_bounded(embed: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setattr(semantic, "MOST_PER_FRAME", 3)
    monkeypatch.setattr(semantic, "MOST_TEXTS", 5)
    index = SemanticIndex(lambda: embed)
    for user in "abc":
        for number in range(5):
            asked = key_of(f"question {number}", user=user)
            await index.learn(Question(asked, prompt(), LIKE, bool))
    kept = [list(texts) for texts in index._frames.values()]
    assert kept == [["question 2", "question 3", "question 4"]]


async def test_without_the_extra_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    cache = ResponseCache(open_cache("memory://"))
    with pytest.raises(ConfigurationError, match=r"agent-orchestration-layer\[semantic\]"):
        await cache.answer(key_of(), prompt(), policy=LIKE)
