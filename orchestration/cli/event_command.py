"""`orchestration threads events`: what happened in a run, and what happens now."""

from __future__ import annotations

import json
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import DatabaseOption, JsonOption, ThreadArgument
from orchestration.cli.reporting import reported
from orchestration.cli.running import wait_for
from orchestration.cli.terminal import compact, console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.workflow_events import WorkflowEvent


def events(
    thread_id: ThreadArgument,
    *,
    after: Annotated[int, typer.Option(metavar="NUMBER", help="Only those after this one.")] = 0,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Go on until the run is over, pauses, or nobody runs it."),
    ] = False,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Show what happened in a thread's last run, as far as it was streamed: tokens and all.

    With --follow, --json prints one document a line.
    """
    with reported(json_output=json_output):
        if follow:
            show = _print_line if json_output else _print_words
            wait_for(_each(thread_id, database, after=after, follow=True, take=show))
            return
        found: list[WorkflowEvent] = []
        wait_for(_each(thread_id, database, after=after, follow=False, take=found.append))
        if json_output:
            print_json([event.as_json() for event in found])
            return
        for event in found:
            _print_words(event)
        if not found:
            console().print(styled(f"No such events on {thread_id}."), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `orchestration threads`."""
    app.command("events")(events)


def _print_line(event: WorkflowEvent) -> None:
    sys.stdout.write(json.dumps(event.as_json()) + "\n")
    sys.stdout.flush()


def _print_words(event: WorkflowEvent) -> None:
    from orchestration.cli.words import event_line  # noqa: PLC0415  it is heavy

    words, style = event_line(event) or (_plain_words(event), "dim")
    console().print(styled(f"{event.sequence:>5}  {words}", style), soft_wrap=True)


def _plain_words(event: WorkflowEvent) -> str:
    """Say an event that has no sentence of its own."""
    match event.kind:
        case "token":
            what = compact(event.data["text"])
        case "verdict":
            why = f" ({event.data['why']})" if event.data.get("why") else ""
            what = f"{event.data['middleware']}: {event.data.get('verdict', '')}{why}"
        case "run_finished":
            what = str(event.data["status"])
        case _:
            what = ""
    return " ".join(filter(None, (event.kind, event.task_id, what)))


async def _each(
    thread_id: str,
    database: str | None,
    *,
    after: int,
    follow: bool,
    take: Callable[[WorkflowEvent], object],
) -> None:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        watching = coordinator.watch(thread_id, after=after, follow=follow)
        async with aclosing(watching):
            async for event in watching:
                take(event)
