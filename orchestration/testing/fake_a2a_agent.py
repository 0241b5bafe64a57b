"""An A2A agent on loopback, made with the official SDK alone, that does what a test tells it.

Needs the extras `a2a` and `fakes`. As context manager it listens in a thread of its own:

    with FakeA2AAgent() as agent:
        registry.register(AgentSpec("ticketing", endpoints=[agent.endpoint]))
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Part,
    Task,
    TaskState,
    TaskStatus,
)
from a2a.types import Message as Saying
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response

from orchestration.a2a.request import IDEMPOTENCY_KEY
from orchestration.a2a.values import data_part, plain
from orchestration.agents.a2a import connect
from orchestration.agents.endpoint import Endpoint
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
from orchestration.testing.loopback_server import LoopbackServer, free_port

if TYPE_CHECKING:
    from typing import Self

    from a2a.server.events import EventQueue
    from starlette.types import Message, Receive, Scope, Send

    from orchestration.agents.connector import Connector
    from state.jsonvalue import JsonObject

_ARTIFACT: Final = "answer"
_REST: Final = "/rest"
_SENDING: Final = ("SendMessage", "SendStreamingMessage", "/message:send", "/message:stream")


class BrokenOffError(RuntimeError):
    """Raised inside the fake to make the server drop a connection."""


class FakeA2AAgent(Stage):
    """An A2A agent in a thread.

    Args:
        name: In its card.
        skills: Ids of skills in its card.
        streaming: Whether it can give text in pieces.
        binding: What it speaks, `JSONRPC` or `HTTP+JSON`.
    """

    def __init__(
        self,
        *,
        name: str = "fake",
        skills: tuple[str, ...] = ("ticket_purchase",),
        streaming: bool = True,
        binding: str = "JSONRPC",
    ) -> None:
        super().__init__()
        self.inputs: list[RequestContext] = []
        """What its executor got."""
        self.headers: list[dict[str, str]] = []
        """Of all requests; their names in lower case."""
        self.methods: list[str] = []
        """What was called, of JSON-RPC."""
        self.card = AgentCard(
            name=name,
            description="A fake.",
            version="7",
            capabilities=AgentCapabilities(streaming=streaming),
            default_input_modes=["text/plain", "application/json"],
            default_output_modes=["text/plain", "application/json"],
            skills=[
                AgentSkill(id=each, name=each, description=each, tags=[each]) for each in skills
            ],
        )
        self._binding = binding
        self._broken = False

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await self._door(scope, receive, send)

        self._server = LoopbackServer(application)  # a method would be taken for ASGI 2
        self._application: Starlette | None = None

    def __enter__(self) -> Self:
        self._server.start()
        path = "/" if self._binding == "JSONRPC" else _REST
        self.card.supported_interfaces.append(
            AgentInterface(
                url=self.url + path, protocol_binding=self._binding, protocol_version="1.0"
            )
        )
        handler = DefaultRequestHandler(_Executor(self), InMemoryTaskStore(), self.card)
        self._application = Starlette(
            routes=[
                *create_agent_card_routes(self.card),
                *create_jsonrpc_routes(handler, rpc_url="/"),
                *create_rest_routes(handler, path_prefix=_REST),
            ]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint to register."""
        return Endpoint(kind="a2a", address=self.url, settings={"timeout_seconds": 900})

    # -- as a stage ----------------------------------------------------------------------

    def connector(self) -> Connector:
        """Make a new connector to it."""
        return connect(self.endpoint)

    def connector_to_nobody(self) -> Connector:
        """Make one to a port where nothing listens."""
        return connect(Endpoint(kind="a2a", address=f"http://127.0.0.1:{free_port()}"))

    def break_off(self) -> None:
        """Drop whatever is sent from now on."""
        self._broken = True

    # -- the agent -----------------------------------------------------------------------

    async def _door(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass requests on to the SDK, but for those that a real agent's gateway would end."""
        if scope["type"] != "http" or self._application is None:
            return
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        is_task = scope["method"] == "POST"
        first = await receive()
        if is_task:
            self.methods.append(_method(first.get("body", b""), scope["path"]))
            if self.methods[-1] in _SENDING:
                self._broken = False
        turned_away = _turned_away(self.act) if is_task else None
        if turned_away is not None:
            self.enter(Received(text=""))
            await turned_away(scope, receive, send)
            return
        given = [first]

        async def replay() -> Message:
            return given.pop() if given else await receive()

        async def until_broken(message: Message) -> None:
            if self._broken and is_task:
                raise BrokenOffError
            await send(message)

        await self._application(scope, replay, until_broken)


class _Executor(AgentExecutor):
    """Does what the stage says."""

    def __init__(self, agent: FakeA2AAgent) -> None:
        self._agent = agent

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Do one task."""
        received = _received(context)
        self._agent.inputs.append(context)
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await event_queue.enqueue_event(
            Task(
                id=context.task_id,
                context_id=context.context_id,
                status=TaskStatus(state=TaskState.TASK_STATE_WORKING),
            )
        )
        act = self._agent.enter(received)
        match act:
            case Refuses(message):
                await updater.reject(_said(updater, message))
            case Fails(message):
                await updater.failed(_said(updater, message))
            case Breaks(pieces):
                await self._say(updater, pieces)
                self._agent.break_off()
                await self._say(updater, ("too late",))
            case Says():
                await self._say(updater, act.pieces, held_after=act.held_after, usage=act.usage)
                await updater.complete()
            case _:
                if isinstance(act, Echoes) and act.held:
                    await self._agent.gate.wait()
                await self._say(updater, (received.text,))
                await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Stop doing it."""
        self._agent.leave_early()
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel()

    async def _say(
        self,
        updater: TaskUpdater,
        pieces: tuple[str, ...],
        *,
        held_after: int | None = None,
        usage: tuple[int, int] | None = None,
    ) -> None:
        for number, piece in enumerate(pieces):
            if number == held_after:
                await self._agent.gate.wait()
            part = Part(text=piece)
            await updater.add_artifact([part], artifact_id=_ARTIFACT, append=number > 0)
        if usage is not None:
            told: JsonObject = {"usage": {"input_tokens": usage[0], "output_tokens": usage[1]}}
            await updater.add_artifact([data_part(told)], artifact_id=_ARTIFACT, append=True)


def _said(updater: TaskUpdater, text: str) -> Saying:
    return updater.new_agent_message([Part(text=text)])


def _received(context: RequestContext) -> Received:
    assert context.message is not None  # noqa: S101  the SDK gives one
    metadata = plain(context.message.metadata)
    key, seconds, upstream = (
        metadata.get(name) for name in (IDEMPOTENCY_KEY, "timeout_seconds", "upstream")
    )
    method = context.call_context.state.get("method")
    return Received(
        text=context.get_user_input(),
        key=key if isinstance(key, str) else None,
        remaining_seconds=seconds if isinstance(seconds, int | float) else None,
        upstream=upstream if isinstance(upstream, dict) and upstream else None,
        streamed=None if method is None else method == "SendStreamingMessage",
    )


def _method(body: bytes, path: str) -> str:
    if path.startswith(_REST):
        return path.removeprefix(_REST)
    return str(json.loads(body)["method"])


def _turned_away(act: Act) -> Response | None:
    """What is answered where nothing begins."""
    match act:
        case Limits(retry_after):
            wait = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
            return PlainTextResponse("too many calls", status_code=429, headers=wait)
        case Distrusts():
            return PlainTextResponse("who are you?", status_code=401)
        case Babbles():
            return PlainTextResponse("<html>welcome</html>")
    return None
