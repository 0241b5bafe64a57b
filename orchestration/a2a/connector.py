"""Calling an A2A agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from checkpoints.per_loop import PerLoop
from orchestration.a2a.connection import Connection
from orchestration.a2a.guarded_http import origin_of
from orchestration.a2a.remote_task import RemoteTask
from orchestration.a2a.request import request_for
from orchestration.a2a.settings import REFUSE
from orchestration.agents.deadline import seconds_left
from orchestration.agents.headers import filled
from state.errors import AgentError, AgentTimeoutError, UnknownReplyError
from state.jsonvalue import json_object

if TYPE_CHECKING:
    from orchestration.a2a.settings import A2ASettings
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


_LONGEST_PROBE: Final = 10.0
_FIRST_ANSWER: Final = 2.0
"""Seconds that a call that is given up waits for the id of its task."""


class A2AConnector:
    """The `Connector` to an A2A agent.

    A task that is not awaited any more, for whatever reason, is called off there. An agent that
    asks for more gets no answer (with `on_input_required` as `refuse`): what it asked is the
    error's message. A question to a person here would need the agent's task to be found again
    after a crash, and A2A agents need not recognise a message that is sent twice.

    Args:
        address: Of the agent, or of its card.
        settings: How it is spoken with.
    """

    def __init__(self, address: str, settings: A2ASettings) -> None:
        self._where = str(origin_of(address))
        self._settings = settings
        self._connections: PerLoop[Connection] = PerLoop(
            lambda: Connection(address, settings), Connection.close
        )

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Do one task; see `Connector`."""
        seconds = seconds_left(context.deadline, longest=self._settings.timeout_seconds)
        given = filled(self._settings.headers)
        task = RemoteTask(context.emit if context.streams else None, hide=given.hide_in)
        connection = await self._connections.get()
        work = asyncio.create_task(self._do(connection, input_data, context, task))
        try:
            async with asyncio.timeout(seconds) as limit:
                await asyncio.shield(work)
            return _reply_of(task)
        except TimeoutError as error:
            if not limit.expired():
                raise AgentError(f"the agent at {self._where}: {error}") from error
            raise AgentTimeoutError(
                f"the agent at {self._where} did not answer within {seconds:.3g} s; "
                "it may have acted all the same"
            ) from None
        finally:
            # also where this call is cancelled: nothing is left open there
            await _give_up(connection, task, work)

    async def probe(self) -> None:
        """Fetch the card."""
        connection = await self._connections.get()
        try:
            async with asyncio.timeout(_LONGEST_PROBE):
                await connection.fetch()
        except TimeoutError:
            raise AgentTimeoutError(
                f"the agent at {self._where} did not give its card within {_LONGEST_PROBE:g} s"
            ) from None

    async def close(self) -> None:
        """Close connections."""
        await self._connections.close()

    async def _do(
        self,
        connection: Connection,
        input_data: JsonObject,
        context: AgentContext,
        task: RemoteTask,
    ) -> None:
        """Give the agent the task, and wait until it is over."""
        seconds = seconds_left(context.deadline, longest=self._settings.timeout_seconds)
        card = await connection.card()
        stream = context.streams and card.capabilities.streaming
        if not stream:
            task.hush()
        request = request_for(input_data, context, card=card, seconds=seconds, stream=stream)
        task.is_sent = True
        try:
            await connection.send(request, task, stream=stream)
        except AgentError:
            if not task.task_id:
                raise
            # the stream broke, and its task can still be asked after
        if not task.task_id and not task.is_over:
            raise AgentError(f"the agent at {self._where} ended its stream without a reply")
        await connection.follow(task, stops_to_ask=self._settings.on_input_required == REFUSE)


def _reply_of(task: RemoteTask) -> JsonObject:
    """What the agent answered; it may have said what protocol buffers hold and JSON does not."""
    try:
        return json_object(task.reply(), at="its reply")
    except (ValueError, RecursionError) as error:
        raise UnknownReplyError(f"the agent answered what is no JSON: {error}") from error


async def _give_up(connection: Connection, task: RemoteTask, work: asyncio.Task[None]) -> None:
    """End the work on a task, and call it off there unless it is over.

    A task that was just sent has no id yet; so its first answer is waited for, though not long.
    """
    task.hush()
    try:
        if task.is_sent and not task.is_named.is_set() and not work.done():
            named = asyncio.create_task(task.is_named.wait())
            try:
                await asyncio.wait(
                    {named, work}, timeout=_FIRST_ANSWER, return_when="FIRST_COMPLETED"
                )
            finally:
                named.cancel()
        await connection.cancel(task)
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # whoever gave up does not want it
