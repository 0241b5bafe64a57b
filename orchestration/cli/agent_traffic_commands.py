"""`orchestration agents route|compare|costs|enable|disable|drain`: where calls go, and went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.exit_codes import EPILOG
from orchestration.cli.known_agents import AgentArgument, PlaceArgument, place_of, with_agents
from orchestration.cli.options import DatabaseOption, JsonOption, who_decides
from orchestration.cli.reporting import reported
from orchestration.cli.spans import checked_span, span_of
from orchestration.cli.terminal import console, print_json, styled

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkpoints.traffic import GroupBy, Switch
    from orchestration.agent_registry import AgentRegistry

SinceOption = Annotated[
    str | None,
    typer.Option(
        callback=checked_span,
        metavar="SPAN",
        help="Only tasks that finished within this time, e.g. 90m, 12h, 7d.",
        show_default=False,
    ),
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded.")]
ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="USER",
        help="Who says so. Default: your name in the operating system.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("route", epilog=EPILOG)(route)
    app.command("compare", epilog=EPILOG)(compare)
    app.command("costs", epilog=EPILOG)(costs)
    for word, (switch, help_) in _SWITCHES.items():
        app.command(word, epilog=EPILOG, help=help_)(_switching(switch))


def route(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="WANTED",
            help="An agent's id, a capability, or an action: purchase_tickets.",
            show_default=False,
        ),
    ],
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what was considered, and why it was skipped.")
    ] = False,
    thread: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="For a task of this thread: it stays with its version.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Say where a call would go now; nothing is called."""
    with reported(json_output=json_output):
        from orchestration.cli import agent_views  # noqa: PLC0415

        async def look(registry: AgentRegistry) -> None:
            first = registry.explain(wanted)
            sharing, has = registry.router.sharing, None
            if thread is not None and sharing is not None:
                has = await sharing.store.version_of(thread, first.agent)
            found = registry.explain(wanted, has=has) if has is not None else first
            if json_output:
                print_json(found.as_json())
            else:
                agent_views.route(console(), found, explain=explain)

        with_agents(look, database=database)


def compare(
    agent_id: AgentArgument,
    *,
    since: SinceOption = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The version that the others are compared with. Default: the first.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Compare the versions of an agent: success, time and cost, with confidence intervals."""
    with reported(json_output=json_output):
        from orchestration.cli.comparison_table import comparison  # noqa: PLC0415

        async def look(registry: AgentRegistry) -> None:
            report = await registry.compare(agent_id, since=_begin(since), baseline=baseline)
            if json_output:
                print_json(report.as_json())
            else:
                comparison(console(), report)

        with_agents(look, database=database, create=True)


def costs(
    *,
    by: Annotated[
        str, typer.Option(metavar="GROUP", help="agent, version, thread or tenant.")
    ] = "agent",
    since: SinceOption = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of one tenant only.", show_default=False)
    ] = None,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
) -> None:
    """Sum up what calls of agents cost, the dearest first."""
    if by not in _GROUPS:
        raise typer.BadParameter(f"--by is {by!r}; use one of {', '.join(_GROUPS)}")
    group: GroupBy = by  # type: ignore[assignment]  # it was just looked at
    with reported(json_output=json_output):
        from orchestration.cli import agent_views  # noqa: PLC0415

        async def look(registry: AgentRegistry) -> None:
            sharing = registry.router.sharing
            if sharing is None:
                raise AssertionError("the database was opened")
            totals = await sharing.store.totals(group, since=_begin(since), tenant=tenant)
            if json_output:
                print_json([each._asdict() for each in totals])
            else:
                console().print(agent_views.totals(by, totals))

        with_agents(look, database=database, create=True)


def _switching(switch: Switch) -> Callable[..., None]:
    def command(
        place: PlaceArgument,
        *,
        reason: ReasonOption = "",
        by: ByOption = None,
        json_output: JsonOption = False,
        database: DatabaseOption = None,
    ) -> None:
        with reported(json_output=json_output):
            found, who = place_of(place), who_decides(by, option="--by")

            async def do(registry: AgentRegistry) -> None:
                await registry.switch(found, switch, by=who, reason=reason)

            with_agents(do, database=database, create=True)
            if json_output:
                print_json({"place": place, "switch": switch, "by": who, "reason": reason})
            else:
                line = f"{place} is {switch}, for every process that uses this database."
                console().print(styled(line))

    return command


_GROUPS = ("agent", "version", "thread", "tenant")
_SWITCHES: dict[str, tuple[Switch, str]] = {
    "enable": ("enabled", "Let an agent, a version or an endpoint get calls again."),
    "disable": ("disabled", "Keep an agent, a version or an endpoint from getting calls."),
    "drain": (
        "draining",
        "Let it finish what it has: an endpoint gets no new calls, a version no new threads.",
    ),
}


def _begin(since: str | None) -> float:
    """When a span of time began that ends now, in seconds since the epoch."""
    span = span_of(since)
    return 0.0 if span is None else time.time() - span.total_seconds()
