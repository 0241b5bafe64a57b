"""Plans as the tables of requests write them, and how a proposal compares with one.

`purchase! <budget quantity=2 undo ?outputs.budget.budget_remaining > 5.0` is a task with the id
`purchase` that a person approves first, comes after `budget`, has `quantity` 2, can be undone, and
a condition that contains what follows the question mark. `note~agreed` wants `agreed` in the
note; `message~` looks into the message. Tasks are separated by ` | `. `REFUSE word` means that
nothing may run, and that a sentence says `word`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from orchestration.agents.team import Team
from orchestration.planning import DeterministicPlanner
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
    request: str, *, agents: tuple[AgentCard, ...] = TEAM, **more: object
) -> Proposal:
    messages = [*more.pop("earlier", ()), {"role": "user", "content": request}]  # type: ignore[misc]
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
    said: list[str] = []
    if set(task.depends_on) != expected.depends_on:
        said.append(
            f"{task.task_id} comes after {sorted(task.depends_on)}, not {sorted(expected.depends_on)}"
        )
    if task.requires_approval != expected.approval:
        said.append(f"{task.task_id} has requires_approval={task.requires_approval}")
    if bool(task.compensate) != expected.undo:
        said.append(f"{task.task_id} has compensate={task.compensate}")
    if (task.condition is None) != (expected.condition is None) or (
        expected.condition or ""
    ) not in (task.condition or ""):
        said.append(
            f"{task.task_id} has the condition {task.condition!r}, not {expected.condition!r}"
        )
    given = {**task.input_data, "message": task.input_data["messages"][0]["content"]}  # type: ignore[index,call-overload]
    for name, value in expected.exactly.items():
        if str(given.get(name)) != value:
            said.append(f"{task.task_id} has {name}={given.get(name)!r}, not {value!r}")
    for name, value in expected.containing.items():
        if not re.search(re.escape(value), str(given.get(name)), re.IGNORECASE):
            said.append(f"{task.task_id} has {name}={given.get(name)!r}, without {value!r}")
    return said
