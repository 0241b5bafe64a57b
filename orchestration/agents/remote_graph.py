"""Graphs on a LangGraph server.

A task has a thread there, named after its idempotency key. So a second call with the key
finds what the first one did: the reply, a run under way, or a question. A question of
the graph (`interrupt`) pauses the workflow here, and the answer goes to that thread.

The graph gets the task's input as its own, and in `config["configurable"]`
`orchestration_task_id`, `orchestration_run_id`, `orchestration_attempt`,
`orchestration_deadline` (seconds since the epoch, or absent), `tenant`, `user`; in
`config["metadata"]`, and so in all models it calls, `idempotency_key`, `task_id`, `attempt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.agents.headers import (
    OF_HTTP,
    clear_text_problems,
    header_problems,
    reference_problems,
)
from orchestration.agents.http import (
    address_problems,
    timeout_problems,
    unknown_problems,
    verify_problems,
)
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.remote_graph_connector import RemoteGraphConnector


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteGraphSettings:
    """What may stand in the `settings` of an endpoint that is a graph on a server."""

    graph: str
    """Name of the graph, or id of an assistant."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request; `${NAME}` in a value stands for a variable of the environment."""
    api_key: str | None = None
    """Sent as `x-api-key`; give it as `${NAME}`. Unlike LangGraph's own client, this one takes
    no key from the environment that it is not told to take."""
    timeout_seconds: float = 300.0
    """The longest that a call may take, also where the task has no deadline."""
    verify: bool | str = True
    """Whether the server's certificate is checked; or a file of authorities to check it with."""
    allow_clear_text: bool = False
    """Whether credentials may go to an address that begins with `http://` and is not loopback."""


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    yield from address_problems(endpoint.address)
    settings = endpoint.settings
    yield from unknown_problems(settings, RemoteGraphSettings)
    graph = settings.get("graph")
    if not isinstance(graph, str) or not graph:
        yield f"graph is {described(graph)}; give the name of a graph, or an assistant's id"
    headers, key = settings.get("headers", {}), settings.get("api_key")
    yield from header_problems(headers, taken=OF_HTTP)
    if isinstance(headers, Mapping):
        sent = {**headers, **({"x-api-key": key} if isinstance(key, str) else {})}
        allowed = settings.get("allow_clear_text", False)
        yield from clear_text_problems([endpoint.address or ""], sent, allowed=allowed)
    if isinstance(key, str):
        yield from reference_problems("api_key", key)
    elif key is not None:
        yield f"api_key is a {type(key).__name__}; give text like ${{LANGGRAPH_API_KEY}}"
    yield from timeout_problems(settings.get("timeout_seconds", 1.0))
    yield from verify_problems(settings.get("verify", True))


def connect(endpoint: Endpoint) -> RemoteGraphConnector:
    """Make the way to an endpoint."""
    from orchestration.agents.remote_graph_connector import (  # noqa: PLC0415  heavy
        RemoteGraphConnector,
    )

    return RemoteGraphConnector(endpoint.address or "", RemoteGraphSettings(**endpoint.settings))
