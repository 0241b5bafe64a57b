"""What the planner is asked for a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from graph.plan_request import Planned, PlanRequest, request_of
from orchestration.workflows.parameters import checked_parameters
from state.failure_mode import FailureMode
from state.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.run_options import RunOptions
    from state.plan_document import Definition, PlanDocument
    from state.workflow import Workflow

CHOOSABLE: Final = ("on_failure", "aggregate")
"""What the options of a run may say in the workflow's place, as keys of the plan."""


def plan_request(
    workflow: Workflow,
    *,
    parameters: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
) -> PlanRequest:
    """Ask for a plan of a definition; what the options say comes before what it says.

    Raises:
        PlanError: The parameters do not fit it.
    """
    options, given = options or {}, checked_parameters(workflow, parameters)
    request = request_of(
        workflow,
        parameters=None if workflow.parameters is None else given,
        tenant=options.get("tenant"),
        user=options.get("user"),
        session=options.get("session", False),
        retry_budget=options.get("retry_budget"),
        budget=options.get("budget") or workflow.budgets,
    )
    on_failure, aggregate = options.get("on_failure"), options.get("aggregate")
    chosen = [name for name in CHOOSABLE if options.get(name) is not None]
    definition: Definition = {"name": workflow.name, "version": workflow.version}
    return request._replace(
        on_failure=request.on_failure if on_failure is None else on_failure,
        aggregate=request.aggregate if aggregate is None else aggregate,
        definition={**definition, "chosen": chosen} if chosen else definition,
    )


def planned_for(workflow: Workflow, run: Plan, make: Callable[[PlanRequest], Planned]) -> Planned:
    """Plan a workflow for a run that began with another plan, with what was chosen for the run.

    Raises:
        PlanError: It cannot be planned, or the run's parameters do not fit it.
    """
    before = run.document
    chosen = before["definition"].get("chosen", []) if "definition" in before else []
    options: RunOptions = {
        "tenant": before["tenant"],
        "user": before["user"],
        "session": before.get("session", False),
        "retry_budget": before.get("retry_budget"),
    }
    if "on_failure" in chosen:  # what tasks need depends on it
        options["on_failure"] = FailureMode(**before["on_failure"])
    request = plan_request(workflow, parameters=before.get("parameters"), options=options)
    made = make(request._replace(budget=None, budgets=before.get("budgets", ())))
    if not chosen:
        return made
    document: dict[str, Any] = {**made.plan.document, **{key: before[key] for key in chosen}}  # type: ignore[literal-required]
    document["definition"] = {**document["definition"], "chosen": chosen}
    callables = {key: each for key, each in made.callables.items() if key not in chosen}
    return Planned(Plan(cast("PlanDocument", document)), callables)
