"""The planner's part for what a run may use up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from state.budget import Budget
from state.jsonvalue import described

if TYPE_CHECKING:
    from graph.plan_request import Draft, PlanRequest
    from state.budget import BudgetDocument


def planned_budgets(request: PlanRequest, draft: Draft) -> list[BudgetDocument]:
    """Plan the budgets of a run, noting every problem of them."""
    wanted: object = request.budget
    if wanted is None:
        return [*request.budgets]
    if not isinstance(wanted, Budget | Sequence) or isinstance(wanted, str):
        draft.problem("bad_budget", f"budget is {described(wanted)}; give a Budget, or several")
        return []
    planned = [*request.budgets]
    for each in [wanted] if isinstance(wanted, Budget) else wanted:
        found = list(_problems(each, request.tenant))
        for problem in found:
            draft.problem("bad_budget", f"budget: {problem}")
        if not found:
            planned.append(each.document())
    return planned


def may_pause(budgets: Sequence[BudgetDocument]) -> bool:
    """Whether any of the budgets may pause the run."""
    return any(each["on_exceeded"] == "pause" for each in budgets)


def _problems(budget: object, tenant: str | None) -> Iterator[str]:
    if not isinstance(budget, Budget):
        yield f"{described(budget)} is none; give a Budget"
        return
    yield from budget.problems()
    if budget.per == "tenant" and tenant is None:
        yield "per is 'tenant', but the run has no tenant; give it one (tenant=...)"
