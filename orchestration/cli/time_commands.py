"""`orchestration threads history | fork | replay | cancel`: going back, and calling off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import (
    DatabaseOption,
    JsonOption,
    ThreadArgument,
    command_line,
)
from orchestration.cli.progress import waiting
from orchestration.cli.reporting import reported
from orchestration.cli.running import draining, exit_with, show_result, wait_for
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.engines.time_travel import Moment
    from state.result import WorkflowResult

AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="CHECKPOINT",
        help="Where to begin; see `threads history`. Default: the latest.",
        show_default=False,
    ),
]
NewIdOption = Annotated[
    str | None,
    typer.Option("--as", metavar="ID", help="The new thread's id.", show_default=False),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="TASK=JSON",
        help="New input data for a task that is done anew.",
        show_default=False,
    ),
]


def history(
    thread_id: ThreadArgument,
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """List the checkpoints of a thread's present run, the latest first."""
    with reported(json_output=json_output):
        from orchestration.cli import tables  # noqa: PLC0415

        moments = wait_for(_timeline(thread_id, database, limit=limit))
        if json_output:
            print_json([each._asdict() for each in moments])
            return
        rows = [_row(each) for each in moments]
        columns = ("Checkpoint", "Step", "At", "Done", "Next")
        console().print(tables.table(*columns, rows=rows, grows="Done"))
        if moments:
            fork = command_line("threads", "fork", thread_id, "--at", moments[0].checkpoint_id)
            tables.suggest(console(), [(fork, "a new run that begins there")])


def fork(  # noqa: PLR0913  one for each option
    thread_id: ThreadArgument,
    *,
    at: AtOption = None,
    new_id: NewIdOption = None,
    inputs: InputOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Make a new thread that begins at a checkpoint of this one, and do not run it yet.

    What had succeeded by then stands; the rest is done and asked anew, as a run of its own.
    """
    with reported(json_output=json_output):
        from orchestration.cli import tables  # noqa: PLC0415

        made = wait_for(_fork(thread_id, database, at=at, new_id=new_id, inputs=_inputs(inputs)))
        if json_output:
            print_json({"thread_id": made, "forked_from": thread_id})
            return
        console().print(styled(f"Made thread {made}. Nothing of it has run."))
        again = command_line("threads", "resume", made, database=database)
        tables.suggest(console(), [(again, "run it")])


def replay(  # noqa: PLR0913  one for each option
    thread_id: ThreadArgument,
    *,
    at: AtOption = None,
    new_id: NewIdOption = None,
    inputs: InputOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Fork a thread at a checkpoint and run the fork; its effects are real, and new.

    Exits like `run`.
    """
    with reported(json_output=json_output):
        with waiting(console(stderr=json_output), f"replaying {thread_id}"):
            result = wait_for(
                _replay(thread_id, database, at=at, new_id=new_id, inputs=_inputs(inputs))
            ).as_json()
        show_result(result, database=database, json_output=json_output)
        exit_with(result)


def cancel(
    thread_id: ThreadArgument,
    *,
    by: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Who cancels.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.", show_default=False)] = "",
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Call a run off: nothing more begins, questions lapse, what can be is compensated."""
    with reported(json_output=json_output):
        ended = wait_for(_cancel(thread_id, database, by=by, reason=reason))
        if ended is not None:
            show_result(ended.as_json(), database=database, json_output=json_output)
        elif json_output:
            print_json({"thread_id": thread_id, "cancelled": True, "running_elsewhere": True})
        else:
            console().print(styled("Another process runs it, and ends it at its next heartbeat."))


def register(app: typer.Typer) -> None:
    """Add the commands to `orchestration threads`."""
    app.command("history")(history)
    app.command("fork")(fork)
    app.command("replay", epilog=EPILOG)(replay)
    app.command("cancel")(cancel)


def _row(moment: Moment) -> Sequence[Any]:
    done = ", ".join(f"{task_id} {status}" for task_id, status in moment.outcomes.items())
    asks = f"asks about {', '.join(moment.asks)}" if moment.asks else ", ".join(moment.next)
    return (
        styled(moment.checkpoint_id, "bold"),
        styled(str(moment.step)),
        styled(moment.at[:19].replace("T", " ")),
        styled(done),
        styled(asks or "the end"),
    )


def _inputs(given: list[str] | None) -> dict[str, Mapping[str, Any]]:
    inputs: dict[str, Mapping[str, Any]] = {}
    for each in given or []:
        task_id, _, text = each.partition("=")
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise typer.BadParameter(f"{each!r}: give TASK=JSON, e.g. buy='{{\"count\": 2}}'")
        inputs[task_id] = value
    return inputs


async def _timeline(thread_id: str, database: str | None, *, limit: int) -> list[Moment]:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        return await coordinator.timeline(thread_id, limit=limit)


def _user(inputs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Who asks for a fork: whoever calls, where it is for something new."""
    import getpass  # noqa: PLC0415  `--help` needs none

    return getpass.getuser() if inputs else None


async def _fork(
    thread_id: str,
    database: str | None,
    *,
    at: str | None,
    new_id: str | None,
    inputs: Mapping[str, Mapping[str, Any]],
) -> str:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        return await coordinator.fork(
            thread_id,
            checkpoint_id=at,
            new_thread_id=new_id,
            inputs=inputs,
            user=_user(inputs),
        )


async def _replay(
    thread_id: str,
    database: str | None,
    *,
    at: str | None,
    new_id: str | None,
    inputs: Mapping[str, Mapping[str, Any]],
) -> WorkflowResult:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator, draining(coordinator):
        made = await coordinator.fork(
            thread_id,
            checkpoint_id=at,
            new_thread_id=new_id,
            inputs=inputs,
            user=_user(inputs),
        )
        return await coordinator.resume(made)


async def _cancel(
    thread_id: str, database: str | None, *, by: str | None, reason: str
) -> WorkflowResult | None:
    import getpass  # noqa: PLC0415  `--help` needs none

    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        return await coordinator.cancel(thread_id, by=by or getpass.getuser(), reason=reason)
