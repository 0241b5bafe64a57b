from __future__ import annotations

import pickle

import pytest

from nodes.upstream import Upstream
from state.agent_context import AgentContext
from state.outcome import Outcome

OUTCOMES: dict[str, Outcome] = {
    "a": {"status": "succeeded", "attempts": 1, "output": {"items": [1]}},
    "b": {"status": "failed", "attempts": 1},
    "other": {"status": "succeeded", "attempts": 1, "output": {}},
}


def test_it_has_what_succeeded_among_what_a_task_builds_on() -> None:
    upstream = Upstream(["a", "b", "c"], OUTCOMES)
    assert dict(upstream) == {"a": {"items": [1]}}
    assert len(upstream) == 1


@pytest.mark.parametrize("task_id", ["b", "c", "other"])
def test_nothing_else_is_in_it(task_id: str) -> None:
    upstream = Upstream(["a", "b", "c"], OUTCOMES)
    assert task_id not in upstream
    with pytest.raises(KeyError):
        upstream[task_id]


def test_what_an_agent_changes_is_its_own_copy() -> None:
    upstream = Upstream(["a"], OUTCOMES)
    upstream["a"]["items"] = "gone"
    assert upstream["a"] == {"items": "gone"}, "the agent sees its own changes"
    assert Upstream(["a"], OUTCOMES)["a"] == {"items": [1]}


def test_a_context_that_holds_it_goes_to_a_worker_process() -> None:
    context = AgentContext("t", "x", "r", "r:x", upstream=Upstream(["a", "b"], OUTCOMES))
    copy = pickle.loads(pickle.dumps(context))  # noqa: S301
    assert copy.upstream == {"a": {"items": [1]}}
