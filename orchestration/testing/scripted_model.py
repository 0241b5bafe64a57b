"""A chat model that answers what it was given beforehand, for tests without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

NEVER: Final = object()
"""A reply that never comes; only for asynchronous calls."""


class ScriptExhaustedError(AssertionError):
    """Raised when a scripted model is asked more often than replies were prepared."""


class ScriptedChatModel(BaseChatModel):
    """A chat model without tool calling: gives prepared replies in order.

    A reply is text, an `AIMessage`, a JSON object (given as text, or as a tool call if the
    model has tools), an exception to be raised, or `NEVER`.
    """

    replies: list[Any]
    """What it will answer."""
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    """What it was asked, one list of messages a call."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  the base class's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        return _result(self._next(messages), kwargs.get("tools") or ())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  the base class's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        reply = self._next(messages)
        if reply is NEVER:
            await asyncio.Event().wait()
        return _result(reply, kwargs.get("tools") or ())

    def _next(self, messages: list[BaseMessage]) -> object:
        self.asked.append(messages)
        position = len(self.asked) - 1
        if position >= len(self.replies):
            raise ScriptExhaustedError(
                f"the scripted model has {len(self.replies)} replies, and is asked once more"
            )
        return self.replies[position]


class ScriptedToolModel(ScriptedChatModel):
    """A scripted chat model that can call tools, and so has structured output."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,  # noqa: ARG002  it calls the only tool there is
        **kwargs: Any,  # noqa: ANN401  the base class's signature
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools; a reply that is a JSON object becomes a call of the first one."""
        kwargs.pop("ls_structured_output_format", None)
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)


def _result(reply: object, tools: Sequence[Mapping[str, Any]]) -> ChatResult:
    if isinstance(reply, BaseException):
        raise reply
    return ChatResult(generations=[ChatGeneration(message=_message(reply, tools))])


def _message(reply: object, tools: Sequence[Mapping[str, Any]]) -> BaseMessage:
    match reply:
        case BaseMessage():
            return reply
        case str():
            return AIMessage(content=reply)
        case Mapping() if tools:
            name = tools[0]["function"]["name"]
            return AIMessage(
                content="", tool_calls=[{"name": name, "args": dict(reply), "id": "call_1"}]
            )
        case Mapping():
            return AIMessage(content=json.dumps(reply))
    message = f"{reply!r} is no reply; give text, a JSON object, an AIMessage or an exception"
    raise TypeError(message)
