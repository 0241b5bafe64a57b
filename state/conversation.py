"""What was said in a run, and how much of what was said before an agent gets to see.

Messages are OpenAI-style JSON objects with a `role`. A turn of a conversation is one run on a
thread: what its tasks bring, then what their agents answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from state.errors import ConfigurationError
from state.summary import summary_of

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import Outcome
    from state.plan_document import PlanDocument, PlannedTask

INSTRUCTIONS: Final = frozenset({"system", "developer"})
"""Roles whose messages are one agent's instructions: recorded, and shown to no other."""
SPOKESMAN: Final = "orchestrator"
"""Who answers requests in plain words."""
REFUSED: Final = "agent_refused"
"""Code of an error whose message is an agent's answer to the user."""

_TEXT_FIELDS = ("content", "message", "text", "answer", "response")


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """How much of a thread's earlier messages a run gets: the newest that fit both bounds.

    Raises:
        ConfigurationError: A bound is negative.
    """

    messages: int = 20
    """At most this many; 0 is none."""
    characters: int = 8000
    """Of the messages' JSON, all together."""

    def __post_init__(self) -> None:
        for name, value in (("messages", self.messages), ("characters", self.characters)):
            if value < 0:
                raise ConfigurationError(f"HistoryWindow.{name} is {value}; give 0 or more")

    def fit(self, newest_first: Iterable[str]) -> list[JsonObject]:
        """Return the messages that fit, the oldest first.

        A tool's result whose call is cut off is left out: models refuse such a history.
        """
        kept: list[JsonObject] = []
        room = self.characters
        for text in islice(newest_first, self.messages):
            room -= len(text)
            if room < 0:
                break
            kept.append(message_of(text))
        kept.reverse()
        return _with_their_calls(kept)


def text_of(message: JsonObject) -> str:
    """Write a message as it is recorded."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def message_of(text: str) -> JsonObject:
    """Read a recorded message."""
    message: JsonObject = json.loads(text)
    return message


def role_of(message: JsonObject) -> str:
    """Who speaks: `user`, `assistant`, `tool` and so on."""
    return str(message["role"])


def brought(plan: PlanDocument) -> list[JsonObject]:
    """What a run's tasks bring; of messages that several tasks begin with, each once.

    A request in plain words brings its own messages, and not what its tasks were made of.
    """
    if "request" in plan:
        return _messages([*plan["request"]["messages"]])
    found: list[JsonObject] = []
    seen: list[list[JsonObject]] = []
    for id_ in plan["order"]:
        given = plan["tasks"][id_]["input"].get("messages")
        if not given:
            continue
        messages = _messages(given)
        known = max((_in_common(messages, each) for each in seen), default=0)
        if known < len(messages):
            found += messages[known:]
            seen.append(messages)
    return found


def answered(plan: PlanDocument, outcomes: Mapping[str, Outcome]) -> list[JsonObject]:
    """What the agents of a run said, in the order of its tasks; to a request, its summary."""
    if "request" in plan:
        return [_said(summary_of(plan, outcomes)["text"], SPOKESMAN)]
    return [
        message
        for id_ in plan["order"]
        if id_ in outcomes
        for message in _reply(plan["tasks"][id_], outcomes[id_])
    ]


def _reply(task: PlannedTask, outcome: Outcome) -> list[JsonObject]:
    """An agent's own messages, else its answer's text as a message."""
    name = task["agent"] or outcome.get("agent", "")
    output = outcome.get("output", {})
    given = _messages(task["input"].get("messages"))
    own = _after(given, _messages(output.get("messages")))
    if own:
        return [_named(message, name) for message in own]
    error = outcome.get("error")
    if error is not None and error["code"] == REFUSED:
        return [_said(error["message"], name)]
    for field in _TEXT_FIELDS:
        text = output.get(field)
        if isinstance(text, str) and text:
            return [_said(text, name)]
    return []


def _said(text: str, name: str) -> JsonObject:
    return {"role": "assistant", "name": name, "content": text}


def _named(message: JsonObject, name: str) -> JsonObject:
    unnamed = message["role"] == "assistant" and not message.get("name")
    return {**message, "name": name} if unnamed else message


def _messages(value: JsonValue) -> list[JsonObject]:
    """The messages in a field; what is none is passed over, as agents may take other things."""
    if not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, dict) and isinstance(each.get("role"), str)]


def _in_common(one: Sequence[JsonObject], other: Sequence[JsonObject]) -> int:
    """How many messages both begin with."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _after(given: Sequence[JsonObject], said: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """What an agent added: graphs answer with the whole conversation, earlier turns included."""
    wanted = [_core(message) for message in given]
    cores = [_core(message) for message in said]
    for end in range(len(said), len(given) - 1, -1):
        if cores[end - len(given) : end] == wanted:
            return said[end:]
    return said


def _core(message: JsonObject) -> tuple[JsonValue, JsonValue]:
    return message["role"], message.get("content")


def _with_their_calls(messages: Sequence[JsonObject]) -> list[JsonObject]:
    called: set[JsonValue] = set()
    kept = []
    for message in messages:
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            called |= {str(call.get("id")) for call in calls if isinstance(call, dict)}
        if message["role"] != "tool" or str(message.get("tool_call_id")) in called:
            kept.append(message)
    return kept
