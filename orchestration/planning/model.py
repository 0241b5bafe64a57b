"""The planner that asks a chat model."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from orchestration.planning.answer import SCHEMA, document_in, proposal_of
from orchestration.planning.prompt import prompt_for
from orchestration.planning.user_words import text_in
from state.errors import (
    AgentError,
    AgentTimeoutError,
    AgentUnavailableError,
    ConfigurationError,
    UnknownReplyError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.runnables import Runnable

    from state.proposal import PlanningRequest, Proposal

DEFAULT_TIMEOUT: Final = timedelta(seconds=60)
_UNAVAILABLE: Final = {
    401: "it does not accept the credentials; check the key",
    403: "the credentials may not use it; check the key and its rights",
    404: "there is no such model; check its name",
    408: "it did not answer in time; try again later",
    429: "it is asked too often (rate limit); try again later",
}
_SERVER_ERROR = 500


class ModelPlanner:
    """Plans with any LangChain chat model; what it says is neither checked nor allowed yet.

    Put it into a `ValidatedPlanner`, and let an `EnterprisePolicy` rule what comes out.

    Args:
        model: A chat model, or a name for `langchain.chat_models.init_chat_model` such as
            `google_vertexai:gemini-2.5-flash`; a named one gets `temperature=0`.
        timeout: For each answer.

    Raises:
        ConfigurationError: The model is a name, and `langchain` is not installed.
    """

    def __init__(self, model: BaseChatModel | str, *, timeout: timedelta = DEFAULT_TIMEOUT) -> None:
        if isinstance(model, str) and (not model.strip() or find_spec("langchain") is None):
            raise ConfigurationError(_no_model(model, "langchain is not installed"))
        self._model = model
        self._timeout = timeout

    async def propose(self, request: PlanningRequest) -> Proposal:
        """Ask the model for a plan.

        Raises:
            UnknownReplyError: It answered with something that is no plan.
            AgentTimeoutError: It did not answer in time.
            AgentUnavailableError: It cannot be reached, or will not answer now.
            AgentRefusedError: The request is too long.
            AgentError: It failed in another way.
            ConfigurationError: There is no model of that name.
        """
        model = self._chat_model()
        structured = _structured(model)
        prompt = prompt_for(request, as_text=structured is None)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                answer = await (structured or model).ainvoke(prompt)
        except Exception as error:
            raise _as_agent_error(error) from error
        return proposal_of(_document(answer))

    def _chat_model(self) -> BaseChatModel:
        if isinstance(self._model, str):
            self._model = model_named(self._model)
        return self._model


def model_named(name: str) -> BaseChatModel:
    """Make a chat model from its name, with deterministic settings.

    Raises:
        ConfigurationError: The package it needs is missing, or nobody knows the name.
    """
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  takes a second

        return init_chat_model(name, temperature=0)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(_no_model(name, str(error))) from error


def _no_model(name: str, why: str) -> str:
    return (
        f"model {name!r} cannot be used: {why}. Install 'langchain' and the package of its "
        "provider, give a name such as 'google_vertexai:gemini-2.5-flash', or give a chat model "
        "object; without a model, requests are planned by rules."
    )


def _structured(model: BaseChatModel) -> Runnable[LanguageModelInput, Any] | None:
    """The model with structured output; None if it has none and must be asked in words."""
    try:
        return model.with_structured_output(SCHEMA, include_raw=True)
    except NotImplementedError:
        return None


def _document(answer: Any) -> Mapping[str, object]:  # noqa: ANN401  models differ
    """The JSON in an answer: parsed already, or as text where a model called no tool."""
    raw = answer
    if isinstance(answer, dict):
        parsed = answer.get("parsed")
        if isinstance(parsed, dict):
            return parsed
        raw = answer.get("raw")
    content = getattr(raw, "content", None)
    if content is None:
        raise UnknownReplyError(f"the planner's model answered with a {type(raw).__name__}")
    return document_in(text_in(content))


def _as_agent_error(error: Exception) -> AgentError:
    """Say a provider's error as ours; its text stays out, since it may hold secrets."""
    if isinstance(error, AgentError):
        return error
    kind = type(error).__name__
    if isinstance(error, TimeoutError) or "timeout" in kind.lower():
        return AgentTimeoutError("the planner's model did not answer in time. Nothing was done.")
    status = _status_of(error)
    why = _UNAVAILABLE.get(status)
    if why is None and (status >= _SERVER_ERROR or isinstance(error, OSError)):
        why = "it cannot be reached; try again later"
    if why is None and ("ratelimit" in kind.lower() or kind == "ResourceExhausted"):
        why = _UNAVAILABLE[429]
    if why is None and "connect" in kind.lower():
        why = "it cannot be reached; try again later"
    if why is not None:
        return AgentUnavailableError(f"the planner's model: {why} ({kind}). Nothing was done.")
    return AgentError(f"the planner's model failed ({kind}). Nothing was done.")


def _status_of(error: Exception) -> int:
    response = getattr(error, "response", None)
    for holder in (error, response):
        for name in ("status_code", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return int(value)
    return 0
