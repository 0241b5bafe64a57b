"""What the `agents` commands print for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkpoints.traffic import Place
from orchestration.agents.built_in import KIND
from orchestration.agents.price import Price
from orchestration.cli.tables import facts, table
from orchestration.cli.terminal import styled
from orchestration.cli.words import duration, utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from checkpoints.traffic import Switched, Totals
    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.explanation import Explanation
    from orchestration.routing.health import Probed

    Stats = Mapping[str, Any]
    """As `Router.version_stats` says them."""


def agents(specs: Iterable[AgentSpec], stats: Mapping[str, Mapping[str, Stats]]) -> Table:
    """Say who the agents are, and where."""
    rows = [
        (
            styled(spec.agent_id, "bold"),
            styled(spec.version),
            styled(spec.kind or ""),
            _switch(spec, stats[spec.agent_id][spec.version]),
            styled("\n".join(map(str, spec.capabilities))),
            styled(where(spec)),
        )
        for spec in specs
    ]
    columns = ("Agent", "Version", "Kind", "State", "Capabilities", "Where")
    return table(*columns, rows=rows, grows="Where")


def where(spec: AgentSpec) -> str:
    """Say where an agent is."""
    if spec.kind == KIND:
        return "built-in"
    return "\n".join(place.told_address or "this process" for place in spec.places)


def version(out: Console, spec: AgentSpec, stats: Stats) -> None:
    """Say all of one version."""
    out.print(styled(f"{spec.agent_id}@{spec.version}", "bold"), styled(spec.description, "dim"))
    rows = [
        ("state", _switch(spec, stats)),
        ("capabilities", styled(", ".join(map(str, spec.capabilities)))),
        ("kind", styled(spec.kind or "")),
        ("effects", styled(_effects(spec))),
        ("share of threads", styled(f"weight {stats['weight']:g}, priority {spec.priority}")),
        ("balancing", styled(spec.balancing)),
        ("limits", styled(_limits(spec))),
        ("price", styled(_price(spec))),
    ]
    out.print(facts(rows))
    out.print(endpoints(stats["endpoints"]))


def endpoints(found: Sequence[Mapping[str, Any]]) -> Table:
    """Say how endpoints stand."""
    rows = [
        (
            styled(each["endpoint"], "bold"),
            _takes_calls(each),
            styled(each["breaker"]),
            styled(f"{each['weight']:g}"),
            styled(str(each["priority"])),
            styled(each["why_not"] or each["address"] or "this process"),
        )
        for each in found
    ]
    columns = ("Endpoint", "Gets calls", "Breaker", "Weight", "Priority", "Where, or why not")
    return table(*columns, rows=rows, grows="Where, or why not")


def switches(out: Console, agent_id: str, found: Iterable[Switched]) -> None:
    """Say who switched off or drained what of an agent, when and why."""
    for each in found:
        if each.place.agent_id == agent_id and each.switch != "enabled":
            who = f"by {each.by}, " if each.by else ""
            why = f": {each.reason}" if each.reason else ""
            at, endpoint = each.place.version, each.place.endpoint
            place = f"{agent_id}{at and '@'}{at}{endpoint and '/'}{endpoint}"
            line = f"{place} is {each.switch} ({who}{utc(each.at)}){why}"
            out.print(styled(line, "yellow"), soft_wrap=True)


def health(stats: Mapping[str, Mapping[str, Stats]], probed: Iterable[Probed]) -> Table:
    """Say how all endpoints stand, and what a probe just found."""
    found = {
        (each.endpoint.agent_id, each.endpoint.version, each.endpoint.id): each for each in probed
    }
    rows = []
    for agent_id, versions in stats.items():
        for name, state in versions.items():
            for each in state["endpoints"]:
                probe = found.get(Place(agent_id, name, each["endpoint"]))
                rows.append(
                    (
                        styled(f"{agent_id}@{name}/{each['endpoint']}", "bold"),
                        _takes_calls(each),
                        styled(each["breaker"]),
                        _probe(probe),
                        styled(each["why_not"] or each["address"] or "this process"),
                    )
                )
    columns = ("Endpoint", "Gets calls", "Breaker", "Probe", "Where, or why not")
    return table(*columns, rows=rows, grows="Where, or why not")


def route(out: Console, found: Explanation, *, explain: bool) -> None:
    """Say where a call would go."""
    place = f"{found.agent}@{found.version}/{found.endpoint}"
    if found.endpoint is None:
        out.print(styled("nowhere now: ", "red"), styled(f"{found.agent}: {found.why}"), sep="")
    else:
        out.print(styled(place, "bold"), styled(f"({found.why})", "dim"))
    if not explain:
        return
    rows = [
        (styled(each["agent_id"], "bold"), styled(each["version"]), styled(str(each["priority"])))
        for each in found.agents
    ]
    out.print(table("Agent", "Version", "Priority", rows=rows))
    versions = [
        (
            styled(each["version"], "bold"),
            styled(f"{each['share']:.0%}"),
            styled(f"{each['weight']:g}"),
            styled(str(each["priority"])),
            styled(each["switch"]),
            styled("yes" if each["takes_calls"] else "no"),
        )
        for each in found.versions
    ]
    columns = ("Version", "Share", "Weight", "Priority", "State", "Takes calls")
    out.print(table(*columns, rows=versions))
    if found.endpoints:
        out.print(endpoints(found.endpoints))


def totals(by: str, found: Iterable[Totals]) -> Table:
    """Say what calls cost."""
    rows = [
        (
            styled(each.key or "none", "bold"),
            styled(str(each.tasks)),
            styled(f"{each.succeeded / each.tasks:.0%}" if each.tasks else ""),
            styled(str(each.calls)),
            styled(f"{each.input_tokens:,}"),
            styled(f"{each.output_tokens:,}"),
            styled(f"{each.cost:,.4f}" if each.cost else "-"),  # nothing, or no price is known
        )
        for each in found
    ]
    columns = (by.capitalize(), "Tasks", "Succeeded", "Calls", "Tokens in", "Tokens out", "Cost")
    return table(*columns, rows=rows)


def complaints(out: Console, registry: AgentRegistry) -> None:
    """Say what is wrong with the sources of agents, if anything is."""
    for each in registry.discovery.complaints if registry.discovery is not None else ():
        out.print(styled(f"{each.source}: {each.message}", "yellow"), soft_wrap=True)


def _switch(spec: AgentSpec, stats: Stats) -> Text:
    state = stats["switch"] if spec.enabled else "disabled"
    return styled(state, {"enabled": "green", "draining": "yellow"}.get(state, "red"))


def _takes_calls(endpoint: Mapping[str, Any]) -> Text:
    return styled("yes", "green") if endpoint["takes_calls"] else styled("no", "red")


def _probe(probe: Probed | None) -> Text:
    if probe is None:
        return styled("", "dim")
    if probe.error is not None:
        return styled(probe.error, "red")
    return styled(f"well, {duration(probe.seconds)}", "green")


def _effects(spec: AgentSpec) -> str:
    if spec.read_only:
        return "none (read_only)"
    if spec.idempotent:
        return "once for a key, wherever it is called (idempotent)"
    return "a call that may have begun is made at no other endpoint"


def _limits(spec: AgentSpec) -> str:
    """How many calls at a time a process makes; endpoints may say otherwise of themselves."""
    most, queue, wait = spec.max_concurrency, spec.max_queue, spec.queue_timeout
    said = [
        "" if most is None else f"{most} calls at once at an endpoint",
        "" if queue is None else f"{queue} calls may wait",
        "" if wait is None else f"for {duration(wait.total_seconds())} at most",
    ]
    return ", ".join(each for each in said if each) or "none"


def _price(spec: AgentSpec) -> str:
    """What calls cost, where the version says it; endpoints may say otherwise of themselves."""
    price = spec.cost
    if price is None:
        return "unknown"
    if not isinstance(price, Price):
        return f"{price:g} a call"
    said = [
        f"{price.per_call:g} a call" if price.per_call else "",
        f"tokens as of {price.model}" if price.model is not None else "",
        "" if price.per_million_input is None else f"{price.per_million_input:g} a million in",
        "" if price.per_million_output is None else f"{price.per_million_output:g} a million out",
    ]
    return ", ".join(each for each in said if each) or "0"
