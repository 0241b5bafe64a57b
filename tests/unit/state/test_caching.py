from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from state.caching import CachePolicy


def test_a_policy_keeps_answers_for_an_hour_and_for_one_user() -> None:
    policy = CachePolicy()
    assert list(policy.problems()) == []
    assert policy.document() == {
        "ttl_seconds": 3600.0,
        "stale_if_error_seconds": 0.0,
        "stale_while_revalidate_seconds": 0.0,
        "scope": "user",
        "tags": [],
        "semantic": False,
        "semantic_threshold": 0.75,
    }


def test_tags_stand_once_and_in_order() -> None:
    assert CachePolicy(tags=("b", "a", "b")).document()["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ttl": 60}, "cache.ttl is 60; it must be a timedelta from 0 to 366 days"),
        ({"ttl": timedelta(0)}, "cache.ttl is 0; it must be longer"),
        ({"ttl": timedelta(days=400)}, "366 days"),
        ({"stale_if_error": timedelta(-1)}, "cache.stale_if_error is"),
        ({"stale_while_revalidate": None}, "cache.stale_while_revalidate is None"),
        ({"scope": "world"}, r"cache.scope is 'world'; it must be one of \['user', 'tenant'\]"),
        ({"tags": "daily"}, "cache.tags is 'daily'; it must be a list of texts"),
        ({"tags": ["", "x"]}, "none empty"),
        ({"tags": [3]}, "cache.tags"),
        ({"tags": None}, "cache.tags is None"),
        ({"semantic": "yes"}, "cache.semantic is 'yes'; it must be True or False"),
        ({"semantic_threshold": 0}, "cache.semantic_threshold is 0"),
        ({"semantic_threshold": float("nan")}, "cache.semantic_threshold is nan"),
        ({"semantic_threshold": True}, "cache.semantic_threshold is True"),
    ],
)
def test_a_policy_that_cannot_be_says_why(wrong: dict[str, Any], words: str) -> None:
    (problem,) = CachePolicy(**wrong).problems()
    assert re.search(words, problem), problem
