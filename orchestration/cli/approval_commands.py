"""`orchestration approvals`: what waits for a person, and answering it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.approval_answers import edit, edited
from orchestration.cli.approval_deciding import Deciding, decide_and_exit
from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import (
    AsOption,
    DatabaseOption,
    JsonOption,
    RoleOption,
    command_line,
)
from orchestration.cli.reporting import reported
from orchestration.cli.running import used_database, wait_for
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest, AuditEntry
    from state.decision import Decision

app = typer.Typer(no_args_is_help=True)

RequestArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="A request's id, or its beginning.", show_default=False),
]
CommentOption = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="Why; for the audit trail.")
]


@app.callback()
def approvals() -> None:
    """See what waits for a person over all threads, and answer it."""


@app.command("list")
def list_requests(  # noqa: PLR0913  one for each option
    *,
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this thread's.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this tenant's.", show_default=False)
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="Only what this role may decide.", show_default=False),
    ] = None,
    waits: Annotated[
        bool, typer.Option("--waits", help="Also what waits for a time or a signal.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Go on behind this request.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """List what waits for a person, the oldest first."""
    with reported(json_output=json_output):
        from orchestration.approvals import open_inbox  # noqa: PLC0415  heavy

        async def find() -> list[ApprovalRequest]:
            async with open_inbox(database) as inbox:
                last = None if after is None else (await inbox.find(after)).request_id
                return await inbox.list_pending(
                    thread_id=thread,
                    tenant=tenant,
                    role=role,
                    limit=limit,
                    after=last,
                    waits=waits,
                )

        found = wait_for(find())
        if json_output:
            from orchestration.cli.approval_documents import request_document  # noqa: PLC0415

            print_json([request_document(each) for each in found])
        else:
            _show_list(found, limit=limit, more=("--waits",) if waits else (), database=database)


@app.command("show")
def show_request(
    request_id: RequestArgument, *, json_output: JsonOption = False, database: DatabaseOption = None
) -> None:
    """Show a request in full: what, why, by whom, since when, and how to answer."""
    with reported(json_output=json_output):
        from orchestration.approvals import open_inbox  # noqa: PLC0415  heavy
        from orchestration.cli import approval_documents, approval_views  # noqa: PLC0415

        async def find() -> tuple[ApprovalRequest, list[AuditEntry]]:
            async with open_inbox(database) as inbox:
                request = await inbox.find(request_id)
                return request, await inbox.history(request.request_id)

        request, trail = wait_for(find())
        if json_output:
            entries = [approval_documents.entry_document(each) for each in trail]
            print_json({**approval_documents.request_document(request), "history": entries})
        else:
            approval_views.show(console(), request, trail, database=database)


@app.command("history")
def show_history(
    request_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="A request's id, or its beginning.", show_default=False),
    ] = None,
    *,
    thread: Annotated[
        str | None,
        typer.Option(metavar="ID", help="All requests of this thread.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Show the audit trail of a request or of a thread: who did what, when and why."""
    if (request_id is None) == (thread is None):
        raise typer.BadParameter("give either a request's ID or --thread ID")
    with reported(json_output=json_output):
        from orchestration.approvals import open_inbox  # noqa: PLC0415  heavy
        from orchestration.cli import approval_documents, approval_views  # noqa: PLC0415

        async def find() -> list[AuditEntry]:
            async with open_inbox(database) as inbox:
                if request_id is None:
                    return await inbox.history(thread_id=thread)
                return await inbox.history((await inbox.find(request_id)).request_id)

        trail = wait_for(find())
        if json_output:
            print_json([approval_documents.entry_document(each) for each in trail])
        elif trail:
            console().print(approval_views.trail(trail))
        else:
            console().print(styled(f"Nothing was ever asked in thread {thread}."), soft_wrap=True)


@app.command("approve", epilog=EPILOG)
def approve(  # noqa: PLR0913  one for each option
    request_id: RequestArgument,
    *,
    comment: Annotated[
        str, typer.Option("--comment", "--message", metavar="TEXT", help="Why; for the audit.")
    ] = "",
    by: AsOption = None,
    roles: RoleOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Approve a task as it is, and let its run go on.

    Exits like `run`; with 0 where the answer is recorded and the run goes on elsewhere or later.
    """
    deciding = Deciding(request_id, by, roles, comment, json_output, database)
    decide_and_exit(deciding, lambda _: {"type": "approve"})


@app.command("edit", epilog=EPILOG)
def edit_arguments(  # noqa: PLR0913  one for each option
    request_id: RequestArgument,
    *,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="One argument's new value, JSON or text; give it once for each.",
            show_default=False,
        ),
    ] = None,
    whole: Annotated[
        str | None,
        typer.Option(
            "--args", metavar="JSON", help="All arguments, as one object.", show_default=False
        ),
    ] = None,
    comment: CommentOption = "",
    by: AsOption = None,
    roles: RoleOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Approve a task with other arguments; shows what is different. Exits like `approve`."""

    def make(request: ApprovalRequest) -> Decision:
        return edit(request, edited(request.arguments, changes=changes or [], whole=whole))

    decide_and_exit(Deciding(request_id, by, roles, comment, json_output, database), make)


@app.command("reject", epilog=EPILOG)
def reject(  # noqa: PLR0913  one for each option
    request_id: RequestArgument,
    *,
    message: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why; the run's result says so.", show_default=False),
    ] = None,
    comment: CommentOption = "",
    by: AsOption = None,
    roles: RoleOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Reject a task; nothing that builds on it runs. Exits like `approve`, so mostly with 1."""
    no: Decision = {"type": "reject"}
    if message is not None:
        no["message"] = message
    deciding = Deciding(request_id, by, roles, comment, json_output, database)
    decide_and_exit(deciding, lambda _: no)


@app.command("respond", epilog=EPILOG)
def respond(  # noqa: PLR0913  one for each option
    request_id: RequestArgument,
    *,
    message: Annotated[str, typer.Option(metavar="TEXT", help="The answer, or the task's result.")],
    comment: CommentOption = "",
    by: AsOption = None,
    roles: RoleOption = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Answer in the agent's place, or answer what an agent asks. Exits like `approve`."""
    if not message:
        raise typer.BadParameter("--message is empty; give the answer")
    deciding = Deciding(request_id, by, roles, comment, json_output, database)
    decide_and_exit(deciding, lambda _: {"type": "respond", "message": message})


@app.command("sweep")
def sweep(
    *,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="SECONDS",
            help="Sweep again and again, until Ctrl-C or SIGTERM.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Apply passed deadlines, send reminders, and let runs go on whose answer or time has come.

    Safe to run at any time, also while others run it.
    """
    with reported(json_output=json_output):
        from orchestration.cli.approval_sweep import keep_sweeping, sweep_once  # noqa: PLC0415

        if every is None:
            wait_for(sweep_once(database, json_output=json_output))
        else:
            wait_for(keep_sweeping(database, every=every, json_output=json_output))


def _show_list(
    found: list[ApprovalRequest], *, limit: int, more: tuple[str, ...], database: str | None
) -> None:
    from orchestration.cli import approval_views, tables  # noqa: PLC0415

    out = console()
    if not found:
        line = styled(f"Nothing waits for a person in {used_database(database)}.")
        out.print(line, soft_wrap=True)
        return
    out.print(approval_views.inbox(found))
    first = command_line("approvals", "show", found[0].request_id, database=database)
    steps = [(first, "what the first is about, and how to answer")]
    if len(found) == limit:
        after = ("--after", found[-1].request_id, *more)
        steps.append((command_line("approvals", "list", *after, database=database), "more"))
    tables.suggest(out, steps)
