"""`orchestration demo`: a real purchase by two agents, for newcomers."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orchestration.cli.exit_codes import ExitCode
from orchestration.cli.options import DatabaseOption, GraphOption, JsonOption, command_line
from orchestration.cli.reporting import reported
from orchestration.cli.running import IN_MEMORY, Run, exit_with, run_and_show, used_database
from orchestration.cli.terminal import console, styled
from orchestration.cli.words import question
from state.status import WorkflowStatus

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.agent_registry import AgentRegistry
    from orchestration.cli.words import Json
    from orchestration.simple_coordinator import SimpleCoordinator
    from state.jsonvalue import JsonObject

REQUESTS: Final = (
    ("ticketing", "Book 4 tickets for tonight"),
    ("finance", "Approve the expense"),
)
REQUESTER: Final = "alice"
APPROVER: Final = "ivan"
"""Alice's manager in the built-in team; she may not approve what she asked for herself."""
ROLE: Final = "manager"
DEADLINE: Final = timedelta(days=3)
EXAMPLE: Final = Path("examples/purchase.yaml")
"""The same workflow as a file, where the user is in the project's folder."""


def demo(
    *,
    approve: Annotated[
        bool, typer.Option("--approve", help="Answer in the manager's place, to see the rest.")
    ] = False,
    json_output: JsonOption = False,
    database: DatabaseOption = None,
    graph: GraphOption = True,
) -> None:
    """Watch two agents buy tickets, and a manager decide about the expense.

    The built-in team does it for real, on SQLite: ticketing takes the seats and names the
    price, then the run waits for a manager. The command it prints approves the expense, in
    any other process; then finance books the price against a budget.

    Exits with 0 when it waits for the manager, as that is what it is to show.
    """
    with reported(json_output=json_output):
        run = _purchase(json_output=json_output, database=database, graph=graph)
        _introduce(run)
        result = run_and_show(replace(run, then=partial(_answer, run)) if approve else run)
        if not json_output:
            _conclude(run, result)
        if result["status"] == WorkflowStatus.INTERRUPTED:
            raise typer.Exit(ExitCode.COMPLETED)
        exit_with(result)


def _purchase(*, json_output: bool, database: str | None, graph: bool) -> Run:
    from state.approval import ApprovalPolicy  # noqa: PLC0415
    from state.task import AgentTask  # noqa: PLC0415
    from state.workflow import Workflow  # noqa: PLC0415

    tasks = [AgentTask(agent, _message(text)) for agent, text in REQUESTS]
    tasks[1].depends_on = [REQUESTS[0][0]]
    tasks[1].requires_approval = ApprovalPolicy(roles=[ROLE], deadline=DEADLINE)
    return Run(
        workflow=Workflow("demo", tasks=tasks),
        thread_id=f"demo-{uuid.uuid4().hex[:8]}",
        database=database,
        json_output=json_output,
        graph=graph,
        registry=built_in_registry(),
        user=REQUESTER,
        ask=False,  # `_conclude` does
    )


async def _answer(run: Run, coordinator: SimpleCoordinator, result: Json) -> JsonObject:
    """Approve what the run waits for, as a manager would."""
    from orchestration.cli import tables  # noqa: PLC0415
    from orchestration.cli.questions import with_requests  # noqa: PLC0415

    out = console(stderr=run.json_output)
    for interrupt in result["interrupts"]:
        out.print()
        out.print(styled(question(interrupt), "bold"))
        tables.suggest(out, [(_approving(run, interrupt), f"done now in {APPROVER}'s place")])
        decided = await coordinator.approvals.decide(
            str(interrupt["request_id"]), "approve", by=APPROVER, roles=[ROLE]
        )
        if decided.result is not None:
            result = await with_requests(coordinator, decided.result.as_json())
    return dict(result)


def _approving(run: Run, interrupt: Json) -> str:
    """Return the command that answers as the manager, with the built-in team as here."""
    who = ("--as", APPROVER, "--role", ROLE)
    request_id = str(interrupt.get("request_id") or interrupt["id"])
    command = command_line("approvals", "approve", request_id, *who, database=run.database)
    unset = [word for name in sorted(_configured()) for word in ("-u", name)]
    return f"env {' '.join(unset)} {command}" if unset else command


def _configured() -> set[str]:
    """The variables that put other agents in the place of the built-in team."""
    from orchestration.agents.configuration.variables import ENDPOINT_VARIABLES  # noqa: PLC0415

    return {name for name in ENDPOINT_VARIABLES.values() if os.environ.get(name)}


def built_in_registry() -> AgentRegistry:
    """Return a registry of the built-in team alone, whatever endpoints are configured."""
    from orchestration.agent_registry import registry_from_environment  # noqa: PLC0415

    own = _configured()
    return registry_from_environment({k: v for k, v in os.environ.items() if k not in own})


def _message(text: str) -> JsonObject:
    return {"messages": [{"role": "user", "content": text}]}


def _introduce(run: Run) -> None:
    out = console(stderr=run.json_output)
    out.print(styled("A purchase by two agents, one after the other", "bold"))
    for agent, text in REQUESTS:
        out.print(styled(f"  {agent:<10}", "cyan") + styled(f"“{text}”"))
    out.print()


def _ask(out: Console, run: Run, interrupt: Json) -> None:
    from orchestration.cli import tables  # noqa: PLC0415

    who = f"Answer as {APPROVER}, {REQUESTER}'s {ROLE}, here or in any other process:"
    out.print(styled(f"{question(interrupt)} {who}", "bold"))
    show = command_line(
        "approvals", "show", str(interrupt.get("request_id")), database=run.database
    )
    steps = [(_approving(run, interrupt), "the expense is booked"), (show, "what is decided from")]
    tables.suggest(out, steps)
    out.print()


def _conclude(run: Run, result: Json) -> None:
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
    if stored != IN_MEMORY:
        for interrupt in result["interrupts"]:
            _ask(out, run, interrupt)
    out.print(styled("Try next", "bold"))
    show = command_line("threads", "show", run.thread_id, database=run.database)
    steps = [(show, "what was planned and done")] if stored != IN_MEMORY else []
    if EXAMPLE.exists():
        draw = command_line("graph", "draw", str(EXAMPLE), "--format", "mermaid")
        again = command_line("run", str(EXAMPLE), database=run.database)
        steps += [(draw, "a graph for GitHub or a notebook"), (again, "a workflow from a file")]
    steps.append((command_line("agents", "list"), "who else is there"))
    tables.suggest(out, steps)
