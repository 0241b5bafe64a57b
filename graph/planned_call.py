"""The planner's part for what runs around a task's call: cache, compression, context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from state.caching import CachePolicy
from state.capability import acts, only_acts
from state.jsonvalue import described

if TYPE_CHECKING:
    from graph.plan_request import Draft
    from state.plan_document import PlannedTask
    from state.task import AgentTask


def add_call_settings(planned: PlannedTask, task: AgentTask, draft: Draft) -> None:
    """Add what a task says of its call, noting every problem of that."""
    if task.cache is not None:
        _add_cache(planned, task, draft)
    if task.compress_to is not None:
        if type(task.compress_to) is int and task.compress_to > 0:
            planned["compress_to"] = task.compress_to
        else:
            message = f"compress_to is {described(task.compress_to)}; give tokens from 1 on"
            _note("bad_compression", message, planned, draft)
    if task.context:
        names = [task.context] if isinstance(task.context, str) else task.context
        if isinstance(names, Sequence) and all(isinstance(each, str) and each for each in names):
            planned["context"] = list(dict.fromkeys(names))
        else:
            message = f"context is {described(task.context)}; give names of context sources"
            _note("bad_context", message, planned, draft)


def _add_cache(planned: PlannedTask, task: AgentTask, draft: Draft) -> None:
    wanted, action = task.cache, planned["input"].get("action")
    if isinstance(wanted, CachePolicy):
        problems = list(wanted.problems())
    elif isinstance(wanted, bool):
        problems = []
    else:
        problems = [f"cache is {described(wanted)}; give True, False or a CachePolicy"]
    if wanted and planned["approval"]:
        problems.append(
            "cache is given, but the task needs an approval, and nobody's decision is used twice; "
            "leave one of them out"
        )
    if wanted and isinstance(action, str) and acts(action):
        problems.append(
            f"cache is given, but the action {action!r} changes something, and an answer from a "
            "cache would not; leave cache out"
        )
    capability = planned["capability"]
    if wanted and not isinstance(action, str) and capability and only_acts(capability):
        problems.append(
            f"cache is given, but whatever {capability!r} is asked for changes something; leave "
            "cache out"
        )
    for problem in problems:
        _note("bad_cache", problem, planned, draft)
    if not problems and wanted is not None:
        planned["cache"] = wanted if isinstance(wanted, bool) else wanted.document()


def _note(code: str, message: str, planned: PlannedTask, draft: Draft) -> None:
    draft.problem(code, f"task {planned['id']!r}: {message}", planned["id"])
