"""`orchestration serve`: lets others use our agents and workflows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.options import DatabaseOption
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, styled
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.applications import Starlette

app = typer.Typer(no_args_is_help=True)
TOKEN_VARIABLE: Final = "ORCHESTRATION_A2A_TOKEN"  # noqa: S105  the variable's name
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SHUTDOWN_SECONDS: Final = 10


@app.callback()
def serve() -> None:
    """Let others use agents and workflows."""


@app.command(epilog=EPILOG)
def a2a(  # noqa: PLR0913  one for each option
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8000,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Serve this agent; may be repeated.", show_default=False),
    ] = None,
    workflow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Serve this workflow; may be repeated.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Serve all agents and workflows.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where callers reach it, for the cards. Default: host and port.",
            show_default=False,
        ),
    ] = None,
    token_variable: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Environment variable with the bearer token that callers need."
        ),
    ] = TOKEN_VARIABLE,
    without_token: Annotated[
        bool,
        typer.Option("--without-token", help="Listen beyond this machine though there is none."),
    ] = False,
    approvals_as: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="Let callers answer approvals, recorded under this name. Default: they may not.",
            show_default=False,
        ),
    ] = None,
    database: DatabaseOption = None,
) -> None:
    """Serve agents and workflows to others over A2A 1.0.

    Without a bearer token in the environment, ANYBODY WHO REACHES THE PORT CAN ACT through
    whatever is served. So it listens on 127.0.0.1 only, unless there is a token.
    """
    with reported():
        if everything == bool(agent or workflow):
            raise ConfigurationError(
                "say what to serve: --agent ID and --workflow NAME, each as often as you like, or "
                "--all for every agent and workflow there is"
            )
        token = os.environ.get(token_variable, "").strip() or None
        if token is None and host not in _LOOPBACK and not without_token:
            raise ConfigurationError(
                f"{token_variable} is not set, so anybody who reaches {host}:{port} could act "
                "through what is served; set it, listen on 127.0.0.1, or say --without-token"
            )
        where = f"[{host}]" if ":" in host else host
        application = _application(
            agent, workflow, url or f"http://{where}:{port}", token, (approvals_as, database)
        )
        if token is None:
            console(stderr=True).print(
                styled("No token: anybody who reaches the port can act.", "yellow")
            )
        _listen(application, host, port)


def _application(
    agents: list[str] | None,
    workflows: list[str] | None,
    url: str,
    token: str | None,
    how: tuple[str | None, str | None],
) -> Starlette:
    try:
        from orchestration.a2a_server.app import a2a_app  # noqa: PLC0415  heavy, and an extra
    except ImportError as error:
        raise ConfigurationError(
            f"serving A2A needs {error.name}; install agent-orchestration-layer[a2a]"
        ) from None
    from orchestration.simple_coordinator import SimpleCoordinator  # noqa: PLC0415  heavy

    approvals_by, database = how
    return a2a_app(
        SimpleCoordinator(database_url=database),
        agents=agents,
        workflows=workflows,
        url=url,
        token=token,
        approvals_by=approvals_by,
    )


def _listen(application: Starlette, host: str, port: int) -> None:
    import uvicorn  # noqa: PLC0415  only where served

    uvicorn.run(
        application,
        host=host,
        port=port,
        ws="none",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
