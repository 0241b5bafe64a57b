"""`orchestration ask`: a request in plain words."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import DatabaseOption, JsonOption, TenantOption, command_line
from orchestration.cli.progress import Progress
from orchestration.cli.reporting import RunStoppedError, reported
from orchestration.cli.running import (
    IN_MEMORY,
    draining,
    exit_with,
    show_result,
    used_database,
    wait_for,
)
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from orchestration.enterprise import EnterpriseOrchestrator
    from state.jsonvalue import JsonObject


def ask(  # noqa: PLR0913  one for each option
    request: Annotated[str, typer.Argument(metavar="TEXT", help="What you want, in plain words.")],
    *,
    thread_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Go on with this conversation.", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who asks, and may not approve.", show_default=False),
    ] = None,
    tenant: TenantOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A chat model that plans, e.g. google_vertexai:gemini-2.5-flash; without one, and "
            "without ORCHESTRATION_MODEL, rules do.",
            show_default=False,
        ),
    ] = None,
    database: DatabaseOption = None,
    json_output: JsonOption = False,
) -> None:
    """Do what a request in plain words asks for, over all agents, and answer.

    Nothing at all is done if a part of it is not understood. Exits with 0 when completed, 1
    failed or not understood, 3 partial, 4 paused for a person.
    """
    with reported(json_output=json_output):
        from orchestration.enterprise import EnterpriseOrchestrator  # noqa: PLC0415  heavy

        thread_id = thread_id if thread_id is not None else uuid.uuid4().hex
        orchestrator = EnterpriseOrchestrator(model=model, database_url=database)
        progress = Progress(console(stderr=json_output))
        work = _answer(
            orchestrator, progress, request, thread_id=thread_id, user=user, tenant=tenant
        )
        try:
            result = wait_for(work)
        except KeyboardInterrupt:
            if not progress.begun:
                raise
            again = command_line("threads", "resume", thread_id, database=database)
            words = f"Stopped. What finished is kept; go on with: {again}"
            raise RunStoppedError(thread_id, words) from None
        _show(result, database=database, json_output=json_output)
        exit_with(result)


async def _answer(  # noqa: PLR0913  as the command
    orchestrator: EnterpriseOrchestrator,
    progress: Progress,
    request: str,
    *,
    thread_id: str,
    user: str | None,
    tenant: str | None,
) -> JsonObject:
    from orchestration.cli.questions import with_requests  # noqa: PLC0415

    async with orchestrator, draining(orchestrator.coordinator):
        events = orchestrator.stream(request, thread_id=thread_id, user=user, tenant=tenant)
        return await with_requests(orchestrator.coordinator, await progress.follow(events))


def _show(result: JsonObject, *, database: str | None, json_output: bool) -> None:
    """Print the answer, with the table of tasks where there were any."""
    if json_output:
        print_json(result)
        return
    out = console()
    if result["tasks"]:
        show_result(result, database=database, json_output=False)
    else:
        out.print(styled(str(result["summary"])), soft_wrap=True)
    if used_database(database) != IN_MEMORY:
        thread_id = str(result["thread_id"])
        more = command_line("ask", "...", "--thread-id", thread_id, database=database)
        out.print(styled(f"Go on talking with: {more}", "dim"), soft_wrap=True)
