"""An agent on Vertex AI Agent Engine: the kind `vertex_agent_engine`.

Its address is `projects/P/locations/R/reasoningEngines/N`, alone or at the end of a URL. Which
methods its agent has, and what they take, is asked once. What they are sent is in
`orchestration.agents.vertex_engine_input`. Its settings, beside those of all of Vertex AI
(`transport`, `api_endpoint`, `credentials_file`, `timeout_seconds`, `model`):

- `method`: the method to call where nobody wants pieces; by default `query` or what is like it;
- `stream_method`: the one where somebody does; by default `stream_query` or what is like it;
- `send_history`: whether `messages` begins with the last ones of the thread's earlier runs; by
  default it does. An agent that keeps them itself, by the thread's id, needs no copy.

Output that is an object becomes the reply, with its text as `content`; text is the `content`. Of
what comes in pieces the text is put together, and the last object gives the other fields.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestration.agents.google_address import ENGINES, GRPC
from orchestration.agents.vertex_connector import VertexConnector, is_text, vertex_problems
from orchestration.agents.vertex_engine_input import input_for
from orchestration.agents.vertex_reply import text_in, usage_in
from state.errors import AgentError, AgentRefusedError, UnknownReplyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.vertex_connector import Check, Left
    from orchestration.agents.vertex_engine_clients import EngineClient
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_OWN: Final[Mapping[str, tuple[Check, str]]] = {
    "method": (is_text, "the name of a method"),
    "stream_method": (is_text, "the name of a method"),
    "send_history": (lambda value: isinstance(value, bool), "true or false"),
}
_WHOLE: Final = ("async", "")
_PIECES: Final = ("async_stream", "stream")
"""Google's names for how a method answers; the first is tried first."""


class Method(NamedTuple):
    """A method of an agent."""

    name: str
    in_pieces: bool
    parameters: frozenset[str]
    """What it takes; empty if it does not say."""


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    yield from vertex_problems(endpoint, collections=(ENGINES,), own=_OWN)


def connect(endpoint: Endpoint) -> VertexAgentEngine:
    """Make the way to an agent."""
    return VertexAgentEngine(endpoint)


class VertexAgentEngine(VertexConnector["EngineClient"]):
    """Calls methods of an agent, over REST or gRPC."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._methods: list[Method] | None = None

    def prepare(self) -> None:
        """Import Google's clients, and read the certificates."""
        import orchestration.agents.vertex_engine_clients  # noqa: F401, PLC0415  heavy
        from orchestration.agents.google_transport import tls_context  # noqa: PLC0415  heavy

        tls_context()

    def make_client(self) -> EngineClient:
        """Make a client for the running loop."""
        from orchestration.agents import vertex_engine_clients as clients  # noqa: PLC0415  heavy

        make = clients.GrpcEngine if self.place.transport == GRPC else clients.RestEngine
        return make(self.place, self.tokens)

    async def close_client(self, client: EngineClient) -> None:
        """Close a client's connections."""
        await client.close()

    async def ask(
        self, client: EngineClient, input_data: JsonObject, context: AgentContext, left: Left
    ) -> JsonObject:
        """Call the method that fits."""
        if self._methods is None:
            self._methods = _methods_in(await client.methods(left.seconds))
        method = self._method(self._methods, in_pieces=context.streams)
        given = input_for(
            input_data,
            context,
            parameters=method.parameters,
            with_history=self.settings.get("send_history", True),
        )
        if not method.in_pieces:
            output = await client.query(method.name, given, seconds=left.seconds)
            return self._reply(output)
        async with aclosing(client.stream(method.name, given, seconds=left.seconds)) as pieces:
            return await self._joined(pieces, context)

    async def ask_state(self, client: EngineClient, left: Left) -> None:
        """Have the resource described."""
        self._methods = _methods_in(await client.methods(left.seconds))

    def _method(self, methods: Sequence[Method], *, in_pieces: bool) -> Method:
        """Choose a method: the one of the settings, else the first that answers as wanted."""
        named = self.settings.get("stream_method" if in_pieces else "method")
        fitting = [each for each in methods if named in {None, each.name}]
        if named is None and len(fitting) > 1:
            # beside `query` there may be e.g. `delete_session`, which does not ask for anything
            fitting = [each for each in fitting if each.name.endswith("query")]
        if not fitting:
            names = [each.name for each in methods]
            raise AgentRefusedError(
                f"{self.place.resource} has no method {named or 'query'!r}; it has {names!r}. Give "
                f"one of them as {'stream_method' if in_pieces else 'method'!r}"
            )
        return min(fitting, key=lambda each: each.in_pieces is not in_pieces)

    async def _joined(self, pieces: AsyncIterator[Any], context: AgentContext) -> JsonObject:
        """Pass the text on as it comes, and put a reply together."""
        said: list[str] = []
        last: JsonObject = {}
        async for piece in pieces:
            self._refuse_errors(piece)
            text = text_in(piece)
            if text and not _repeats(piece, text, said):
                said.append(text)
                context.emit(text)
            if isinstance(piece, dict):
                last = {**last, **piece}
        if not said and not last:
            raise UnknownReplyError(f"{self.place.resource} answered with nothing")
        return {**last, "content": "".join(said), **usage_in(last)}

    def _reply(self, output: Any) -> JsonObject:  # noqa: ANN401  any JSON
        """An output as a reply."""
        if isinstance(output, dict):
            text = text_in(output)
            return {**output, **({"content": text} if text else {}), **usage_in(output)}
        if isinstance(output, str):
            return {"content": output}
        if isinstance(output, list) and (text := text_in(output)):
            return {"content": text, "outputs": output}
        raise UnknownReplyError(
            f"{self.place.resource} answered with a {type(output).__name__}; an agent's output is "
            "an object or text"
        )

    def _refuse_errors(self, piece: object) -> None:
        """Raise for an error that comes as a piece, as Agent Engine sends what its agent raised."""
        code = piece.get("code") if isinstance(piece, dict) and "message" in piece else None
        if isinstance(piece, dict) and isinstance(code, int) and code >= 400:  # noqa: PLR2004
            said = str(piece["message"])[:1000]
            raise AgentError(f"{self.place.resource} failed with {code}: {said}")


def _repeats(piece: object, text: str, said: Sequence[str]) -> bool:
    """Whether a piece is the whole state of a graph in which nothing was said since the last."""
    return isinstance(piece, dict) and "messages" in piece and said[-1:] == [text]


def _methods_in(found: Sequence[Any]) -> list[Method]:
    """Read what an engine says of its methods; the asynchronous ones come first."""
    read: list[tuple[str, Method]] = []
    for each in found:
        mode = each.get("api_mode", "") if isinstance(each, dict) else None
        name = each.get("name") if isinstance(each, dict) else None
        if mode not in {*_WHOLE, *_PIECES} or not isinstance(name, str):
            continue
        parameters = each.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, dict) else None
        method = Method(
            name=name,
            in_pieces=mode in _PIECES,
            parameters=frozenset(properties if isinstance(properties, dict) else ()),
        )
        read.append((mode, method))
    return [method for _, method in sorted(read, key=lambda each: not each[0].startswith("async"))]
