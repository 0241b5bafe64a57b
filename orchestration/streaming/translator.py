"""Translates what LangGraph reports of a run into what there is to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from orchestration.streaming.speeches import Speeches
from orchestration.streaming.told import Fact, Happening, Told, fact_of, fact_of_call
from state.compensation import next_compensation, place_of
from state.jsonvalue import json_like, json_object
from state.outcome import is_finished
from state.plan import is_stale, own_outcomes, path_of
from state.plan_document import AGAIN, COMPENSATE, CYCLIC_NODES, ENTER, INSIDE, ITEM
from state.result import TaskResult, settled_status
from state.status import SkipCause
from state.waiting import asked_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestration.workflow_events import EventKind
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import Outcome
    from state.plan import Plan
    from state.plan_document import PlanDocument
    from state.run_state import Outcomes, TurnRecord

NO_TURN: Final[JsonObject] = {}


class EventTranslator:
    """Says LangGraph's `tasks` stream in the project's terms, each fact once.

    A subgraph's node reports again what its inner nodes did; what was said is left out. Whose
    plan a node works on stands in what it was given, so that is kept until the node ends.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        """Of the run as a whole; another one after an upgrade."""
        self._told = Told()
        self._speeches = Speeches()
        self._begun: dict[str, Begun] = {}
        self._turns: dict[str, int] = {}
        """Of cycles in the log, by the path around them."""

    def learn(self, happening: Happening) -> None:
        """Take over what the log has, so that it is not told again."""
        self._told.learn(happening)
        self._learn_supervisor(happening)
        self._speeches.learn(happening, fact_of(happening))

    def _learn_supervisor(self, happening: Happening) -> None:
        """Find out in which turn a supervisor spoke; that its calls begin is never told."""
        kind, path, data = happening
        around = path.rpartition(INSIDE)[0]
        if kind == "turn_started" and "task" in data:
            self._turns[around] = cast("int", data["turn"])
        elif kind == "token" and self.plan.task_at(path) is None:
            fact = Fact("task_started", path, 1, self._turns.get(around, 0))
            if not self._speeches.hears(fact):
                self._speeches.learn(Happening("task_started", path), fact)

    def learned(self) -> None:
        """All that the log has is taken over."""
        self._speeches.learned()

    def say(self, context: AgentContext, text: str) -> Iterator[Happening]:
        """Tell a piece of an agent's text, and if need be before it that the agent was called."""
        fact = fact_of_call(context)
        if not self._speeches.hears(fact):
            if self._is_over(fact):
                return
            if self.plan.task_at(fact.name) is None:  # a supervisor
                yield from self._speeches.begin(fact)
            else:
                yield from self._begins(fact, {"turn": fact.turn} if fact.turn else NO_TURN)
        yield from self._speeches.say(fact.name, text)

    def hears(self, context: AgentContext) -> bool:
        """Whether the beginning of a call was told, if ever it is."""
        fact = fact_of_call(context)
        return self._speeches.hears(fact) or self.plan.task_at(fact.name) is None

    def _is_over(self, begun: Fact) -> bool:
        """Whether an attempt has ended whose agent speaks on, as one in a thread may."""
        ends = (begun._replace(kind=kind) for kind in ("task_finished", "task_retrying"))
        return any(self._told.knows(end) and not self._told.in_log(end) for end in ends)

    def find(self, path: str, middleware: str, verdict: JsonObject) -> Iterator[Happening]:
        """Tell a verdict of middleware about a task."""
        return self._speeches.find(path, middleware, verdict)

    def translate(self, payload: dict[str, Any]) -> Iterator[Happening]:
        """Tell one payload of the `tasks` stream; often it is nothing new."""
        if "triggers" in payload:
            yield from self._started(payload)
            return
        begun = self._begun.pop(payload["id"], None)
        if begun is not None:
            yield from self._finished(payload, begun)
        for interrupt in payload.get("interrupts", ()):
            yield from self.ask(interrupt["id"], interrupt["value"])

    def ask(self, id_: str, question: object) -> Iterator[Happening]:
        """Tell what waits for a person."""
        value = json_like(question)  # an agent that is a graph may ask with anything
        if _is_wait(self.plan, value):  # it was told when the wait began
            return
        asker = value.get("task_id", "") if isinstance(value, dict) else ""
        path = asker if isinstance(asker, str) else ""
        if self._told.is_new(Fact("approval_requested", id_)):
            self._speeches.asked(path)
            yield Happening("approval_requested", path, {"id": id_, "value": value})

    def catch_up(
        self, plan: PlanDocument, outcomes: Outcomes, turns: Sequence[TurnRecord] = ()
    ) -> Iterator[Happening]:
        """Tell what the state knows of one plan's tasks, in plan order, and was not told.

        A process that died has saved it, and had no time to tell it; or nobody streamed the run.
        """
        if "scope" in plan and not _is_item(plan):
            yield from self._task_around(plan)
        for record in turns:
            yield from self._turn_record(record, plan)
        if "repeat" in plan:
            yield from self._loop_turn(plan)
        for task_id in plan["order"]:
            outcome = outcomes.get(task_id)
            if outcome is None or (is_stale(outcome, plan) and "supervision" not in plan):
                continue  # of a loop, each turn has paths of its own
            if "for_each" in plan:
                if not plan["for_each"]["single"]:
                    yield from self._end(path_of(plan, task_id), outcome, _turn(plan))
                continue
            yield from self._task_so_far(plan, task_id, outcome)

    def _task_around(self, plan: PlanDocument) -> Iterator[Happening]:
        """Tell that the task has begun in which a plan stands."""
        scope = plan["scope"]
        around, inside, _ = plan["run_id"].partition(INSIDE)[2].rpartition(INSIDE)
        path = f"{around}{inside}{scope['task']}"
        if self._told.is_new(Fact("task_started", path, 1, scope.get("turn", 0))):
            turn: JsonObject = {"turn": scope["turn"]} if "turn" in scope else {}
            yield Happening("task_started", path, {"attempt": 1, **turn})

    def _task_so_far(
        self, plan: PlanDocument, task_id: str, outcome: Outcome
    ) -> Iterator[Happening]:
        path, turn = path_of(plan, task_id), outcome.get("turn", 0)
        if not _never_began(outcome):
            attempt = max(outcome["attempts"], 1)
            if self._told.is_new(Fact("task_started", path, attempt, turn)):
                data: JsonObject = {"attempt": attempt, **_turn_of(outcome)}
                yield Happening("task_started", path, data)
        yield from self._became(plan, task_id, outcome, _turn_of(outcome))
        undoing = outcome.get("compensation")
        if undoing is not None:
            attempt = undoing["attempts"]
            if self._told.is_new(Fact("compensation_started", path, attempt)):
                yield Happening("compensation_started", path, {"attempt": attempt})
            yield from self._undoing(path, outcome, undoing)

    def _started(self, payload: dict[str, Any]) -> Iterator[Happening]:
        name, given = payload["name"], payload["input"]
        plan = self._plan_in(given)
        if plan is None:  # a node of a graph that is an agent
            return
        outcomes: Outcomes = given.get("outcomes", {})
        undoes = _undone_next(plan, outcomes) if name == COMPENSATE else None
        self._begun[payload["id"]] = Begun(plan, undoes)
        if undoes is not None:
            task, _, around = place_of(plan, outcomes, undoes)
            attempt = _attempts(around[task["id"]].get("compensation")) + 1
            yield from self._begins(Fact("compensation_started", path_of(plan, undoes), attempt))
        elif name in plan["tasks"]:
            known = outcomes.get(name)
            if known is not None and is_stale(known, plan):
                known = None
            path, turn = path_of(plan, name), plan.get("turn", 0)
            if is_finished(known) and self._told.knows(
                Fact("task_finished", path, _attempts(known), turn)
            ):
                return  # it was done under the plan before this one
            fact = Fact("task_started", path, _attempts(known) + 1, turn)
            yield from self._begins(fact, _turn(plan))

    def _begins(self, fact: Fact, turn: JsonObject = NO_TURN) -> Iterator[Happening]:
        if self._told.is_new(fact):
            kind: EventKind = (
                "task_started" if fact.kind == "task_started" else "compensation_started"
            )
            yield Happening(kind, fact.name, {"attempt": fact.number, **turn})
        yield from self._speeches.begin(fact)

    def _finished(self, payload: dict[str, Any], begun: Begun) -> Iterator[Happening]:
        name, result = payload["name"], payload.get("result")
        outcomes = result.get("outcomes", {}) if isinstance(result, dict) else {}
        if not isinstance(outcomes, dict):  # an `Overwrite`: the node around says it again
            outcomes = {}
        if name == COMPENSATE:
            yield from self._undone(begun, outcomes)
        elif name.endswith(ITEM):
            yield from self._items_ended(begun.plan, outcomes)
        else:
            yield from self._ended(begun.plan, outcomes)
        if isinstance(result, dict):
            yield from self._turned(name, result, begun.plan)

    def _ended(self, plan: PlanDocument, outcomes: Outcomes) -> Iterator[Happening]:
        for task_id, outcome in outcomes.items():
            if task_id not in plan["tasks"] or is_stale(outcome, plan):
                continue  # it shows through from around the plan, or from an earlier turn
            yield from self._became(plan, task_id, outcome, _turn(plan))

    def _became(
        self, plan: PlanDocument, task_id: str, outcome: Outcome, turn: JsonObject
    ) -> Iterator[Happening]:
        path, waits = path_of(plan, task_id), _wait_begun(plan, task_id, outcome)
        if waits is None:
            yield from self._end(path, outcome, turn)
        elif self._told.is_new(Fact("task_waiting", path, turn=outcome.get("turn", 0))):
            yield Happening("task_waiting", path, {**waits, **turn})

    def _items_ended(self, plan: PlanDocument, outcomes: Outcomes) -> Iterator[Happening]:
        """Tell of items; of a single task's, that task was told of."""
        if plan["scope"].get("single"):
            return
        path = plan["run_id"].partition(INSIDE)[2]
        for outcome in outcomes.values():
            yield from self._end(path, outcome, _turn(plan))

    def _end(self, path: str, outcome: Outcome, turn: JsonObject) -> Iterator[Happening]:
        kind: EventKind = "task_finished" if is_finished(outcome) else "task_retrying"
        fact = Fact(kind, path, outcome["attempts"], outcome.get("turn", 0))
        is_new = self._told.is_new(fact)
        if not is_new and not self._told.in_log(fact):
            return
        data: JsonObject = {**TaskResult(path, outcome).as_json(), **turn}
        if is_new or self._told.is_otherwise(fact, data):
            yield from self._speeches.end(fact._replace(kind="task_started"))
            yield Happening(kind, path, data)

    def _undone(self, begun: Begun, outcomes: Outcomes) -> Iterator[Happening]:
        if begun.undoes is None or not outcomes:
            return
        task, _, around = place_of(begun.plan, outcomes, begun.undoes)
        outcome = around[task["id"]]
        path = path_of(begun.plan, begun.undoes)
        yield from self._undoing(path, outcome, outcome["compensation"])

    def _undoing(self, path: str, outcome: Outcome, undoing: Outcome) -> Iterator[Happening]:
        kind: EventKind = (
            "compensation_finished" if is_finished(undoing) else "compensation_retrying"
        )
        attempt = undoing["attempts"]
        if self._told.is_new(Fact(kind, path, attempt)):
            yield from self._speeches.end(Fact("compensation_started", path, attempt))
            yield Happening(kind, path, TaskResult(path, outcome).as_json())

    def _turned(
        self, name: str, result: dict[str, Any], before: PlanDocument
    ) -> Iterator[Happening]:
        """Tell of a turn that begins: of a cycle with who has it and why, of a loop its number."""
        if "turns" in result and name in CYCLIC_NODES:
            yield from self._turn_record(result["turns"][-1], before)
        plan = result.get("plan")
        if plan is not None and "repeat" in plan and name.endswith((ENTER, AGAIN)):
            yield from self._loop_turn(plan)

    def _turn_record(self, record: TurnRecord, plan: PlanDocument) -> Iterator[Happening]:
        data = json_object(record, at="turn")
        ends = record["task"] is None
        kind: EventKind = "turns_ended" if ends else "turn_started"
        inside = plan["run_id"].partition(INSIDE)[2]
        path = inside if record["task"] is None else path_of(plan, record["task"])
        if self._told.is_new(Fact(kind, path, record["turn"])):
            yield Happening(kind, path, data)

    def _loop_turn(self, plan: PlanDocument) -> Iterator[Happening]:
        path = plan["run_id"].partition(INSIDE)[2].rpartition("#")[0]
        if self._told.is_new(Fact("turn_started", path, plan["turn"])):
            yield Happening("turn_started", path, {"turn": plan["turn"], "by": "loop"})

    def _plan_in(self, given: object) -> PlanDocument | None:
        """The plan that a node was given; None where it is no node of this run."""
        plan = given.get("plan") if isinstance(given, dict) else None
        if not isinstance(plan, dict) or "run_id" not in plan:
            return None
        whole = str(plan["run_id"]).partition(INSIDE)[0]
        return cast("PlanDocument", plan) if whole == self.plan.run_id else None


class Begun(NamedTuple):
    """What a node was given that runs now."""

    plan: PlanDocument
    undoes: str | None
    """The path of the task that it undoes."""


def _wait_begun(plan: PlanDocument, task_id: str, outcome: Outcome) -> JsonObject | None:
    """What a task waits for that has just begun to; None if this is something else."""
    wait = plan["tasks"][task_id].get("wait")
    if wait is None or is_finished(outcome):
        return None
    name = wait["signal"] if wait["kind"] == "signal" else None
    return {"due_at": outcome.get("next_due_at"), "signal": name}


def _is_wait(plan: Plan, value: JsonValue) -> bool:
    """Whether an interrupt is the wait of a task, and so asks nobody."""
    task_id = value.get("task_id") if isinstance(value, dict) else None
    task = plan.task_at(task_id) if isinstance(task_id, str) else None
    return task is not None and asked_by(task, value) is not None


def _undone_next(plan: PlanDocument, outcomes: Outcomes) -> str | None:
    """Say which task the compensation node begins to undo; it decides as is done here."""
    own = own_outcomes(plan, outcomes)
    return next_compensation(plan, own, status=settled_status(plan, own))


def _attempts(known: Outcome | None) -> int:
    return 0 if known is None else known["attempts"]


def _turn(plan: PlanDocument) -> JsonObject:
    return {"turn": plan["turn"]} if "turn" in plan else {}


def _turn_of(outcome: Outcome) -> JsonObject:
    return {"turn": outcome["turn"]} if "turn" in outcome else {}


def _never_began(outcome: Outcome) -> bool:
    """Whether a task was left out by what chose another, so that it has no beginning."""
    return outcome.get("because") == SkipCause.NOT_ROUTED


def _is_item(plan: PlanDocument) -> bool:
    """Whether a plan is that of one item of a list, which is no task."""
    return "item" in plan and plan["scope"]["task"] == str(plan["item"]["index"])
