"""Letting a run go on under a changed workflow: what has begun, and the plan that it goes on with.

The run goes on from the start of the new plan's graph, with everything that was achieved as
its seed: what is done is passed over, what was under way is called again under its old
idempotency key, and what waits is asked anew. So it does not matter how the new graph differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langgraph.types import StateSnapshot

from checkpoints.upgrades import UpgradeRecord
from nodes.agent_call import approval_key
from nodes.approval import BUDGET, approval_record
from nodes.budget_gate import budget_key
from nodes.waiting import answered_wait
from orchestration.engines.snapshots import belongs_to, known_outcomes, scopes_in, task_of
from state.errors import MigrationError, UpgradeError
from state.jsonvalue import json_like
from state.plan import Plan, foreign_tasks, own_outcomes, path_of
from state.plan_document import INSIDE, OF_A_CYCLE, PlanDocument, ScopeSeed, Seed
from state.question import is_approval, is_own
from state.result import TaskResult
from state.upgrade import carrying_problems, compare

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from langgraph.types import Interrupt

    from nodes.run_handle import RunHandle
    from state.jsonvalue import JsonObject, JsonValue
    from state.run_state import ApprovalRecord, Outcomes
    from state.upgrade import Upgrade


class Standing(NamedTuple):
    """How far a run has come."""

    plan: PlanDocument
    """As it stands in the state, or in the thread's row if there is none yet."""
    outcomes: Outcomes
    begun: frozenset[str]
    """Tasks that are done, under way, or wait for an answer."""
    values: Mapping[str, Any]
    scopes: Mapping[str, ScopeSeed]
    asks_inside: tuple[str, ...] = ()
    """Tasks whose agent, itself a graph, asks something in the middle of its work."""

    def upgrade_to(self, plan: Plan, new: Plan) -> Upgrade:
        """Say what the change from one plan to another means for the run."""
        return compare(plan.document, new.document, self.begun)

    def hindrances(self) -> list[str]:
        """Why it cannot follow any change now."""
        return [
            f"~ task {each!r}: its agent asks something in the middle of its work; answer first"
            for each in self.asks_inside
        ]


class Replacement(NamedTuple):
    """The plan that a run goes on with, and what is recorded of that."""

    plan: Plan
    record: UpgradeRecord
    taken: Collection[str]
    """Interrupt ids of the answers that the plan holds."""


def is_undoing(known: Outcomes) -> bool:
    """Whether what was achieved is being undone: such a run ends as it began."""
    return any("compensation" in each for each in known.values())


def scope_seeds(plan: Plan) -> Mapping[str, ScopeSeed]:
    """How plans inside a run's tasks stood when it went on under another plan."""
    return plan.document["seed"].get("scopes", {})


def is_newer(new: Plan, plan: Plan) -> bool:
    """Whether a workflow is not as it was when the run began, or went on last."""
    return new.signature() != plan.signature()


def are_own(interrupts: Iterable[Interrupt], answers: Mapping[str, object]) -> bool:
    """Whether no answer is to an agent's question; those go to whom asked, under the old plan."""
    return all(is_own(json_like(each.value)) for each in interrupts if each.id in answers)


def with_waits(
    standing: Standing,
    interrupts: Iterable[Interrupt],
    answers: Mapping[str, object],
    run: RunHandle,
) -> Standing:
    """Let what a run waited for, and has come, be done; so the new plan does not wait again."""
    plan, outcomes, scopes = Plan(standing.plan), {**standing.outcomes}, {**standing.scopes}
    for each in interrupts:
        path = task_of(json_like(each.value))
        task = plan.task_at(path)
        if each.id not in answers or _is_approval(each) or task is None or "wait" not in task:
            continue
        around, _, task_id = path.rpartition(INSIDE)
        if around and around not in scopes:  # of a loop, without its turn
            around = around.rpartition("#")[0]
        known = scopes[around]["outcomes"] if around else outcomes
        answer = cast("JsonValue", answers[each.id])
        done = {**known, task_id: answered_wait(task, known[task_id], answer, run)}
        if around:
            scopes[around] = {**scopes[around], "outcomes": done}
        else:
            outcomes = done
    return standing._replace(outcomes=outcomes, scopes=scopes)


def by_path(interrupts: Iterable[Interrupt], answers: Mapping[str, object]) -> dict[str, object]:
    """Return answers to approvals by the path of the task, to a budget's with a mark."""
    return {
        task_of(each.value) + (BUDGET if "budget" in each.value else ""): answers[each.id]
        for each in interrupts
        if each.id in answers and _is_approval(each)
    }


def _is_approval(interrupt: Interrupt) -> bool:
    return is_approval(json_like(interrupt.value))


def standing_of(snapshot: StateSnapshot, plan: Plan) -> Standing:
    """Say how far a run has come."""
    if not belongs_to(snapshot, plan):
        seed: Mapping[str, Any] = plan.document.get("seed", {})
        outcomes: Outcomes = {**seed.get("outcomes", {})}
        scopes: Mapping[str, ScopeSeed] = seed.get("scopes", {})
        begun = frozenset({*outcomes, *(path.partition(INSIDE)[0] for path in scopes)})
        return Standing(plan.document, outcomes, begun, seed, scopes)
    outcomes = known_outcomes(snapshot)
    values = snapshot.values
    under_way = {*_under_way(snapshot, plan)}
    approved = {key.partition("#")[0] for key in values.get("approvals", {})}
    return Standing(
        values["plan"],
        outcomes,
        frozenset({*outcomes, *under_way, *approved} & {*plan.document["tasks"]}),
        values,
        dict(_scope_seeds(snapshot)),
        tuple(_asking_inside(snapshot, plan)),
    )


def _under_way(snapshot: StateSnapshot, plan: Plan) -> Iterator[str]:
    """The tasks of the plan that a pending node belongs to."""
    for task in snapshot.tasks:
        inner = task.state if isinstance(task.state, StateSnapshot) else None
        if inner is not None and inner.values.get("plan", plan.document)["run_id"] == plan.run_id:
            yield from _under_way(inner, plan)  # a branch
        if task.result is None:
            yield task.name.partition(".")[0]


def _asking_inside(snapshot: StateSnapshot, plan: Plan) -> Iterator[str]:
    """The tasks whose agent asks something of its own."""
    for task in snapshot.tasks:
        inner = task.state if isinstance(task.state, StateSnapshot) else None
        if inner is not None and "plan" in inner.values:
            yield from _asking_inside(inner, plan)
        elif not all(map(_is_ours, task.interrupts)):
            document: PlanDocument = snapshot.values.get("plan", plan.document)
            yield path_of(document, task.name.partition(".")[0])


def _is_ours(interrupt: Interrupt) -> bool:
    return is_own(json_like(interrupt.value))


def _scope_seeds(snapshot: StateSnapshot) -> Iterator[tuple[str, ScopeSeed]]:
    for plan, outcomes, values in _scopes(snapshot):
        path = plan["run_id"].partition(INSIDE)[2]
        around, inside, last = path.rpartition(INSIDE)
        if "repeat" in plan:
            last = last.partition("#")[0]
        seed: dict[str, Any] = {
            "outcomes": own_outcomes(plan, outcomes),
            "approvals": {**values.get("approvals", {})},
            "route": {**(values.get("route") or {})},
            "turns": [*values.get("turns", [])],
        }
        seed |= {key: plan[key] for key in OF_A_CYCLE if key in plan}
        yield f"{around}{inside}{last}", cast("ScopeSeed", seed)


def _scopes(
    snapshot: StateSnapshot,
) -> Iterator[tuple[PlanDocument, Outcomes, Mapping[str, Any]]]:
    states = {
        id(values["plan"]): values for values in _values(snapshot) if values.get("plan") is not None
    }
    for plan, outcomes in scopes_in(snapshot):
        yield plan, outcomes, states[id(plan)]


def _values(snapshot: StateSnapshot) -> Iterator[Mapping[str, Any]]:
    for task in snapshot.tasks:
        if isinstance(task.state, StateSnapshot):
            yield task.state.values
            yield from _values(task.state)


def upgraded(
    new: Plan,
    standing: Standing,
    answers: Mapping[str, object],
    *,
    renamed: Mapping[str, str | None] | None = None,
) -> Plan:
    """Return the new plan, with what was achieved as its seed.

    Args:
        new: The plan that the run goes on with.
        standing: How far it has come.
        answers: Answers to approvals that nobody took up yet, by path of the task.
        renamed: Under which id each begun task goes on; None for one that is given up.
            By default each keeps its id.
    """
    scopes = {path: cast("ScopeSeed", {**seed}) for path, seed in standing.scopes.items()}
    approvals: dict[str, ApprovalRecord] = {**standing.values.get("approvals", {})}
    for path, answer in answers.items():
        around, _, asked = path.rpartition(INSIDE)
        task_id, record = asked.removesuffix(BUDGET), approval_record(answer)
        key_in = budget_key if asked.endswith(BUDGET) else approval_key
        if around:
            scope = scopes[around if around in scopes else around.rpartition("#")[0]]  # of a loop
            key = key_in(cast("PlanDocument", scope), task_id)
            scope["approvals"] = {**scope["approvals"], key: cast("JsonObject", record)}
        else:
            approvals[key_in(standing.plan, task_id)] = record
    seed: dict[str, Any] = {
        "outcomes": standing.outcomes,
        "approvals": approvals,
        "scopes": scopes,
        "turns": [*standing.values.get("turns", [])],
        "foreign": sorted(foreign_tasks(standing.plan)),
    }
    route = standing.values.get("route") or {}
    if route.get("chosen"):
        seed["route"] = {"chosen": route["chosen"]}
    if renamed is not None:
        seed = _renamed(seed, renamed)
    document: dict[str, Any] = {**new.document, "seed": cast("Seed", seed)}
    document |= {key: standing.plan[key] for key in OF_A_CYCLE if key in standing.plan}
    return Plan(cast("PlanDocument", document))


def _renamed(seed: dict[str, Any], names: Mapping[str, str | None]) -> dict[str, Any]:
    """Let tasks go on under other ids; what is given up is left out."""

    def moved(values: Mapping[str, Any], separator: str) -> dict[str, Any]:
        found = {}
        for key, value in values.items():
            id_, mark, rest = key.partition(separator)
            target = names.get(id_, id_)
            if target is not None:
                found[target + mark + rest] = value
        return found

    return {
        "outcomes": moved(seed["outcomes"], INSIDE),
        "approvals": moved(seed["approvals"], "#"),
        "scopes": moved(seed["scopes"], INSIDE),
        "turns": seed["turns"],
        "foreign": [names.get(id_) or id_ for id_ in seed["foreign"]],
    }


def upgrade_record(
    old: Plan, new: Plan, upgrade: Upgrade, *, by: str | None = None
) -> UpgradeRecord:
    """Say that a run went on under another version, for the record."""
    name, version = _definition(old)
    new_name, new_version = _definition(new)
    return UpgradeRecord(
        run_id=old.run_id,
        name=new_name or name,
        old_version=version,
        new_version=new_version,
        old_signature=old.signature(),
        new_signature=new.signature(),
        differences=[*map(str, upgrade.differences)],
        by=by,
    )


def upgrade_error(
    thread_id: str, old: Plan, new: Plan, *, differences: list[str], database: str | None
) -> UpgradeError:
    """Say why a run cannot follow its workflow."""
    name, version = _definition(old)
    return UpgradeError(
        thread_id,
        name,
        old=version,
        new=_definition(new)[1],
        differences=differences,
        database=database,
    )


def _definition(plan: Plan) -> tuple[str, str]:
    definition = plan.document.get("definition")
    return (definition["name"], definition["version"]) if definition else ("", "")


def asked_names(
    thread_id: str,
    standing: Standing,
    new: Plan,
    names: Callable[[Mapping[str, TaskResult]], Mapping[str, str | None]],
) -> dict[str, str | None]:
    """Ask a caller's function what becomes of the tasks that have begun.

    Raises:
        MigrationError: It raised, or what it says does not fit.
    """
    begun = {id_: TaskResult(id_, standing.outcomes.get(id_)) for id_ in sorted(standing.begun)}
    try:
        given = dict(names(begun))
    except Exception as error:
        raise MigrationError(thread_id, [f"it raised {type(error).__name__}: {error}"]) from error
    problems = carrying_problems(standing.outcomes, begun, new.document["tasks"], given)
    problems += [
        f"{each!r} asks something in the middle of its work; answer that first, with --as-begun"
        for each in standing.asks_inside
    ]
    if problems:
        raise MigrationError(thread_id, problems)
    return given
