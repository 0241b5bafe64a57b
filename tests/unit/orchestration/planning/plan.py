"""Plans as the tables of requests write them, and how a proposal compares with one.

`purchase! <budget quantity=2 undo ?outputs.budget.budget_remaining > 5.0` is a task with the id
`purchase` that a person approves first, comes after `budget`, has `quantity` 2, can be undone, and
a condition that contains what follows the question mark. `note~agreed` wants `agreed` in the
note; `message~` looks into the message. Tasks are separated by ` | `. `REFUSE word` means that
nothing may run, and that a sentence says `word`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from orchestration.agents.team import Team
from orchestration.planning.deterministic import DeterministicPlanner
from state.jsonvalue import JsonObject
from state.proposal import AgentCard, PlanningRequest, Proposal, ProposedTask

TEAM = tuple(
    AgentCard(agent, tuple(map(str, capabilities)), Team.descriptions[agent])
    for agent, capabilities in Team.capabilities.items()
)


@dataclass(frozen=True)
class Expected:
    """One task of an expected plan."""

    task_id: str
    approval: bool = False
    undo: bool = False
    depends_on: frozenset[str] = frozenset()
    condition: str | None = None
    exactly: dict[str, str] = field(default_factory=dict)
    containing: dict[str, str] = field(default_factory=dict)


def table(name: str) -> list[tuple[str, str]]:
    rows = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return [(str(request), str(plan)) for request, plan in rows]


async def proposed(
    request: str,
    *,
    agents: Sequence[AgentCard] = TEAM,
    earlier: Sequence[JsonObject] = (),
) -> Proposal:
    messages: list[JsonObject] = [*earlier, {"role": "user", "content": request}]
    return await DeterministicPlanner().propose(PlanningRequest(messages=messages, agents=agents))


def differences(proposal: Proposal, plan: str) -> list[str]:
    """Say how a proposal differs from the plan expected of it."""
    if plan.startswith("REFUSE"):
        word = plan.removeprefix("REFUSE").strip()
        said = " ".join(proposal.not_understood)
        if not said:
            return [f"was understood as {[task.task_id for task in proposal.tasks]}"]
        return [] if word.lower() in said.lower() else [f"{word!r} is not in {said!r}"]
    if proposal.not_understood:
        return [*proposal.not_understood]
    wanted = {expected.task_id: expected for expected in map(_expected, plan.split(" | "))}
    found = {task.task_id: task for task in proposal.tasks}
    if set(wanted) != set(found):
        return [f"has the tasks {sorted(found)}, not {sorted(wanted)}"]
    return [said for task_id in wanted for said in _different(found[task_id], wanted[task_id])]


def _expected(said: str) -> Expected:
    said, _, condition = said.partition("?")
    words = said.split()
    task_id = words[0]
    after = next((word[1:].split(",") for word in words if word.startswith("<")), [])
    pairs = [word.partition("=") for word in words[1:] if "=" in word]
    parts = [word.partition("~") for word in words[1:] if "~" in word]
    return Expected(
        task_id=task_id.rstrip("!"),
        approval=task_id.endswith("!"),
        undo="undo" in words,
        depends_on=frozenset(after),
        condition=condition.strip() or None,
        exactly={name: value for name, _, value in pairs},
        containing={name: value for name, _, value in parts},
    )


def _different(task: ProposedTask, expected: Expected) -> list[str]:
    pairs = (
        ("depends_on", set(task.depends_on), set(expected.depends_on)),
        ("requires_approval", task.requires_approval, expected.approval),
        ("compensate", bool(task.compensate), expected.undo),
        ("condition", _as_expected(task.condition, expected.condition), expected.condition),
    )
    said = [
        f"{task.task_id} has {name}={found!r}, not {wanted!r}"
        for name, found, wanted in pairs
        if found != wanted
    ]
    return [*said, *_different_input(task, expected)]


def _as_expected(condition: str | None, expected: str | None) -> str | None:
    """The part of a condition that a table gives, if it is there."""
    return expected if expected and condition and expected in condition else condition


def _different_input(task: ProposedTask, expected: Expected) -> list[str]:
    given = {**task.input_data, "message": message_of(task)}
    wrong = [
        f"{task.task_id} has {name}={given.get(name)!r}, not {value!r}"
        for name, value in expected.exactly.items()
        if str(given.get(name)) != value
    ]
    without = [
        f"{task.task_id} has {name}={given.get(name)!r}, without {value!r}"
        for name, value in expected.containing.items()
        if value.lower() not in str(given.get(name)).lower()
    ]
    return [*wrong, *without]


def message_of(task: ProposedTask) -> str:
    messages = task.input_data["messages"]
    assert isinstance(messages, list)
    assert isinstance(messages[0], dict)
    return str(messages[0]["content"])
