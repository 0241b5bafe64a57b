"""What the planner is asked for a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.plan_request import PlanRequest, request_of
from orchestration.workflows.parameters import checked_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        PlanError: The parameters do not fit it.
    """
    options, given = options or {}, checked_parameters(workflow, parameters)
    request = request_of(
        workflow,
        parameters=None if workflow.parameters is None else given,
        tenant=options.get("tenant"),
        user=options.get("user"),
        session=options.get("session", False),
    )
    on_failure, aggregate = options.get("on_failure"), options.get("aggregate")
    return request._replace(
        on_failure=request.on_failure if on_failure is None else on_failure,
        aggregate=request.aggregate if aggregate is None else aggregate,
    )
