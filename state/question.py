"""Whose question it is with which a run pauses: one of the plan's own, or an agent's.

An agent that is a graph may ask with anything, also with what looks like an approval of some
other task, or like a wait. So what agents ask is marked where it leaves them, and whatever
decides about questions looks at the mark, not at their looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from state.jsonvalue import JsonValue

BY_AGENT: Final = "asked_by_agent"
"""Key in a question that an agent asks, and that looks like one of the plan's own."""


def looks_own(question: JsonValue) -> bool:
    """Whether a question has the form of an approval or of a wait."""
    return isinstance(question, dict) and ("action_requests" in question or "wait" in question)


def is_own(question: JsonValue) -> bool:
    """Whether a question is an approval or a wait of the plan's own."""
    return isinstance(question, dict) and looks_own(question) and BY_AGENT not in question


def is_approval(question: JsonValue) -> bool:
    """Whether a question is the plan's own, for an approval."""
    return isinstance(question, dict) and is_own(question) and "action_requests" in question


def by_agent(question: JsonValue, *, task_id: str) -> JsonValue:
    """Mark what an agent asks, if it could be taken for the plan's own.

    Args:
        question: As the agent asked it.
        task_id: The path of the task that the agent does; for a question that names none.
    """
    if not isinstance(question, dict) or not looks_own(question):
        return question
    return {"task_id": task_id, **question, BY_AGENT: True}
