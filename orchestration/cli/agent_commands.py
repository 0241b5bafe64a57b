"""`orchestration agents`: who can be given tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from orchestration.cli.options import JsonOption
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, print_json

if TYPE_CHECKING:
    from orchestration.agents.spec import AgentSpec
    from state.jsonvalue import JsonObject

app = typer.Typer(no_args_is_help=True)


@app.callback()
def agents() -> None:
    """See which agents there are."""


@app.command("list")
def list_agents(*, json_output: JsonOption = False) -> None:
    """List every agent: what it can do, and whether it is built in or at an endpoint."""
    with reported(json_output=json_output):
        from orchestration.agent_registry import get_registry  # noqa: PLC0415
        from orchestration.cli import tables  # noqa: PLC0415

        specs = get_registry().list_agents()
        if json_output:
            print_json([_json(spec) for spec in specs])
        else:
            console().print(tables.agents(specs))


def _json(spec: AgentSpec) -> JsonObject:
    from orchestration.cli.tables import where  # noqa: PLC0415

    return {
        "agent_id": spec.agent_id,
        "name": spec.name,
        "kind": spec.kind,
        "version": spec.version,
        "enabled": spec.enabled,
        "callable": spec.handler is not None,
        "capabilities": [str(each) for each in spec.capabilities],
        "where": where(spec),
        "endpoint": spec.endpoint,
        "description": spec.description,
    }
