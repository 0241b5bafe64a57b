"""What a run's calls came to and cost: call records, from what became of its tasks.

They are written in the transaction that lets go of the thread, so a run pays no commit for
them; and under its run and path, so that a run that goes on counts nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from checkpoints.traffic import CallRecord
from nodes.middleware import was_served
from state.plan_document import INSIDE
from state.run_state import merge_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from state.outcome import Outcome
    from state.plan import Plan
    from state.plan_document import PlanDocument, PlannedTask
    from state.run_state import Outcomes

    Scopes = Sequence[tuple[PlanDocument, Outcomes]]
    Observe = Callable[[str, Outcome], None]

UNDOING: Final = ":compensate"
"""Ends the path of what undoes a task, as it ends its idempotency key."""
_OF_UNDOING: Final = frozenset({"status", "compensation"})
"""What undoing a task changes in its outcome."""


class Account:
    """The calls of one run while this process has its thread."""

    __slots__ = (
        "_earlier",
        "_known",
        "_learned",
        "_noted",
        "_scopes",
        "_thread_id",
        "carried",
        "plan",
    )

    def __init__(
        self,
        thread_id: str,
        plan: Plan,
        known: Outcomes,
        *,
        scopes: Scopes = (),
        before: Account | None = None,
    ) -> None:
        """Begin to keep account.

        Args:
            thread_id: Whose run.
            plan: What it does.
            known: What became of its tasks; what the run announces is added there.
            scopes: The plans inside tasks that are under way, with what is known of theirs.
            before: The account so far; it counts where the run had another plan.
        """
        self.plan = plan
        self._thread_id = thread_id
        self._known = known
        self._learned = known
        self._scopes = scopes
        self.carried: Sequence[CallRecord] = ()
        """What the run did under earlier plans."""
        if before is not None:
            self.carried = before.carried if before.plan is plan else before.records()
        self._noted: dict[tuple[str, int], Outcome] = {}
        self._earlier: Mapping[str, Outcome] = (
            dict(_seeded(plan.document)) if "seed" in plan.document else {}
        )

    def observing(self, observe: Observe | None) -> Observe | None:
        """Return what is to be told each outcome, where those at the end will not have all.

        They have the last turn of a loop or a cycle, and nothing of a task under way.
        """
        if not self.plan.traits.nests and "supervision" not in self.plan.document:
            return observe

        def note(path: str, outcome: Outcome) -> None:
            if "agent" in outcome:
                self._noted[path, outcome.get("turn", 0)] = outcome
            if observe is not None:
                observe(path, outcome)

        return note

    def learn(self, outcomes: Outcomes) -> None:
        """Take over what a graph hands out.

        What a superstep had done before a crash, and had only to save, is not announced again.
        """
        self._learned = outcomes

    def records(self) -> list[CallRecord]:
        """What is to be recorded now."""
        document, known = self.plan.document, self._known
        if self._learned is not known:
            known = merge_outcomes(self._learned, known)
        if not (self._noted or self._scopes or self.carried or self._earlier):
            return list(self._records(_called(document, known)))
        found: dict[str, Outcome] = {}
        for plan, inner in self._scopes:
            inside = plan["run_id"].partition(INSIDE)[2] + INSIDE
            found.update(_called(plan, inner, inside=inside))
        for (path, _), outcome in self._noted.items():
            found[_in_turn(document, path, outcome)] = outcome
        found.update(_called(document, known))
        new = ((path, each) for path, each in found.items() if not self._is_earlier(path, each))
        undone = [
            (path + UNDOING, each["compensation"])
            for path, each in found.items()
            if "compensation" in each and self._is_earlier(path, each)
        ]
        return [*self.carried, *self._records(new), *self._records(undone)]

    def _records(self, called: Iterable[tuple[str, Outcome]]) -> Iterator[CallRecord]:
        run_id, tenant = self.plan.run_id, self.plan.document["tenant"]
        for path, outcome in called:
            if _was_called(outcome):
                yield _record(run_id, path, self._thread_id, tenant, outcome)
            if "compensation" in outcome:
                undoing = outcome["compensation"]
                if _was_called(undoing):
                    yield _record(run_id, path + UNDOING, self._thread_id, tenant, undoing)

    def _is_earlier(self, path: str, outcome: Outcome) -> bool:
        """Whether a task was done before the run began under this plan, and counted then."""
        earlier = self._earlier.get(_without_turns(path)) if self._earlier else None
        return earlier is not None and _as_done(earlier) == _as_done(outcome)


def _was_called(outcome: Outcome) -> bool:
    """Whether an agent was called, rather than answered for from a cache."""
    if "agent" not in outcome or not outcome["attempts"]:
        return False
    return "middleware" not in outcome or not was_served(outcome["middleware"])


def _record(
    run_id: str, path: str, thread_id: str, tenant: str | None, outcome: Outcome
) -> CallRecord:
    usage, finished_at = outcome.get("usage"), outcome.get("finished_at", 0.0)
    return CallRecord(
        run_id,
        path,
        thread_id,
        tenant,
        outcome["agent"],
        outcome["version"],
        outcome.get("endpoint", ""),
        outcome["status"],
        max(outcome["attempts"], len(outcome.get("tries", ()))),
        finished_at - outcome.get("started_at", finished_at),
        0 if usage is None else usage["input_tokens"],
        0 if usage is None else usage["output_tokens"],
        outcome.get("cost"),
        finished_at,
    )


def _called(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], *, inside: str = ""
) -> Iterator[tuple[str, Outcome]]:
    """What became of a plan's tasks, and of those inside them, by path."""
    cyclic = "supervision" in plan
    for id_ in plan["order"]:
        outcome = outcomes.get(id_)
        if outcome is None:
            continue
        path = inside + id_
        if cyclic and "turn" in outcome:
            path += f"#{outcome['turn']}"
        yield path, outcome
        if "inner" in outcome:
            task = plan["tasks"].get(id_)
            # of a list, its items are not in the plan's tasks, but what each consists of is
            yield from _called_inside(task, outcome, path) if task is not None else ()


def _called_inside(task: PlannedTask, outcome: Outcome, path: str) -> Iterator[tuple[str, Outcome]]:
    if "body" not in task:
        return
    if "for_each" in task:
        for number, item in outcome["inner"].items():
            where = f"{path}{INSIDE}{number}{INSIDE}"
            yield from _called(task["body"], item.get("inner", {}), inside=where)
        return
    turn = f"#{outcome.get('turns', 0)}" if "repeat" in task else ""
    yield from _called(task["body"], outcome["inner"], inside=f"{path}{turn}{INSIDE}")


def _in_turn(plan: PlanDocument, path: str, outcome: Outcome) -> str:
    """The path of an outcome that was announced, with its turn where it is of a cycle."""
    around, parts = plan, iter(path.split(INSIDE)[:-1])
    for part in parts:
        task = around["tasks"].get(part.partition("#")[0])
        if task is None or "body" not in task:
            return path
        if "for_each" in task:
            next(parts, None)  # the number of an item
        around = task["body"]
    return f"{path}#{outcome['turn']}" if "supervision" in around and "turn" in outcome else path


def _seeded(plan: PlanDocument) -> Iterator[tuple[str, Outcome]]:
    """What was done before a run began under a plan, by path without turns."""
    seed = plan["seed"]
    for path, outcome in _flat(seed["outcomes"]):
        yield path, outcome
    for around, scope in seed.get("scopes", {}).items():
        for path, outcome in _flat(scope["outcomes"]):
            yield _without_turns(around + INSIDE + path), outcome


def _flat(outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, Outcome]]:
    for id_, outcome in outcomes.items():
        yield id_, outcome
        for path, inner in _flat(outcome.get("inner", {})):
            yield id_ + INSIDE + path, inner


def _without_turns(path: str) -> str:
    return INSIDE.join(part.partition("#")[0] for part in path.split(INSIDE))


def _as_done(outcome: Outcome) -> dict[str, object]:
    return {key: value for key, value in outcome.items() if key not in _OF_UNDOING}
