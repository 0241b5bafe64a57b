"""How often a run may call an agent again: retries and failovers, over all of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.plan import foreign_tasks, own_outcomes
from state.plan_document import INSIDE
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from state.outcome import Outcome
    from state.plan_document import PlanDocument
    from state.run_state import Outcomes


class RetryBudget:
    """Counts the calls after the first of each task, and says when there are enough.

    After a crash it is counted anew from the outcomes in the checkpoint.
    """

    def __init__(self, limit: int, known: Iterable[Outcome] = ()) -> None:
        self.limit = limit
        self._left = limit - sum(map(repeated_calls, known))

    def take(self) -> bool:
        """Whether one more call may be made; it counts as made then."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True


def budget_of(
    plan: PlanDocument,
    known: Mapping[str, Outcome],
    *,
    scopes: Collection[tuple[PlanDocument, Outcomes]] = (),
) -> RetryBudget | None:
    """The budget of a run, less what it has used already; None where there is no limit.

    Args:
        plan: Of the run as a whole.
        known: What became of its tasks so far.
        scopes: The plans inside tasks that are under way, with what is known of theirs.
    """
    limit = plan.get("retry_budget")
    if limit is None:
        return None
    foreign = foreign_tasks(plan)
    used = [each for id_, each in known.items() if id_ not in foreign]
    for inner, found in scopes:
        used += own_outcomes(inner, found).values()
    if "seed" in plan:
        begun = {*known, *(inner["run_id"].split(INSIDE)[1].split("#")[0] for inner, _ in scopes)}
        for path, scope in plan["seed"].get("scopes", {}).items():
            if path.partition(INSIDE)[0] not in begun:  # it is to go on from there
                used += scope["outcomes"].values()
    return RetryBudget(limit, used)


def repeated_calls(outcome: Outcome) -> int:
    """How many calls after the first a task has had, with the tasks inside it.

    An attempt that is still to come was taken from the budget when it was decided on.
    """
    calls = max(outcome["attempts"], len(outcome.get("tries", ())))
    if outcome["status"] == TaskStatus.PENDING and "next_due_at" in outcome:
        calls += 1
    inner = sum(map(repeated_calls, outcome.get("inner", {}).values()))
    undoing = outcome.get("compensation")
    return max(0, calls - 1) + inner + (0 if undoing is None else repeated_calls(undoing))
