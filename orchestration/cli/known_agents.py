"""What the `agents` commands share: the agents as a running process knows them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from orchestration.cli.running import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from checkpoints.database import Database
    from checkpoints.traffic import Place
    from orchestration.agent_registry import AgentRegistry

T = TypeVar("T")

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="An agent's id.", show_default=False)
]
PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="AGENT[@VERSION[/ENDPOINT]]",
        help="An agent, a version of it, or an endpoint: ticketing, ticketing@2, ticketing@2/eu.",
        show_default=False,
    ),
]


def with_agents(
    work: Callable[[AgentRegistry], Awaitable[T]],
    *,
    database: str | None,
    create: bool = False,
    complains: bool = False,
) -> T:
    """Do something with the agents, as sources and database say that they are now.

    Args:
        work: Gets the registry.
        database: The URL that was given.
        create: Whether to make the database if there is none; else nothing is known from it.
        complains: Whether the command itself says what is wrong with the sources; else the log
            does.
    """
    log = logging.getLogger("orchestration.routing.discovery")
    before = log.level
    if complains:
        log.setLevel(logging.ERROR)
    try:
        return wait_for(_with_agents(work, database, create=create))
    finally:
        log.setLevel(before)


async def _with_agents(
    work: Callable[[AgentRegistry], Awaitable[T]], database: str | None, *, create: bool
) -> T:
    import asyncio  # noqa: PLC0415  `--help` needs none

    from orchestration.agent_registry import get_registry  # noqa: PLC0415  heavy

    registry = get_registry()
    opened = await asyncio.to_thread(_open, database, create=create)
    try:
        if opened is not None:
            registry.share(opened.traffic)
        await registry.sync()
        done = await work(registry)
        await registry.settle()
        return done
    finally:
        if opened is not None:
            registry.unshare(opened.traffic)
            await asyncio.to_thread(opened.close)


def _open(url: str | None, *, create: bool) -> Database | None:
    """Open a database, if there is one or it is to be made."""
    from checkpoints.database import database_url, exists, open_database  # noqa: PLC0415  heavy

    if not create and not exists(database_url(url)):
        return None
    return open_database(url)


def place_of(text: str) -> Place:
    """Read `AGENT[@VERSION[/ENDPOINT]]`."""
    from checkpoints.traffic import Place  # noqa: PLC0415  `--help` needs none

    named, _, endpoint = text.partition("/")
    agent_id, _, version = named.partition("@")
    if not agent_id or (endpoint and not version):
        raise typer.BadParameter(
            f"{text!r} is no place; write AGENT, AGENT@VERSION or AGENT@VERSION/ENDPOINT"
        )
    return Place(agent_id, version, endpoint)
