"""`orchestration threads`: what ran, what waits, and how to go on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli import event_command, signal_command, time_commands, upgrade_commands
from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import (
    AsOption,
    DatabaseOption,
    JsonOption,
    RoleOption,
    ThreadArgument,
    command_line,
    who_decides,
)
from orchestration.cli.progress import waiting
from orchestration.cli.reporting import RunStoppedError, reported
from orchestration.cli.running import draining, exit_with, show_result, used_database, wait_for
from orchestration.cli.terminal import console, print_json, styled
from state.decision import Decider
from state.errors import ThreadBusyError
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkpoints.history import RecordedMessage
    from checkpoints.threads import ThreadRecord
    from state.jsonvalue import JsonObject

STATUSES = ("running", *map(str, WorkflowStatus))
LONGEST_PAUSE_SECONDS = 1.0
"""Between looks at a thread that somebody else runs; it may end before its lease does."""

app = typer.Typer(no_args_is_help=True)
time_commands.register(app)
signal_command.register(app)
upgrade_commands.register(app)
event_command.register(app)


@app.callback()
def threads() -> None:
    """See what ran and what waits, and resume it."""


def _known_status(value: str | None) -> str | None:
    if value is not None and value not in STATUSES:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(STATUSES)}")
    return value


@app.command("list")
def list_threads(
    *,
    status: Annotated[
        str | None,
        typer.Option(
            callback=_known_status,
            metavar="STATUS",
            help=f"Only these: {', '.join(STATUSES)}.",
            show_default=False,
        ),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those of this workflow.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """List threads, the last changed first."""
    with reported(json_output=json_output):
        from orchestration.cli import tables  # noqa: PLC0415

        records = wait_for(_list(database, limit=limit, status=status, workflow=workflow))
        if json_output:
            print_json([thread_json(record) for record in records])
        elif records:
            console().print(tables.threads(records))
        else:
            console().print(styled(f"No threads in {used_database(database)}."), soft_wrap=True)


@app.command("show")
def show_thread(
    thread_id: ThreadArgument, *, json_output: JsonOption = False, database: DatabaseOption = None
) -> None:
    """Show a thread's plan, what became of each task, and what it waits for."""
    with reported(json_output=json_output):
        from orchestration.cli import tables  # noqa: PLC0415
        from orchestration.cli.words import standing  # noqa: PLC0415

        record, result, signals, upgrades = wait_for(_inspect(thread_id, database))
        if json_output:
            shown = {"plan": record.plan.document, "result": result, "signals": signals}
            shown["upgrades"] = upgrades
            print_json({**thread_json(record), **shown})
            return
        out = console()
        out.print(tables.thread_facts(record, database=used_database(database)))
        out.print()
        out.print(tables.plan(record, result))
        tables.answer(out, result)
        if upgrades:
            out.print(tables.upgrades(upgrades))
        if signals:
            out.print(tables.signals(signals))
        tables.ask(out, result, database=database)
        if standing(record, now=time.time()) == "unfinished":
            out.print("Nobody is running it.")
            again = command_line("threads", "resume", thread_id, database=database)
            tables.suggest(out, [(again, "go on where it stopped")])


@app.command("messages")
def show_messages(
    thread_id: ThreadArgument,
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
    before: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Only those before this one.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Show what was said on a thread, over all its runs, the newest last."""
    with reported(json_output=json_output):
        from orchestration.cli import tables  # noqa: PLC0415

        found = wait_for(_messages(thread_id, database, limit=limit, before=before))
        if json_output:
            print_json([message_json(each) for each in found])
        elif found:
            console().print(tables.messages(found))
        else:
            console().print(styled(f"No such messages on {thread_id}."), soft_wrap=True)


@app.command("resume", epilog=EPILOG)
def resume_thread(  # noqa: PLR0913  one for each option
    thread_id: ThreadArgument,
    *,
    approve: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="Approve it.", show_default=False)
    ] = None,
    reject: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="Reject it.", show_default=False)
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why it is rejected.", show_default=False)
    ] = None,
    by: AsOption = None,
    roles: RoleOption = None,
    as_begun: Annotated[
        bool,
        typer.Option(
            "--as-begun", help="Go on under the version of the workflow that it began with."
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="If somebody else runs the thread, wait for them.")
    ] = False,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Run a thread on from where it stands: after a crash, or with a person's decision.

    A thread of a named workflow goes on under its latest version, if it can; else it is
    refused, with what differs. Exits like `run`. On a finished thread it prints the result again.
    """
    answers = _decisions(approve or [], reject or [], message)
    who = Decider(who_decides(by) if answers else by, roles or ())
    with reported(json_output=json_output):
        try:
            with waiting(console(stderr=json_output), f"resuming {thread_id}"):
                answered = (answers, who)
                result = wait_for(
                    _resume(thread_id, database, answered, wait=wait, as_begun=as_begun)
                )
        except KeyboardInterrupt:
            again = command_line("threads", "resume", thread_id, database=database)
            message = f"Stopped. What finished is kept; go on with: {again}"
            raise RunStoppedError(thread_id, message) from None
        show_result(result, database=database, json_output=json_output)
        exit_with(result)


def thread_json(record: ThreadRecord) -> JsonObject:
    """A thread's record as a JSON object."""
    from orchestration.cli.words import is_held, utc  # noqa: PLC0415

    lease = record.lease
    return {
        "thread_id": record.thread_id,
        "status": record.status,
        "workflow": upgrade_commands.workflow_json(record),
        "strategy": str(record.plan.strategy),
        "tasks": [*record.plan.document["order"]],
        "created_at": utc(record.created_at),
        "updated_at": utc(record.updated_at),
        "lease": None
        if lease is None
        else {
            "holder": lease.holder,
            "expires_at": utc(lease.expires_at),
            "held": is_held(record, now=time.time()),
        },
    }


def message_json(recorded: RecordedMessage) -> JsonObject:
    """A recorded message as a JSON object."""
    from orchestration.cli.words import utc  # noqa: PLC0415

    return {
        "sequence": recorded.sequence,
        "run_id": recorded.run_id,
        "created_at": utc(recorded.created_at),
        "message": recorded.message,
    }


def _decisions(approve: list[str], reject: list[str], message: str | None) -> dict[str, JsonObject]:
    if both := sorted({*approve} & {*reject}):
        raise typer.BadParameter(f"{both} cannot be approved and rejected at once")
    if message is not None and not reject:
        raise typer.BadParameter("--message says why something is rejected; give --reject TASK")
    no: JsonObject = (
        {"type": "reject"} if message is None else {"type": "reject", "message": message}
    )
    yes: JsonObject = {"type": "approve"}
    answers = [*((task, yes) for task in approve), *((task, no) for task in reject)]
    return {task: {"decisions": [answer]} for task, answer in answers}


async def _list(
    database: str | None, *, limit: int, status: str | None, workflow: str | None
) -> list[ThreadRecord]:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        return await coordinator.threads(limit=limit, status=status, workflow=workflow)


async def _messages(
    thread_id: str, database: str | None, *, limit: int, before: int | None
) -> list[RecordedMessage]:
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        return await coordinator.history(thread_id, limit=limit, before=before)


async def _inspect(
    thread_id: str, database: str | None
) -> tuple[ThreadRecord, JsonObject, list[JsonObject], list[JsonObject]]:
    from checkpoints.threads import UNFINISHED  # noqa: PLC0415
    from orchestration.cli.questions import with_requests  # noqa: PLC0415
    from orchestration.cli.wait_words import signal_documents  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    async with SimpleCoordinator(database_url=database) as coordinator:
        record, found = await coordinator.inspect(thread_id)
        shown = await with_requests(coordinator, found.as_json())
        sent = await coordinator.approvals.signals(thread_id)
        over = record.status not in UNFINISHED
        signals = signal_documents(sent, run_id=record.plan.run_id, over=over)
        changes = await coordinator.upgrades(thread_id)
        return record, shown, signals, [*map(upgrade_commands.upgrade_json, changes)]


async def _resume(
    thread_id: str,
    database: str | None,
    answered: tuple[Mapping[str, object], Decider],
    *,
    wait: bool,
    as_begun: bool,
) -> JsonObject:
    import asyncio  # noqa: PLC0415  `--help` needs none

    from orchestration.cli.questions import with_requests  # noqa: PLC0415
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    answers, who = answered
    async with SimpleCoordinator(database_url=database) as coordinator, draining(coordinator):
        while True:
            try:
                result = await coordinator.resume(
                    thread_id, answers, by=who.by, roles=who.roles, as_begun=as_begun
                )
                return await with_requests(coordinator, result.as_json())
            except ThreadBusyError as busy:
                if not wait:
                    raise
                answers = {}  # they are recorded before anybody finds out that it is busy
                pause = min(max(busy.expires_at - time.time(), 0.02), LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
