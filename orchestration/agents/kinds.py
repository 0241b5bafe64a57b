"""The kinds of agents: which module speaks with them, loaded when first used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from orchestration.agents.connector import Connector
    from orchestration.agents.endpoint import Endpoint


class KindModule(Protocol):
    """What the module of a kind has."""

    def problems(self, endpoint: Endpoint) -> Iterator[str]:
        """What is wrong with an endpoint, in words, without speaking with it.

        Bad addresses, unknown settings, credentials that are missing.
        """
        ...

    def connect(self, endpoint: Endpoint) -> Connector:
        """Make the way to an endpoint; speaks with nobody yet."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of speaking with agents."""

    name: str
    module: str
    summary: str
    passes_key: bool = field(default=True, kw_only=True)
    """Whether the agent is told the idempotency key, so that it can recognise a second call."""


_ALL = (
    Kind("local", "orchestration.agents.local_kind", "a callable in this process"),
    Kind("built-in", "orchestration.agents.local_kind", "an agent of the built-in team"),
    Kind("runnable", "orchestration.agents.local_kind", "a LangChain Runnable or graph"),
    Kind("http", "orchestration.agents.http", "JSON over HTTP"),
    Kind("a2a", "orchestration.agents.a2a", "an agent that speaks A2A 1.0"),
    Kind("langgraph", "orchestration.agents.remote_graph", "a graph on a LangGraph server"),
    Kind(
        "vertex_chat",
        "orchestration.agents.vertex_chat",
        "a tuned Gemini at projects/P/locations/R/endpoints/E",
        passes_key=False,
    ),
    Kind(
        "vertex_predict",
        "orchestration.agents.vertex_predict",
        "a custom model at projects/P/locations/R/endpoints/E",
        passes_key=False,
    ),
    Kind(
        "vertex_agent_engine",
        "orchestration.agents.vertex_agent_engine",
        "an agent at projects/P/locations/R/reasoningEngines/N",
    ),
)
KINDS: Final = MappingProxyType({kind.name: kind for kind in _ALL})


def module_of(kind: str) -> KindModule:
    """Load the module that speaks with a kind of agents; `kind` is one of `KINDS`."""
    return cast("KindModule", import_module(KINDS[kind].module))


def problems_of(endpoint: Endpoint) -> Iterator[str]:
    """Ask an endpoint's kind what is wrong with it, in words."""
    try:
        module = module_of(endpoint.kind)
    except ImportError as error:  # what it needs is not installed
        yield f"agents of kind {endpoint.kind!r} cannot be called here: {error}"
        return
    yield from module.problems(endpoint)
