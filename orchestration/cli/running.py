"""Runs a workflow for a command: progress while they run, then what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from orchestration.cli.drawing import DrawingStyle, draw, drawable, save
from orchestration.cli.exit_codes import code_of_status
from orchestration.cli.options import command_line
from orchestration.cli.progress import Progress
from orchestration.cli.reporting import RunStoppedError
from orchestration.cli.terminal import console, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from orchestration.agent_registry import AgentRegistry
    from orchestration.cli.words import Json
    from orchestration.simple_coordinator import SimpleCoordinator
    from state.jsonvalue import JsonObject
    from state.workflow import Workflow


T = TypeVar("T")
IN_MEMORY: Final = "memory://"
"""The database that ends with the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a command is to run, and how to show it."""

    workflow: Workflow
    parameters: JsonObject | None = None
    thread_id: str
    database: str | None
    """As the user gave it."""
    json_output: bool
    graph: bool = False
    """Whether to draw the graph first."""
    png: Path | None = None
    """Where to save a picture of the graph."""
    registry: AgentRegistry | None = None
    user: str | None = None
    """For whom it runs."""
    tenant: str | None = None
    retry_budget: int | None = None
    """How often agents may be called again; None is no limit."""
    ask: bool = True
    """Whether to print how to answer what it waits for."""
    then: Callable[[SimpleCoordinator, JsonObject], Coroutine[None, None, JsonObject]] | None = None
    """What is done with the result before it is shown, while the database is open."""


def run_and_show(run: Run) -> JsonObject:
    """Run a workflow and print all of it; return the result.

    Raises:
        RunStoppedError: Ctrl-C; the thread can be resumed.
    """
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    coordinator = SimpleCoordinator(database_url=run.database, registry=run.registry)
    progress = Progress(console(stderr=run.json_output))
    _draw(run, coordinator)
    try:
        result = wait_for(_follow(run, coordinator, progress))
    except KeyboardInterrupt:
        if not progress.begun:
            raise
        raise RunStoppedError(run.thread_id, _how_to_go_on(run)) from None
    show_result(result, database=run.database, json_output=run.json_output, ask=run.ask)
    return result


def wait_for(work: Coroutine[None, None, T]) -> T:
    """Run a coroutine to its end; Ctrl-C cancels it and raises `KeyboardInterrupt`."""
    import asyncio  # noqa: PLC0415  `--help` needs none

    return asyncio.run(work)


def show_result(
    result: JsonObject, *, database: str | None, json_output: bool, ask: bool = True
) -> None:
    """Print a result: as JSON, or as a table with the questions that wait for an answer."""
    if json_output:
        print_json(result)
        return
    from orchestration.cli import tables  # noqa: PLC0415

    out = console()
    out.print()
    out.print(tables.results(result))
    out.print(tables.verdict(result))
    tables.answer(out, result)
    if used_database(database) != IN_MEMORY:
        if ask:
            tables.ask(out, result, database=database)
    elif result["interrupts"]:
        out.print("Nobody can answer: it was kept in memory only. Use another --database.")


def exit_with(result: Json) -> None:
    """End the command with the code for a workflow's status.

    Raises:
        typer.Exit: Always.
    """
    raise typer.Exit(code_of_status(result["status"]))


def used_database(database: str | None) -> str:
    """Return the URL of the database that a command uses."""
    from checkpoints.database import database_url  # noqa: PLC0415

    return database_url(database)


@asynccontextmanager
async def draining(coordinator: SimpleCoordinator) -> AsyncIterator[None]:
    """Let SIGTERM stop the coordinator's runs at their next superstep while the body runs."""
    import asyncio  # noqa: PLC0415  `--help` needs none
    import signal  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, coordinator.drain)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _follow(run: Run, coordinator: SimpleCoordinator, progress: Progress) -> JsonObject:
    from orchestration.cli.questions import with_requests  # noqa: PLC0415

    async with coordinator, draining(coordinator):
        events = coordinator.stream(
            run.workflow,
            parameters=run.parameters,
            thread_id=run.thread_id,
            user=run.user,
            tenant=run.tenant,
            retry_budget=run.retry_budget,
        )
        result = await with_requests(coordinator, await progress.follow(events))
        return result if run.then is None else await run.then(coordinator, result)


def _draw(run: Run, coordinator: SimpleCoordinator) -> None:
    if not run.graph and run.png is None:
        return
    graph = drawable(coordinator, run.workflow)
    if run.png is not None:
        save(graph, run.png, DrawingStyle.PNG)
    if run.graph:
        out = console(stderr=run.json_output)
        out.print(draw(graph, DrawingStyle.ASCII).decode(), soft_wrap=True)


def _how_to_go_on(run: Run) -> str:
    if used_database(run.database) == IN_MEMORY:
        return "Stopped. The run was kept in memory only, so it is gone."
    again = command_line("threads", "resume", run.thread_id, database=run.database)
    return f"Stopped. What finished is kept; go on with: {again}"
