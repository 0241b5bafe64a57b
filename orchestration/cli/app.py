"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli import (
    agent_commands,
    agent_file_commands,
    approval_commands,
    cache_commands,
    graph_commands,
    retention_commands,
    serve_commands,
    thread_commands,
    workflow_commands,
)
from orchestration.cli.ask import ask
from orchestration.cli.batch import batch
from orchestration.cli.demo import demo
from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.run import run
from orchestration.cli.validate import validate

app = typer.Typer(
    name="orchestration",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(version("agent-orchestration-layer"))
        raise typer.Exit


@app.callback(epilog=EPILOG)
def orchestration(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Coordinate several AI agents: every strategy becomes a durable LangGraph graph.

    Start with `orchestration demo`.
    """


app.command(epilog=EPILOG)(demo)
app.command(epilog=EPILOG)(run)
app.command(epilog=EPILOG)(batch)
app.command(epilog=EPILOG)(ask)
app.command(epilog=EPILOG)(validate)
retention_commands.register(thread_commands.app)
agent_file_commands.register(agent_commands.app)
app.add_typer(agent_commands.app, name="agents")
app.add_typer(thread_commands.app, name="threads")
app.add_typer(approval_commands.app, name="approvals")
app.add_typer(graph_commands.app, name="graph")
app.add_typer(workflow_commands.app, name="workflows")
app.add_typer(serve_commands.app, name="serve")
app.add_typer(cache_commands.app, name="cache")
