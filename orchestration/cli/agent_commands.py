"""`orchestration agents`: who can be given tasks, where they are, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from orchestration.cli import agent_file_commands, agent_traffic_commands
from orchestration.cli.exit_codes import EPILOG, ExitCode
from orchestration.cli.known_agents import AgentArgument, with_agents
from orchestration.cli.options import DatabaseOption, JsonOption
from orchestration.cli.reporting import reported
from orchestration.cli.terminal import console, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.health import Probed
    from state.jsonvalue import JsonObject

app = typer.Typer(no_args_is_help=True)


@app.callback()
def agents() -> None:
    """See which agents there are and how they do, and say which of them get calls."""


@app.command("list", epilog=EPILOG)
def list_agents(*, json_output: JsonOption = False, database: DatabaseOption = None) -> None:
    """List every version of every agent: what it can do, where it is, whether it gets calls."""
    with reported(json_output=json_output):
        from orchestration.cli import agent_views  # noqa: PLC0415

        async def look(registry: AgentRegistry) -> None:
            specs = registry.list_agents()
            stats = registry.get_agent_stats()["versions"]
            if json_output:
                print_json([_json(spec, stats[spec.agent_id][spec.version]) for spec in specs])
                return
            console().print(agent_views.agents(specs, stats))
            agent_views.complaints(console(stderr=True), registry)

        with_agents(look, database=database, complains=not json_output)


@app.command("show", epilog=EPILOG)
def show(
    agent_id: AgentArgument, *, json_output: JsonOption = False, database: DatabaseOption = None
) -> None:
    """Show one agent: its versions and endpoints, its limits, and why some get no calls."""
    with reported(json_output=json_output):
        from orchestration.cli import agent_views  # noqa: PLC0415

        async def look(registry: AgentRegistry) -> None:
            registry.get(agent_id)
            specs = [spec for spec in registry.list_agents() if spec.agent_id == agent_id]
            stats = registry.get_agent_stats()["versions"][agent_id]
            if json_output:
                print_json([_json(spec, stats[spec.version]) for spec in specs])
                return
            for spec in specs:
                agent_views.version(console(), spec, stats[spec.version])
            sharing = registry.router.sharing
            if sharing is not None:
                switched = await sharing.store.switches()
                agent_views.switches(console(), agent_id, switched.values())

        with_agents(look, database=database)


@app.command("health", epilog=EPILOG)
def health(*, json_output: JsonOption = False, database: DatabaseOption = None) -> None:
    """Ask every endpoint whether it is well, and say which get calls and which do not.

    Exit code 1 if an enabled agent has no endpoint that takes calls and is well. A probe that
    fails keeps no calls away by itself; several in a row do.
    """
    with reported(json_output=json_output):
        from orchestration.cli import agent_views  # noqa: PLC0415
        from orchestration.routing.health import HealthProbes  # noqa: PLC0415  asyncio

        async def look(registry: AgentRegistry) -> bool:
            probed = await HealthProbes(registry.router).all()
            stats = registry.get_agent_stats()["versions"]
            if json_output:
                print_json(_health(registry, stats, probed))
            else:
                console().print(agent_views.health(stats, probed))
                agent_views.complaints(console(stderr=True), registry)
            return not _down(registry, stats, probed)

        if not with_agents(look, database=database, complains=True):
            raise typer.Exit(ExitCode.FAILED)


agent_traffic_commands.register(app)
agent_file_commands.register(app)


def _down(
    registry: AgentRegistry, stats: Mapping[str, Mapping[str, Any]], probed: list[Probed]
) -> set[str]:
    """The enabled agents of which no endpoint both takes calls and is well."""
    is_on = registry.router.is_on
    agents = {
        spec.agent_id
        for spec in registry.list_agents()
        if spec.enabled and is_on(spec.agent_id, spec.version)
    }
    unwell = {each.endpoint.key for each in probed if each.error is not None}
    up = {
        agent_id
        for agent_id, versions in stats.items()
        for version, state in versions.items()
        for each in state["endpoints"]
        if each["takes_calls"] and (agent_id, version, each["endpoint"]) not in unwell
    }
    return agents - up


def _json(spec: AgentSpec, stats: JsonObject) -> JsonObject:
    from orchestration.cli.agent_views import where  # noqa: PLC0415

    return {
        "agent_id": spec.agent_id,
        "name": spec.name,
        "kind": spec.kind,
        "version": spec.version,
        "enabled": spec.enabled and stats["switch"] != "disabled",
        "switch": stats["switch"],
        "weight": stats["weight"],
        "priority": spec.priority,
        "read_only": spec.read_only,
        "idempotent": spec.idempotent,
        "capabilities": [str(each) for each in spec.capabilities],
        "where": where(spec),
        "description": spec.description,
        "endpoints": stats["endpoints"],
    }


def _health(registry: AgentRegistry, stats: JsonObject, probed: list[Probed]) -> JsonObject:
    found = registry.discovery.complaints if registry.discovery is not None else ()
    return {
        "versions": stats,
        "probes": [
            {
                "agent_id": each.endpoint.agent_id,
                "version": each.endpoint.version,
                "endpoint": each.endpoint.id,
                "seconds": each.seconds,
                "error": each.error,
            }
            for each in probed
        ],
        "complaints": [
            {"source": each.source, "message": each.message, "since": each.since} for each in found
        ],
    }
