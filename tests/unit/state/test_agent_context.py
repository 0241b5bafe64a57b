from __future__ import annotations

import pickle

import pytest

from state.agent_context import AgentContext


def test_a_context_needs_only_who_and_what() -> None:
    context = AgentContext(thread_id="t", task_id="a", run_id="r", idempotency_key="r:a")
    assert (context.attempt, context.deadline, context.tenant, context.user) == (
        1,
        None,
        None,
        None,
    )
    assert (dict(context.upstream), context.tags) == ({}, ())


def test_contexts_share_no_upstream_that_can_change() -> None:
    context = AgentContext(thread_id="t", task_id="a", run_id="r", idempotency_key="r:a")
    with pytest.raises(TypeError):
        context.upstream["b"] = {}  # type: ignore[index]  # that is the point


def test_a_context_can_go_to_a_worker_process() -> None:
    context = AgentContext(thread_id="t", task_id="a", run_id="r", idempotency_key="r:a")
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301
