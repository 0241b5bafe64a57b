"""Which facts of a run were told, now or by a process before, so that none is told twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from state.plan import path_in
from state.status import TaskStatus

if TYPE_CHECKING:
    from orchestration.workflow_events import EventKind
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


UNDOING: Final = ":compensate"
"""What the idempotency key of a compensation ends in."""
_TURN = re.compile(r"#(\d+)[^#]*$")


class Happening(NamedTuple):
    """Something to tell, not numbered yet."""

    kind: EventKind
    task_id: str = ""
    data: JsonObject = {}  # noqa: RUF012  never changed


class Fact(NamedTuple):
    """What makes a happening the same as another."""

    kind: str
    name: str
    """A path, or the id of a question."""
    number: int = 0
    """An attempt, or a turn that begins."""
    turn: int = 0
    """In which it happens."""


class Told:
    """The facts that were told."""

    def __init__(self) -> None:
        self._told: set[Fact] = set()
        self._logged: dict[Fact, object] = {}

    def learn(self, happening: Happening) -> None:
        """Take over what the log has."""
        fact = fact_of(happening)
        if fact is not None:
            self._told.add(fact)
            if fact.kind in {"task_finished", "task_retrying"}:
                self._logged[fact] = _essence(happening.data)

    def is_new(self, fact: Fact) -> bool:
        """Whether to tell a fact; from now on it is told."""
        if fact in self._told:
            return False
        self._told.add(fact)
        return True

    def knows(self, fact: Fact) -> bool:
        """Whether a fact was told."""
        return fact in self._told

    def in_log(self, fact: Fact) -> bool:
        """Whether a process before told what became of a task, whose outcome may be lost."""
        return fact in self._logged

    def is_otherwise(self, fact: Fact, data: JsonObject) -> bool:
        """Whether what became of a task is not what a process before told of it."""
        essence = _essence(data)
        before, self._logged[fact] = self._logged[fact], essence
        return before != essence


def fact_of(happening: Happening) -> Fact | None:
    """Return the fact that a logged event tells; None for one that is told as often as it is."""
    kind, path, data = happening
    values: dict[str, Any] = data
    fact = Fact(kind, path, turn=values.get("turn", 0))
    match kind:
        case "task_started" | "compensation_started":
            fact = fact._replace(number=values["attempt"])
        case "task_finished" | "task_retrying":
            fact = fact._replace(number=values["attempts"])
        case "compensation_finished" | "compensation_retrying":
            fact = fact._replace(number=values["compensation"]["attempts"])
        case "approval_requested":
            fact = Fact(kind, values["id"])
        case "turn_started" | "turns_ended":
            fact = Fact(kind, path, values["turn"])
        case "run_started" | "token" | "token_restart" | "verdict" | "run_finished":
            return None
    return fact


def fact_of_call(context: AgentContext) -> Fact:
    """Return the fact that an agent is called; what tells one turn's calls apart is in the key."""
    path = path_in(context.run_id, context.task_id)
    end = context.idempotency_key.removeprefix(f"{context.run_id}:{context.task_id}")
    if end == UNDOING:
        return Fact("compensation_started", path, context.attempt)
    turn = _TURN.search(end or context.run_id)
    return Fact("task_started", path, context.attempt, int(turn[1]) if turn else 0)


def _essence(data: JsonObject) -> object:
    """What must be the same of a result that comes again; being undone later changes nothing."""
    status, error = data["status"], data["error"]
    if status == TaskStatus.COMPENSATED:
        status = TaskStatus.SUCCEEDED.value
    return status, data["output"], error
