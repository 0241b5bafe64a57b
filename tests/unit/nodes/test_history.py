from __future__ import annotations

import pickle

from nodes.history import History
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject

MESSAGES: list[JsonObject] = [
    {"role": "user", "content": [{"text": "hello"}]},
    {"role": "assistant", "content": "yes?"},
]


def test_it_is_a_sequence_of_messages_oldest_first() -> None:
    history = History(MESSAGES)
    assert list(history) == MESSAGES
    assert (len(history), history[-1], history[-1:]) == (2, MESSAGES[1], MESSAGES[1:])
    assert repr(history) == repr(MESSAGES)


def test_what_an_agent_changes_is_its_own_copy() -> None:
    history = History(MESSAGES)
    history[0]["content"] = "changed"
    assert history[0]["content"] == "changed", "the agent sees its own changes"
    assert MESSAGES[0]["content"] == [{"text": "hello"}]


def test_a_context_that_holds_it_goes_to_a_worker_process() -> None:
    context = AgentContext("t", "x", "r", "r:x", history=History(MESSAGES))
    assert list(pickle.loads(pickle.dumps(context)).history) == MESSAGES  # noqa: S301
