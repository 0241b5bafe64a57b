"""What the planner is asked for a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.plan_request import PlanRequest
from orchestration.workflows.parameters import checked_parameters
from state.errors import PlanError, Problem
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from orchestration.run_options import RunOptions
    from state.workflow import Workflow


def plan_request(
    workflow: Workflow,
    *,
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
) -> PlanRequest:
    """Ask for a plan of a definition; what the options say comes before what it says.

    Raises:
        PlanError: The parameters do not fit it, or this version cannot run it.
    """
    options = options or {}
    checked_parameters(workflow, parameters)
    if problems := [*_unsupported(workflow)]:
        raise PlanError(problems)
    on_failure, aggregate = options.get("on_failure"), options.get("aggregate")
    return PlanRequest(
        tasks=[task for task in workflow.tasks if isinstance(task, AgentTask)],
        strategy=workflow.strategy,
        on_failure=workflow.on_failure if on_failure is None else on_failure,
        aggregate=workflow.aggregate if aggregate is None else aggregate,
        router=workflow.router,
        router_input=workflow.input_data,
        tenant=options.get("tenant"),
        user=options.get("user"),
    )


def _unsupported(workflow: Workflow) -> Iterator[Problem]:
    """What the planner does not know yet, and would otherwise drop."""
    if workflow.strategy == CoordinationStrategy.CYCLIC:
        yield Problem("not_supported", "the cyclic strategy cannot be run by this version yet")
    for task in workflow.tasks:
        if not isinstance(task, AgentTask) or task.input_from:
            kind = "input_from" if isinstance(task, AgentTask) else type(task).__name__
            message = f"task {task.task_id or kind!r}: {kind} cannot be run by this version yet"
            yield Problem("not_supported", message, task.task_id)
