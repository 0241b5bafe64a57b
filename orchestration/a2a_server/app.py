"""The web application that serves agents and workflows over A2A 1.0."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount

from orchestration.a2a.guarded_http import origin_of
from orchestration.a2a_server.card import REST_PREFIX, card_of
from orchestration.a2a_server.desk import CALLER, MOST_RUNS, Desk
from orchestration.a2a_server.guard import Guard
from orchestration.a2a_server.handler import DeskHandler
from orchestration.a2a_server.served import ServedAgent, ServedWorkflow
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.routing import BaseRoute

    from orchestration.a2a_server.served import Served
    from orchestration.simple_coordinator import SimpleCoordinator

LONGEST_REQUEST: Final = 10 * 1024 * 1024
"""Bytes."""


def a2a_app(  # noqa: PLR0913  one for each setting
    coordinator: SimpleCoordinator,
    *,
    agents: Sequence[str] | None = None,
    workflows: Sequence[str] | None = None,
    url: str = "http://127.0.0.1:8000",
    token: str | None = None,
    approvals_by: str | None = None,
    most_runs: int = MOST_RUNS,
) -> Starlette:
    """Return an ASGI application that serves agents and workflows.

    One thing alone is served at `/`; several are at `/agents/ID` and `/workflows/NAME`. Each
    has its card at `.well-known/agent-card.json` below that.

    Args:
        coordinator: Who runs them; its database keeps the tasks.
        agents: Ids of agents; if neither these nor workflows are given, all there are.
        workflows: Names of workflows.
        url: Where callers reach the server, for the cards.
        token: Bearer token that callers need. Without one, anybody who reaches the port may
            use whatever is served.
        approvals_by: Under which name callers may answer approvals; by default they may not,
            as whoever asks for something should not approve it.
        most_runs: Tasks of one agent or workflow that are under way at the same time.

    Raises:
        AgentNotFoundError, WorkflowNotFoundError: There is no such agent or workflow.
        ConfigurationError: There is nothing to serve, or the token is empty.
    """
    if token is not None and not token.strip():
        raise ConfigurationError("the bearer token is empty; give one, or None for no token")
    if approvals_by is not None and approvals_by.strip() in {"", CALLER}:
        raise ConfigurationError(
            f"approvals_by is {approvals_by!r}, under which name callers ask; give another one"
        )
    found = _chosen(coordinator, agents, workflows)
    if not found:
        raise ConfigurationError("there is no agent and no workflow to serve; register one")
    routes: list[BaseRoute] = []
    desks = []
    for served in found:
        desk = Desk(coordinator, served, approvals_by=approvals_by, most_runs=most_runs)
        desks.append(desk)
        path = "" if len(found) == 1 else f"/{served.kind}/{served.name}"
        own = _routes(desk, served, url=url.rstrip("/") + path, needs_token=token is not None)
        routes += own if not path else [Mount(path, routes=own)]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        for desk in desks:
            await desk.resume_all()
        try:
            yield
        finally:
            for desk in desks:
                await desk.close()

    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[*_own_hosts(url, token), Middleware(Guard, token=token)],
        max_body_size=LONGEST_REQUEST,
    )


def _own_hosts(url: str, token: str | None) -> list[Middleware]:
    """Without a token, keep out pages whose host name was made to point to this machine."""
    if token is not None:
        return []
    hosts = {origin_of(url).host, "127.0.0.1", "localhost"}
    return [Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts), www_redirect=False)]


def _chosen(
    coordinator: SimpleCoordinator,
    agents: Sequence[str] | None,
    workflows: Sequence[str] | None,
) -> list[Served]:
    if agents is None and workflows is None:
        agents = list(
            dict.fromkeys(e.agent_id for e in coordinator.registry.list_agents() if e.enabled)
        )
        workflows = coordinator.workflows.names()
    served: list[Served] = [ServedAgent(coordinator, each) for each in agents or ()]
    served += [ServedWorkflow(coordinator, each) for each in workflows or ()]
    return served


def _routes(desk: Desk, served: Served, *, url: str, needs_token: bool) -> list[BaseRoute]:
    handler = DeskHandler(desk)
    card = card_of(served, url=url, needs_token=needs_token)
    return [
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, rpc_url="/"),
        *create_rest_routes(handler, path_prefix=REST_PREFIX),
    ]
