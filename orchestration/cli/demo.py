"""`orchestration demo`: a real purchase by two agents, for newcomers."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration.cli.options import DatabaseOption, GraphOption, JsonOption, command_line
from orchestration.cli.reporting import reported
from orchestration.cli.running import IN_MEMORY, Run, exit_with, run_and_show, used_database
from orchestration.cli.terminal import console, styled

if TYPE_CHECKING:
    from orchestration.agent_registry import AgentRegistry
    from orchestration.cli.workflow_schema import RunArguments
    from state.jsonvalue import JsonObject

REQUESTS: Final = (
    ("ticketing", "Book 4 tickets for tonight"),
    ("finance", "Approve the expense"),
)
EXAMPLE: Final = Path("examples/purchase.yaml")
"""The same workflow as a file, where the user is in the project's folder."""


def demo(
    *,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
    graph: GraphOption = True,
) -> None:
    """Watch two agents buy tickets and approve the expense.

    The built-in team does it for real, on SQLite: ticketing takes the seats and names the
    price, finance gets that price and books it against a budget.
    """
    with reported(json_output=json_output):
        run = _purchase(json_output=json_output, database=database, graph=graph)
        _introduce(run)
        result = run_and_show(run)
        if not json_output:
            _conclude(run)
        exit_with(result)


def _purchase(*, json_output: bool, database: str | None, graph: bool) -> Run:
    from state.task import AgentTask  # noqa: PLC0415

    tasks = [AgentTask(agent, _message(text)) for agent, text in REQUESTS]
    tasks[1].depends_on = [REQUESTS[0][0]]
    arguments: RunArguments = {
        "strategy": "sequential",
        "on_failure": None,
        "aggregate": None,
        "router": None,
        "input_data": None,
    }
    return Run(
        tasks=tasks,
        arguments=arguments,
        thread_id=f"demo-{uuid.uuid4().hex[:8]}",
        database=database,
        json_output=json_output,
        graph=graph,
        registry=built_in_registry(),
    )


def built_in_registry() -> AgentRegistry:
    """Return a registry of the built-in team alone, whatever endpoints are configured."""
    from orchestration.agent_registry import (  # noqa: PLC0415
        ENDPOINT_VARIABLES,
        registry_from_environment,
    )

    own = set(ENDPOINT_VARIABLES.values())
    return registry_from_environment({k: v for k, v in os.environ.items() if k not in own})


def _message(text: str) -> JsonObject:
    return {"messages": [{"role": "user", "content": text}]}


def _introduce(run: Run) -> None:
    out = console(stderr=run.json_output)
    out.print(styled("A purchase by two agents, one after the other", "bold"))
    for agent, text in REQUESTS:
        out.print(styled(f"  {agent:<10}", "cyan") + styled(f"“{text}”"))
    out.print()


def _conclude(run: Run) -> None:
    from orchestration.agents.built_in import (  # noqa: PLC0415
        DEFAULT_TEAM_DATABASE,
        TEAM_VARIABLE,
    )
    from orchestration.cli import tables  # noqa: PLC0415

    out = console()
    stored = used_database(run.database)
    out.print()
    books = os.environ.get(TEAM_VARIABLE) or DEFAULT_TEAM_DATABASE
    where = {"Run kept in": stored, "Thread": run.thread_id, "Orders and expenses in": books}
    out.print(tables.facts((name, styled(text)) for name, text in where.items()))
    out.print()
    out.print(styled("Try next", "bold"))
    show = command_line("threads", "show", run.thread_id, database=run.database)
    steps = [(show, "what was planned and done")] if stored != IN_MEMORY else []
    if EXAMPLE.exists():
        draw = command_line("graph", "draw", str(EXAMPLE), "--format", "mermaid")
        again = command_line("run", str(EXAMPLE), database=run.database)
        steps += [(draw, "a graph for GitHub or a notebook"), (again, "a workflow from a file")]
    steps.append((command_line("agents", "list"), "who else is there"))
    tables.suggest(out, steps)
