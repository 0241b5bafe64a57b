"""An agent's input as an A2A message."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Final

from a2a.types import AgentCard, Message, Role, SendMessageConfiguration, SendMessageRequest

from orchestration.a2a.values import JSON, TEXT, data_part, struct, text_part

if TYPE_CHECKING:
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject, JsonValue

WHOLE_INPUT: Final = "whole_input"
"""Metadata of a data part that holds all the input, so that the text says nothing beside it."""
IDEMPOTENCY_KEY: Final = "idempotency_key"
_MESSAGES: Final = uuid.UUID("6f0d3c52-6c0c-4f1f-9d8e-0f0a6b1f7f2a")


def request_for(
    input_data: JsonObject,
    context: AgentContext,
    *,
    card: AgentCard,
    seconds: float,
    stream: bool,
) -> SendMessageRequest:
    """Return what is sent for a task.

    The text of the last user messages is a text part (all the input as JSON if there are none),
    and the whole input is a data part, unless the card says that the agent takes no JSON. The
    same task always has the same message id, and a thread always the same context id. Metadata
    has the idempotency key, the attempt, how long the reply is waited for, and the outputs of
    the tasks before.

    Args:
        input_data: What the agent is to do.
        context: Whose task it is.
        card: What the agent takes.
        seconds: How long its reply is waited for.
        stream: Whether the text is wanted in pieces; else the task's id is wanted at once.
    """
    parts = [text_part(_text(input_data))]
    if _takes_json(card):
        parts.append(data_part(input_data, metadata={WHOLE_INPUT: True}))
    message = Message(
        message_id=message_id(context.idempotency_key),
        context_id=context_id(context.thread_id),
        role=Role.ROLE_USER,
        parts=parts,
        metadata=struct(
            {
                IDEMPOTENCY_KEY: context.idempotency_key,
                "attempt": context.attempt,
                "timeout_seconds": round(seconds, 3),
                "upstream": dict(context.upstream),
            }
        ),
    )
    configuration = SendMessageConfiguration(
        accepted_output_modes=[TEXT, JSON],
        history_length=0,
        return_immediately=not stream,
    )
    return SendMessageRequest(message=message, configuration=configuration)


def message_id(idempotency_key: str) -> str:
    """Return the message id of a task, the same for every attempt at it."""
    return str(uuid.uuid5(_MESSAGES, idempotency_key))


def context_id(thread_id: str) -> str:
    """Return the context of a thread; tells nothing of its id."""
    return hashlib.sha256(f"thread {thread_id}".encode()).hexdigest()[:32]


def _text(input_data: JsonObject) -> str:
    messages = input_data.get("messages")
    said: list[str] = []
    for message in reversed(messages if isinstance(messages, list) else []):
        if not isinstance(message, dict) or message.get("role") != "user":
            break
        said.append(_text_of(message.get("content")))
    text = "\n\n".join(filter(None, reversed(said)))
    return text or json.dumps(input_data, ensure_ascii=False)


def _text_of(content: JsonValue) -> str:
    """The text of a message's content, which may be a list of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _takes_json(card: AgentCard) -> bool:
    modes = {*card.default_input_modes}
    for skill in card.skills:
        modes.update(skill.input_modes)
    return not modes or bool(modes & {JSON, "application/*", "*/*"})
