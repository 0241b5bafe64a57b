from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from orchestration.optimizer.retrieval.policy import RetrievalPolicy
from state.errors import ConfigurationError


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"queries": 0}, "queries must be at least 1"),
        ({"diversity": 1.5}, "diversity=1.5 must be from 0 to 1"),
        ({"timeout": timedelta()}, "timeout must be longer than 0"),
        ({"weights": {"a": -1}}, r"weights\['a'\] must not be below 0"),
        ({"lexical_weight": float("nan")}, "lexical_weight must not be below 0"),
        ({"rank_constant": -1.0}, "rank_constant must not be below 0"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RetrievalPolicy(**settings)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"largest_share.*candidates.*ttl"):
        RetrievalPolicy(largest_share=-1, candidates=0, ttl=timedelta())


def test_policies_that_differ_have_other_fingerprints() -> None:
    policies = [
        RetrievalPolicy(),
        RetrievalPolicy(queries=3),
        RetrievalPolicy(ttl=None),
        RetrievalPolicy(weights={"a": 2}),
        RetrievalPolicy(timeout=timedelta(seconds=3)),
    ]
    assert len({policy.fingerprint() for policy in policies}) == len(policies)
    assert RetrievalPolicy().fingerprint() == RetrievalPolicy().fingerprint()


def test_weights_are_its_own() -> None:
    weights = {"a": 2.0}
    policy = RetrievalPolicy(weights=MappingProxyType(weights))
    weights["a"] = 3.0
    assert policy.weights == {"a": 2.0}
    assert '"a": 2.0' in policy.fingerprint()
