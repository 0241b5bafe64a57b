"""The behaviour that every kind of agent promises, as tests that a subclass inherits.

    class TestMine(AgentContract):
        kind = "http"

        @contextmanager
        def make_stage(self) -> Iterator[Stage]:
            with MyFake() as fake:  # a `Stage`
                yield fake

Needs `pytest-asyncio` in its `auto` mode. What a kind cannot do is declared by the subclass, in
the class attributes; the tests then ask for what it promises instead.
"""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import KINDS, module_of
from orchestration.testing.agent_stage import (
    PATIENCE,
    Babbles,
    Breaks,
    Distrusts,
    Echoes,
    Fails,
    Limits,
    Refuses,
    Says,
    Stage,
)
from state.agent_context import AgentContext
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)
from state.jsonvalue import json_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from orchestration.agents.connector import Connector
    from state.jsonvalue import JsonObject

_PIECES = ("Two ", "seats ", "are ", "booked.")
_USAGE = (12, 5)
_CALLS = 20
_MINUTES = 120.0


class AgentContract(ABC):
    """Subclass it, set `kind`, implement `make_stage`, and declare what is missing."""

    kind: ClassVar[str]
    """One of `orchestration.agents.kinds`; says whether the idempotency key is passed on."""
    streams: ClassVar[bool] = True
    """Whether text can come in pieces; if not, it comes as one, or in the reply only."""
    reports_usage: ClassVar[bool] = True
    """Whether the agent can say what a model used; if not, the reply has no `usage`."""
    gives_messages: ClassVar[bool] = True
    """Whether the reply of text has `messages`, the last of which says it."""
    passes_deadline: ClassVar[bool] = True
    """Whether the agent is told how long its caller waits."""
    keeps_deadline: ClassVar[bool] = True
    """Whether the connector itself ends a call at its deadline, and begins none after it; if
    not, calls are ended by whoever makes them."""
    passes_upstream: ClassVar[bool] = True
    """Whether the agent is told the outputs of the tasks before."""
    gives_up: ClassVar[bool] = True
    """Whether a cancelled call is given up at the agent too; if not, it goes on there."""
    probes: ClassVar[bool] = True
    """Whether there is a way to ask how it is; if not, asking raises `NotImplementedError`."""
    recognises_keys: ClassVar[bool] = False
    """Whether a call with a known key is answered from a record, so that nothing is done twice."""
    says_retry_after: ClassVar[bool] = True
    """Whether an agent that takes no calls can say for how long; if not, it is None."""
    refusal: ClassVar[type[Exception]] = AgentRefusedError
    """What becomes of a refusal; another error where the protocol has none."""
    breakage: ClassVar[type[Exception]] = AgentError
    """What becomes of an agent that breaks off."""

    @abstractmethod
    def make_stage(self) -> AbstractContextManager[Stage]:
        """Return a stage with a fake agent, for one test; it may not need an event loop."""

    def asked(self, text: str) -> JsonObject:
        """Return the input of a task that asks for something in words."""
        return {"messages": [{"role": "user", "content": text}]}

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        """A stage; what is held goes on when the test ends."""
        with self.make_stage() as stage:
            try:
                yield stage
            finally:
                stage.release()

    # -- the reply ---------------------------------------------------------------------

    async def test_a_reply_is_a_json_object_with_the_text(self, stage: Stage) -> None:
        """Text is the `content`, and the last of the `messages` where there are some."""
        stage.play(Says(_PIECES))
        reply = await self._ask(stage)
        assert type(reply) is dict
        assert json_object(reply, at="the reply") == reply
        assert reply["content"] == "".join(_PIECES)
        assert "usage" not in reply
        assert ("messages" in reply) == self.gives_messages
        if self.gives_messages:
            messages = reply["messages"]
            assert isinstance(messages, list)
            assert isinstance(messages[-1], dict)
            assert messages[-1]["role"] == "assistant"
            assert messages[-1]["content"] == reply["content"]

    async def test_a_reply_says_what_a_model_used(self, stage: Stage) -> None:
        """`usage` has input and output tokens."""
        stage.play(Says(_PIECES, usage=_USAGE))
        reply = await self._ask(stage)
        expected = {"input_tokens": _USAGE[0], "output_tokens": _USAGE[1]}
        assert reply.get("usage") == (expected if self.reports_usage else None)

    async def test_what_is_no_reply_is_said_to_be_none(self, stage: Stage) -> None:
        """Nonsense is an `UnknownReplyError`."""
        stage.play(Babbles())
        await self._fails_with(UnknownReplyError, stage)

    # -- pieces of text ----------------------------------------------------------------

    async def test_text_comes_in_pieces_to_who_wants_them(self, stage: Stage) -> None:
        """In order, and together they are the reply's text, which has the usage too."""
        stage.play(Says(_PIECES, usage=_USAGE))
        heard: list[str] = []
        reply = await self._ask(stage, self.context(heard=heard))
        assert reply["content"] == "".join(_PIECES)
        assert heard == list(_PIECES) if self.streams else heard in ([], ["".join(_PIECES)])
        if self.reports_usage:
            assert reply["usage"] == {"input_tokens": _USAGE[0], "output_tokens": _USAGE[1]}
        assert stage.received[0].streamed in (None, self.streams)

    async def test_pieces_come_before_the_reply_is_complete(self, stage: Stage) -> None:
        """The first is heard while the agent is not yet done."""
        stage.play(Says(_PIECES, held_after=1))
        heard: list[str] = []
        first = asyncio.Event()

        def emit(text: str) -> None:
            heard.append(text)
            first.set()

        async with self._connected(stage) as connector, asyncio.timeout(PATIENCE):
            context = self.context()._replace(emit=emit)
            call = asyncio.create_task(connector.call(self.asked("two seats"), context))
            await stage.arrived()
            if self.streams:
                await first.wait()
                assert heard == [_PIECES[0]]
            assert not call.done()
            stage.release()
            assert (await call)["content"] == "".join(_PIECES)

    async def test_pieces_are_not_asked_for_if_nobody_wants_them(self, stage: Stage) -> None:
        """Without a listener the agent is asked for the whole."""
        stage.play(Says(_PIECES))
        await self._ask(stage)
        assert stage.received[0].streamed in (None, False)

    async def test_an_agent_that_breaks_off_has_not_replied(self, stage: Stage) -> None:
        """Half a reply is none, and what began may have acted."""
        stage.play(Breaks(_PIECES[:2]))
        heard: list[str] = []
        await self._fails_with(self.breakage, stage, self.context(heard=heard))
        assert heard in ([], list(_PIECES[:2]), list(_PIECES[:1]))
        await self._fails_with(self.breakage, stage)

    # -- what the agent is told --------------------------------------------------------

    async def test_the_agent_is_told_what_and_for_whom(self, stage: Stage) -> None:
        """The input, the idempotency key, what the tasks before gave."""
        context = self.context()._replace(upstream={"search": {"found": 3}})
        await self._ask(stage, context)
        (received,) = stage.received
        assert received.text == "two seats"
        key = context.idempotency_key if KINDS[self.kind].passes_key else None
        assert received.key == key
        assert received.upstream == ({"search": {"found": 3}} if self.passes_upstream else None)

    async def test_a_second_try_has_the_same_key(self, stage: Stage) -> None:
        """So that the agent can answer it from its record."""
        context = self.context()
        async with self._connected(stage) as connector:
            replies = [
                await connector.call(self.asked("two seats"), context._replace(attempt=attempt))
                for attempt in (1, 2)
            ]
        assert replies[0]["content"] == replies[1]["content"]
        keys = [each.key for each in stage.received]
        key = context.idempotency_key if KINDS[self.kind].passes_key else None
        assert keys == [key] * (1 if self.recognises_keys else 2)

    # -- time --------------------------------------------------------------------------

    async def test_the_agent_is_told_how_long_its_caller_waits(self, stage: Stage) -> None:
        """What is left until the deadline, give or take the way there."""
        await self._ask(stage, self.context(deadline=time.time() + _MINUTES))
        told = stage.received[0].remaining_seconds
        if self.passes_deadline:
            assert told is not None
            assert _MINUTES - PATIENCE < told <= _MINUTES + 1  # it may be rounded up
        else:
            assert told is None

    async def test_a_call_ends_at_its_deadline(self, stage: Stage) -> None:
        """It may have acted all the same; the agent is told that nobody waits any more."""
        stage.play(Says(_PIECES, held_after=0))
        if not self.keeps_deadline:
            async with self._connected(stage) as connector:
                context = self.context(deadline=time.time() + 0.3)
                call = asyncio.create_task(connector.call(self.asked("two seats"), context))
                await stage.arrived()
                stage.release()
                assert (await call)["content"] == "".join(_PIECES)
            return
        await self._fails_with(AgentTimeoutError, stage, self.context(deadline=time.time() + 0.3))
        if self.gives_up and stage.received:
            await stage.given_up()

    async def test_a_deadline_that_is_past_sends_nothing(self, stage: Stage) -> None:
        """The agent surely did not begin, so a later try with more time may be made anywhere."""
        if not self.keeps_deadline:
            await self._ask(stage, self.context(deadline=time.time() - 1))
            assert len(stage.received) == 1
            return
        await self._fails_with(AgentNotStartedError, stage, self.context(deadline=time.time() - 1))
        assert stage.received == []

    async def test_a_cancelled_call_ends_at_once_and_is_given_up(self, stage: Stage) -> None:
        """Nothing is left open, here or there."""
        stage.play(Says(_PIECES, held_after=0))
        async with self._connected(stage) as connector, asyncio.timeout(PATIENCE):
            call = asyncio.create_task(connector.call(self.asked("two seats"), self.context()))
            await stage.arrived()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            if self.gives_up:
                await stage.given_up()
            else:
                assert stage.left_early == 0

    async def test_a_cancelled_call_in_pieces_is_given_up_too(self, stage: Stage) -> None:
        """Also after the first pieces came."""
        stage.play(Says(_PIECES, held_after=1))
        async with self._connected(stage) as connector, asyncio.timeout(PATIENCE):
            context = self.context(heard=[])
            call = asyncio.create_task(connector.call(self.asked("two seats"), context))
            await stage.arrived()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            if self.gives_up:
                await stage.given_up()

    # -- what goes wrong ---------------------------------------------------------------

    async def test_no_is_a_refusal(self, stage: Stage) -> None:
        """With what the agent said."""
        stage.play(Refuses("there are only 3 seats left"))
        error = await self._fails_with(self.refusal, stage)
        assert "there are only 3 seats left" in str(error)

    async def test_a_failure_may_have_acted(self, stage: Stage) -> None:
        """What began and failed is an `AgentError` and nothing more precise."""
        stage.play(Fails("the database is gone"))
        await self._fails_with(AgentError, stage)

    async def test_a_failure_in_pieces_may_have_acted_too(self, stage: Stage) -> None:
        """Wanting pieces changes nothing about errors."""
        stage.play(Fails("the database is gone"))
        await self._fails_with(AgentError, stage, self.context(heard=[]))

    @pytest.mark.parametrize("seconds", [7, None])
    async def test_too_many_calls_come_with_a_time_to_wait(
        self, stage: Stage, seconds: float | None
    ) -> None:
        """`retry_after` is what the agent said, or None."""
        stage.play(Limits(seconds))
        error = await self._fails_with(AgentRateLimitedError, stage)
        assert isinstance(error, AgentRateLimitedError)
        assert error.retry_after == (seconds if self.says_retry_after else None)

    async def test_credentials_that_are_not_accepted_are_said_to_be(self, stage: Stage) -> None:
        """An `AgentAuthError`, and the agent did not begin."""
        stage.play(Distrusts())
        await self._fails_with(AgentAuthError, stage)

    async def test_where_nothing_listens_nothing_began(self, stage: Stage) -> None:
        """Anybody else may do the task; kinds without places need a handler instead."""
        connector = stage.connector_to_nobody()
        if connector is None:
            assert list(module_of(self.kind).problems(Endpoint(kind=self.kind)))
            return
        try:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(AgentError) as raised:
                    await connector.call(self.asked("two seats"), self.context())
                assert raised.type is AgentNotStartedError
                with pytest.raises(AgentError if self.probes else NotImplementedError):
                    await connector.probe()
        finally:
            await connector.close()

    # -- the connector -----------------------------------------------------------------

    async def test_a_probe_does_nothing_there(self, stage: Stage) -> None:
        """It returns, and the agent has got no task."""
        async with self._connected(stage) as connector, asyncio.timeout(PATIENCE):
            if self.probes:
                await connector.probe()
            else:
                with pytest.raises(NotImplementedError):
                    await connector.probe()
        assert stage.received == []

    async def test_many_calls_at_once_get_each_its_own_reply(self, stage: Stage) -> None:
        """All are under way before the first has its reply."""
        stage.play(Echoes(held=True))
        texts = [f"seat {number}" for number in range(_CALLS)]
        async with self._connected(stage) as connector, asyncio.timeout(2 * PATIENCE):
            calls = [
                asyncio.create_task(connector.call(self.asked(text), self.context()))
                for text in texts
            ]
            await stage.arrived(count=_CALLS)
            stage.release()
            replies = await asyncio.gather(*calls)
        assert [reply["content"] for reply in replies] == texts

    def test_event_loops_may_come_and_go(self, stage: Stage) -> None:
        """One connector serves one loop after another, and is closed in a third."""
        stage.play(Echoes())
        connector = stage.connector()
        for text in ("first", "second"):
            reply = asyncio.run(connector.call(self.asked(text), self.context()))
            assert reply["content"] == text
        asyncio.run(connector.close())

    async def test_closing_twice_or_unused_is_no_mistake(self, stage: Stage) -> None:
        """Nor is closing what was used."""
        unused, used = stage.connector(), stage.connector()
        await used.call(self.asked("two seats"), self.context())
        for connector in (unused, used):
            await connector.close()
            await connector.close()

    # -- what the tests are made of ----------------------------------------------------

    def context(
        self,
        *,
        key: str | None = None,
        deadline: float | None = None,
        heard: list[str] | None = None,
    ) -> AgentContext:
        """Return the context of a call, by default with a new key; pieces go to `heard`."""
        context = AgentContext(
            thread_id="thread-1",
            task_id="book",
            run_id="run-1",
            idempotency_key=key or f"run-{uuid4()}:book",
            deadline=deadline,
        )
        return context if heard is None else context._replace(emit=heard.append)

    @asynccontextmanager
    async def _connected(self, stage: Stage) -> AsyncIterator[Connector]:
        connector = stage.connector()
        try:
            yield connector
        finally:
            await connector.close()

    async def _ask(self, stage: Stage, context: AgentContext | None = None) -> JsonObject:
        async with self._connected(stage) as connector, asyncio.timeout(PATIENCE):
            return await connector.call(self.asked("two seats"), context or self.context())

    async def _fails_with(
        self, expected: type[Exception], stage: Stage, context: AgentContext | None = None
    ) -> Exception:
        """Call, and return the error, which is of this very class."""
        with pytest.raises(Exception) as raised:  # noqa: PT011  its class is compared below
            await self._ask(stage, context)
        assert raised.type is expected, raised.value
        return raised.value
