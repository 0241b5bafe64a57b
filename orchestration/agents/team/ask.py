"""One request to one agent: what its input says, read and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from orchestration.agents.team.amounts import amount_in, cents_of
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from datetime import datetime

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject, JsonValue

_LARGEST = 10**15
_LONGEST_TEXT = 2_000
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody asks of an agent. A field of the input wins over its message."""

    fields: JsonObject
    """The whole input."""
    text: str
    """The last user message, or nothing."""
    context: AgentContext
    now: datetime

    @property
    def today(self) -> date:
        """The clock's date."""
        return self.now.date()

    @property
    def key(self) -> str:
        """The idempotency key of this call."""
        return self.context.idempotency_key

    @property
    def is_only_said(self) -> bool:
        """Whether the message alone says what to do: the input names no action."""
        return self.fields.get("action") is None

    def words(self, field: str) -> str | None:
        """The field's text; None if it is not given.

        Raises:
            AgentRefusedError: It is no text.
        """
        value = self.fields.get(field)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise _unusable(field, value, "some text")
        return value.strip()

    def whole_number(self, field: str) -> int | None:
        """The field's whole number; None if it is not given.

        Raises:
            AgentRefusedError: It is no whole number.
        """
        value = self.fields.get(field)
        match value:
            case None:
                return None
            case bool():
                pass
            case int() | float() if abs(value) <= _LARGEST and value == int(value):
                return int(value)
            case str() if _WHOLE_NUMBER.fullmatch(value.strip()):
                return int(value)
        raise _unusable(field, value, "a whole number")

    def cents(self, field: str) -> int | None:
        """The field's amount of dollars in cents; None if it is not given.

        Raises:
            AgentRefusedError: It is no amount of dollars and cents.
        """
        value = self.fields.get(field)
        if value is None:
            return None
        if isinstance(value, str):
            found = amount_in(value if "$" in value else f"${value.strip()}")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            found = None
        else:
            found = cents_of(value)
        if found is None:
            raise _unusable(field, value, "an amount of dollars such as 1250.50")
        return found

    def day(self, field: str) -> date | None:
        """The field's date; None if it is not given.

        Raises:
            AgentRefusedError: It is not written YYYY-MM-DD.
        """
        value = self.words(field)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _unusable(field, value, "a date such as 2026-12-01") from None


def read_ask(input_data: JsonObject, *, context: AgentContext, now: datetime) -> Ask:
    """Read an agent's input.

    Raises:
        AgentRefusedError: `messages` is not a list of messages.
    """
    return Ask(
        fields=input_data,
        text=_last_user_text(input_data.get("messages")),
        context=context,
        now=now,
    )


def _last_user_text(messages: JsonValue) -> str:
    if messages is None:
        return ""
    if not isinstance(messages, list) or not all(isinstance(item, dict) for item in messages):
        raise _unusable("messages", messages, "a list of messages with a role and a content")
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text_of(message.get("content"))
    return ""


def _text_of(content: JsonValue) -> str:
    match content:
        case str():
            text = content
        case list():
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            text = " ".join(part for part in parts if isinstance(part, str))
        case None:
            text = ""
        case _:
            raise _unusable("content", content, "text, or a list of text parts")
    if len(text) > _LONGEST_TEXT:
        raise AgentRefusedError(
            f"The message has {len(text):,} characters; at most {_LONGEST_TEXT:,} are read. "
            "Nothing was done."
        )
    lines = text.replace("\u2019", "'").replace("\u2212", "-").splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def _unusable(field: str, value: JsonValue, wanted: str) -> AgentRefusedError:
    return AgentRefusedError(
        f"The field {field!r} is {str(value)[:60]!r}; it must be {wanted}. Nothing was done."
    )
