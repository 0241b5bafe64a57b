"""`orchestration graph`: drawings of what a workflow is compiled into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.drawing import DrawingStyle, draw, drawable, save
from orchestration.cli.options import WorkflowArgument
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, styled

app = typer.Typer(no_args_is_help=True)


@app.callback()
def graph() -> None:
    """Look at the graph of a workflow."""


@app.command("draw")
def draw_graph(
    workflow: WorkflowArgument,
    *,
    style: Annotated[
        DrawingStyle | None,
        typer.Option("--format", help="Default: ascii, or what PATH ends in.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Save it there (.md, .mmd, .png, .txt).", show_default=False
        ),
    ] = None,
    xray: Annotated[bool, typer.Option("--xray/--no-xray", help="Show inside subgraphs.")] = True,
) -> None:
    """Draw the graph of a workflow, without running it."""
    if style is DrawingStyle.PNG and output is None:
        raise typer.BadParameter("a PNG needs --output PATH", param_hint="'--format'")
    with reported():
        from orchestration.cli.workflow_choice import chosen  # noqa: PLC0415  pydantic
        from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

        graph = drawable(SimpleCoordinator(), chosen(workflow), xray=xray)
        if output is None:
            sys.stdout.write(draw(graph, style or DrawingStyle.ASCII).decode())
        else:
            save(graph, output, style)
            console().print(styled(f"Drawn to {output}"), soft_wrap=True)
