"""Callables, Runnables and graphs in this process keep the contract of all kinds."""

# ruff: noqa: ANN401, ARG002  LangChain has it so

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph

from orchestration.agents.connector import Connector
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.local import usage_of
from orchestration.agents.local_kind import connect
from orchestration.testing.agent_contract import AgentContract
from orchestration.testing.agent_stage import (
    Act,
    Babbles,
    Breaks,
    Distrusts,
    Echoes,
    Fails,
    Limits,
    Received,
    Refuses,
    Says,
    Stage,
)
from state.agent_context import AgentContext
from state.errors import AgentAuthError, AgentError, AgentRateLimitedError, AgentRefusedError
from state.jsonvalue import JsonObject


class BrokenError(RuntimeError):
    """What an agent raises that thinks of nothing."""


class LocalStage(Stage):
    """The agent is in this process."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.handler: object = None

    def connector(self) -> Connector:
        return connect(Endpoint(kind=self.kind, handler=self.handler))

    def connector_to_nobody(self) -> None:
        return None


def raised_by(act: Act) -> Exception | None:
    """What an agent raises to say it in this project's words."""
    match act:
        case Refuses(message):
            return AgentRefusedError(message)
        case Fails(message):
            return AgentError(message)
        case Breaks():
            return BrokenError("out of luck")
        case Limits(retry_after):
            return AgentRateLimitedError("not so fast", retry_after=retry_after)
        case Distrusts():
            return AgentAuthError("who are you?")
    return None


def text_of(input_data: JsonObject) -> str:
    messages: Any = input_data["messages"]
    return str(messages[-1]["content"])


def received(input_data: JsonObject, context: AgentContext) -> Received:
    return Received(
        text=text_of(input_data),
        key=context.idempotency_key,
        remaining_seconds=None if context.deadline is None else context.deadline - time.time(),
        upstream=dict(context.upstream) or None,
        streamed=context.streams,
    )


def said(act: Act, text: str) -> Any:
    """The reply of a callable."""
    if isinstance(act, Babbles):
        return ["no", "object"]
    content = act.text if isinstance(act, Says) else text
    reply: JsonObject = {
        "content": content,
        "messages": [{"role": "assistant", "content": content}],
    }
    if isinstance(act, Says) and act.usage:
        reply["usage"] = {"input_tokens": act.usage[0], "output_tokens": act.usage[1]}
    return reply


class CallableContract(AgentContract):
    kind = "local"
    keeps_deadline = False
    breakage = BrokenError


class TestAsyncCallable(CallableContract):
    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        stage = LocalStage(self.kind)

        async def agent(input_data: JsonObject, context: AgentContext) -> Any:
            act = stage.enter(received(input_data, context))
            try:
                return await self.perform(stage, act, input_data, context)
            except asyncio.CancelledError:
                stage.leave_early()
                raise

        stage.handler = agent
        yield stage

    async def perform(
        self, stage: Stage, act: Act, input_data: JsonObject, context: AgentContext
    ) -> Any:
        if (error := raised_by(act)) is not None:
            raise error
        if isinstance(act, Echoes) and act.held:
            await stage.gate.wait()
        if isinstance(act, Says):
            for number, piece in enumerate(act.pieces):
                if number == act.held_after:
                    await stage.gate.wait()
                context.emit(piece)
        return said(act, text_of(input_data))


class TestSyncCallable(CallableContract):
    gives_up = False  # nothing ends a thread

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        stage = LocalStage(self.kind)

        def agent(input_data: JsonObject, context: AgentContext) -> Any:
            act = stage.enter(received(input_data, context))
            if (error := raised_by(act)) is not None:
                raise error
            if isinstance(act, Echoes) and act.held:
                stage.gate.wait_in_thread()
            if isinstance(act, Says):
                for number, piece in enumerate(act.pieces):
                    if number == act.held_after:
                        stage.gate.wait_in_thread()
                    context.emit(piece)
            return said(act, text_of(input_data))

        stage.handler = agent
        yield stage


class RunnableContract(AgentContract):
    kind = "runnable"
    passes_deadline = False
    keeps_deadline = False
    passes_upstream = False  # a Runnable gets its input and LangChain's config
    breakage = BrokenError


class StagedModel(BaseChatModel):
    """A chat model behind which a stage is."""

    stage: Any

    @property
    def _llm_type(self) -> str:
        return "staged"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self.noticing():
            act = self.enter(messages, run_manager, streamed=False)
            if getattr(act, "held", False) or getattr(act, "held_after", None) is not None:
                await self.stage.gate.wait()
            pieces = act.pieces if isinstance(act, Says) else (str(messages[-1].text),)
            message = AIMessage("".join(pieces), usage_metadata=usage(act))
            return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with self.noticing():
            act = self.enter(messages, run_manager, streamed=True)
            pieces = act.pieces if isinstance(act, Says) else (str(messages[-1].text),)
            for number, piece in enumerate(pieces):
                if number == getattr(act, "held_after", None):
                    await self.stage.gate.wait()
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage(act)))

    def enter(
        self,
        messages: list[BaseMessage],
        run_manager: AsyncCallbackManagerForLLMRun | None,
        *,
        streamed: bool,
    ) -> Act:
        metadata = run_manager.metadata if run_manager else {}
        act: Act = self.stage.enter(
            Received(
                text=str(messages[-1].text),
                key=metadata.get("idempotency_key"),
                streamed=streamed,
            )
        )
        if (error := raised_by(act)) is not None:
            raise error
        return act

    @contextmanager
    def noticing(self) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.stage.leave_early()
            raise


def usage(act: Act) -> UsageMetadata | None:
    if not isinstance(act, Says) or act.usage is None:
        return None
    given, made = act.usage
    return UsageMetadata(input_tokens=given, output_tokens=made, total_tokens=given + made)


class TestChatModel(RunnableContract):
    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        stage = LocalStage(self.kind)

        async def after(message: AIMessage) -> Any:
            return 7 if isinstance(stage.act, Babbles) else message

        ask: RunnableLambda[Any, Any] = RunnableLambda(lambda given: given["messages"])
        stage.handler = ask | StagedModel(stage=stage) | RunnableLambda(after)
        yield stage


class TestBareChatModel(TestChatModel):
    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        stage = LocalStage(self.kind)
        stage.handler = StagedModel(stage=stage)
        yield stage

    async def test_what_is_no_reply_is_said_to_be_none(self, stage: Stage) -> None:
        """A chat model always gives a message, so one without text is a reply."""
        stage.play(Babbles())
        async with self._connected(stage) as connector:
            reply = await connector.call(self.asked("two seats"), self.context())
        assert reply["content"] == "two seats"


class Talk(MessagesState, total=False):
    content: Any
    usage: Any


class TestGraph(RunnableContract):
    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        stage = LocalStage(self.kind)
        model = StagedModel(stage=stage)

        async def answer(state: Talk) -> Any:
            message = await model.ainvoke(state["messages"])
            content = object() if isinstance(stage.act, Babbles) else message.text
            return {"messages": [message], "content": content, **usage_of(message)}

        builder = StateGraph(Talk)
        builder.add_node("answer", answer)
        builder.add_edge(START, "answer")
        stage.handler = builder.compile()
        yield stage
