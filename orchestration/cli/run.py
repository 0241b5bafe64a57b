"""`orchestration run`: a workflow from a file, or a registered one."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import (
    DatabaseOption,
    GraphOption,
    JsonOption,
    TenantOption,
    WorkflowArgument,
    command_line,
)
from orchestration.cli.reporting import reported
from orchestration.cli.running import IN_MEMORY, Run, exit_with, run_and_show, used_database
from orchestration.cli.terminal import console, styled


def run(  # noqa: PLR0913  one for each option
    workflow: WorkflowArgument,
    *,
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A parameter, as JSON or text; give it once for each.",
            show_default=False,
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="All parameters, as one object.", show_default=False),
    ] = None,
    thread_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Keep the run under this id.", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For whom it runs, who then may not approve it.",
            show_default=False,
        ),
    ] = None,
    tenant: TenantOption = None,
    retry_budget: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            help="How often agents may be called again, over all tasks; by default, as often as "
            "each task says.",
            show_default=False,
        ),
    ] = None,
    database: DatabaseOption = None,
    json_output: JsonOption = False,
    graph: GraphOption = False,
    png: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Save a picture of the graph.", show_default=False),
    ] = None,
) -> None:
    """Run a workflow.

    Exits with 0 when completed, 1 failed, 3 partial, 4 paused for a person.
    """
    with reported(json_output=json_output):
        from orchestration.cli.workflow_choice import (  # noqa: PLC0415  pydantic
            chosen,
            given_parameters,
        )

        definition = chosen(workflow)
        thread_id = thread_id if thread_id is not None else uuid.uuid4().hex
        result = run_and_show(
            Run(
                workflow=definition,
                parameters=given_parameters(definition, param or [], params),
                thread_id=thread_id,
                database=database,
                json_output=json_output,
                graph=graph,
                png=png,
                user=user,
                tenant=tenant,
                retry_budget=retry_budget,
            )
        )
        if not json_output and used_database(database) != IN_MEMORY:
            show = command_line("threads", "show", thread_id, database=database)
            console().print(styled(f"See it again with: {show}", "dim"), soft_wrap=True)
            if result["status"] in ("failed", "partial"):
                again = command_line("threads", "replay", thread_id, database=database)
                line = f"Do what failed anew, as a new run, with: {again}"
                console().print(styled(line, "dim"), soft_wrap=True)
        exit_with(result)
