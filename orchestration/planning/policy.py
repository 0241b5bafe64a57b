"""The policy behind every planner: what may run, what needs a person, whatever was planned."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from nodes.expressions import expression_problem
from orchestration.planning.grounding import Finding, Grounds
from orchestration.planning.proposed_input import (
    APPROVAL_FIELD,
    capability_name,
    told_by,
)
from orchestration.planning.validation import agent_task
from state.approval import ApprovalPolicy
from state.capability import AgentCapability
from state.errors import ConfigurationError
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from orchestration.planning.proposed_input import Touched
    from state.jsonvalue import JsonObject
    from state.proposal import AgentCard, Proposal, ProposedTask
    from state.task import AgentTask

INFORMING: Final = frozenset(
    {
        AgentCapability.EVENT_INFORMATION,
        AgentCapability.BUDGET_INFORMATION,
        AgentCapability.EMPLOYEE_INFORMATION,
    }
)
"""Capabilities without an effect, of agents that have others too."""
UNDOING: Final[Mapping[str, Collection[str]]] = {
    AgentCapability.TICKET_PURCHASE: ("cancel_order", "cancel_tickets", "refund_tickets"),
    AgentCapability.EXPENSE_LOGGING: ("cancel_expense", "reverse_expense"),
    AgentCapability.LEAVE_MANAGEMENT: ("withdraw_leave", "cancel_leave"),
}
_ASKS_APPROVAL = re.compile(
    r"\b(?:get\w*|needs?|obtain|request\w*|ask\w*\s+(?:\w+\s+){0,2}?for|requires?|with|after|upon"
    r"|once|wait\w*(?:\s+for)?|await|subject\s+to|pending|want)\s+(?:[\w']+\s+){0,3}?"
    r"(?:approval|approved|permission|sign-?\s?off|go-ahead)\b"
)


class RuledTask(NamedTuple):
    """A task that may run, once whoever has to approve it has."""

    task: ProposedTask
    approval: ApprovalPolicy | bool = False
    reasons: tuple[str, ...] = ()
    """Why a person has to look, for the approver; empty where a policy or the planner says so."""


class Ruling(NamedTuple):
    """What a policy makes of a proposal."""

    tasks: tuple[RuledTask, ...] = ()
    refused: tuple[str, ...] = ()
    """Sentences for the user, each naming a task and why it may not run."""

    def agent_tasks(self) -> list[AgentTask]:
        """The tasks to run, with their approvals."""
        return [agent_task(each.task, approval=each.approval) for each in self.tasks]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterprisePolicy:
    """What needs a person, and what must not be, decided after the planner.

    A planner can add an approval, and never waive one. What changes anything must be what
    the user asked for in their own words (see `grounding`).

    Raises:
        ConfigurationError: Something of this cannot be; names every problem.
    """

    requires_approval: Mapping[str, ApprovalPolicy] = field(default_factory=dict)
    """By capability; `when` is CEL over the task's `input`."""
    forbidden: Collection[str] = ()
    """Capabilities that no plan may use."""
    most_tasks: int = 20
    ungrounded: Literal["refuse", "approve"] = "refuse"
    """What becomes of a task that the user did not ask for; `approve` asks a person."""
    confirmation: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    """Who approves where no policy of a capability says so."""
    informs: Collection[str] = INFORMING
    """Capabilities that change nothing, so that a question is enough to ask for them."""
    undoes: Mapping[str, Collection[str]] = field(default_factory=lambda: UNDOING)
    """Actions that may compensate a capability; they run unasked if the workflow fails."""
    asks_for: Callable[[str], Collection[str]] | None = None
    """Names the capabilities that words of the user ask for, beside what their names tell."""

    def __post_init__(self) -> None:
        """Normalise the names, and refuse what cannot be."""
        if problems := list(self._problems()):
            raise ConfigurationError("EnterprisePolicy: " + "; ".join(problems))
        approvals = {capability_name(name): each for name, each in self.requires_approval.items()}
        undoes = {capability_name(name): frozenset(each) for name, each in self.undoes.items()}
        object.__setattr__(self, "requires_approval", approvals)
        object.__setattr__(self, "undoes", undoes)
        for name in ("forbidden", "informs"):
            object.__setattr__(self, name, frozenset(map(capability_name, getattr(self, name))))

    def rule(
        self,
        proposal: Proposal,
        *,
        messages: Sequence[JsonObject],
        agents: Sequence[AgentCard],
        grounded: bool = False,
    ) -> Ruling:
        """Decide about a proposal.

        Args:
            proposal: Of whatever planner, without problems (see `validation`).
            messages: The conversation; only what its user says counts.
            agents: Whom the planner could choose from.
            grounded: Whether the planner makes tasks of the user's own words alone, as the one
                by rules does, so that this need not be found out.
        """
        if len(proposal.tasks) > self.most_tasks:
            count = f"the plan has {len(proposal.tasks)} tasks, and may have {self.most_tasks}"
            return Ruling(refused=(f"{count}; ask for less at a time",))
        if len({task.task_id for task in proposal.tasks}) < len(proposal.tasks):
            return Ruling(refused=("Two tasks of the plan have the same id, so none may run.",))
        grounds = Grounds(
            messages,
            agents,
            informs=self.informs,
            assumptions=proposal.assumptions,
            asks_for=self.asks_for,
        )
        findings = {
            task.task_id: self._judge(task, grounds, grounded=grounded) for task in proposal.tasks
        }
        _refuse_what_builds_on_refused(proposal.tasks, findings)
        if not grounded:
            self._keep_the_approval_that_was_asked_for(proposal, grounds, findings)
        refused = tuple(
            f"Task {id_!r} was refused: {'; '.join(finding.refusals)}."
            for id_, finding in findings.items()
            if finding.refusals
        )
        return Ruling(
            tasks=tuple(
                self._ruled(task, grounds.touched(task), findings[task.task_id].doubts)
                for task in proposal.tasks
                if not findings[task.task_id].refusals
            ),
            refused=refused,
        )

    def _judge(self, task: ProposedTask, grounds: Grounds, *, grounded: bool) -> Finding:
        found = Finding([], []) if grounded else grounds.judge(task)
        if self.ungrounded == "approve":
            found = Finding([], found.refusals + found.doubts)
        touched = grounds.touched(task)
        if banned := sorted(touched.all & set(self.forbidden)):
            found.refusals.append(f"{', '.join(banned)} may not be used here")
        if len(self._policies(touched)) > 1:
            found.refusals.append(
                "it falls under several approval policies "
                f"({', '.join(sorted(touched.all & self.requires_approval.keys()))}); make it "
                "several tasks, each with its capability"
            )
        found.refusals.extend(self._bad_compensation(task, touched))
        return found

    def _policies(self, touched: Touched) -> list[ApprovalPolicy]:
        found: list[ApprovalPolicy] = []
        for name, policy in self.requires_approval.items():
            if name in touched.all and policy not in found:
                found.append(policy)
        return found

    def _bad_compensation(self, task: ProposedTask, touched: Touched) -> Iterator[str]:
        """Compensations run unasked, so they may only do what is known to undo."""
        if task.compensate is None:
            return
        allowed = {each for name in touched.all for each in self.undoes.get(name, ())}
        action = task.compensate.get("action")
        if not isinstance(action, str) or action not in allowed:
            yield (
                f"it would be undone by {described(action)}, which is not known to undo it; "
                f"known are {sorted(allowed)}"
            )
        told = told_by({name: each for name, each in task.compensate.items() if name != "action"})
        if told.text or told.numbers:
            yield "how it would be undone says more than the action"

    def _keep_the_approval_that_was_asked_for(
        self, proposal: Proposal, grounds: Grounds, findings: Mapping[str, Finding]
    ) -> None:
        """Let a person look at every effect if the user wants approval and the plan has none."""
        asked = _ASKS_APPROVAL.search(grounds.words.open)
        if not asked or any(self._has_approval(task, grounds) for task in proposal.tasks):
            return
        for task in proposal.tasks:
            if not grounds.only_reads(task):
                findings[task.task_id].doubts.append(
                    f"the user says {asked[0]!r}, and the plan asks nobody"
                )

    def _has_approval(self, task: ProposedTask, grounds: Grounds) -> bool:
        if not grounds.may_mean(task.condition):  # by which nobody may be asked after all
            return False
        if task.requires_approval or task.input_data.get(APPROVAL_FIELD):
            return True
        return any(each.when is None for each in self._policies(grounds.touched(task)))

    def _ruled(self, task: ProposedTask, touched: Touched, doubts: list[str]) -> RuledTask:
        asked = task.requires_approval or bool(task.input_data.get(APPROVAL_FIELD))
        given = {name: each for name, each in task.input_data.items() if name != APPROVAL_FIELD}
        policies = self._policies(touched)
        approval: ApprovalPolicy | bool = policies[0] if policies else False
        if asked or doubts:
            approval = replace(policies[0] if policies else self.confirmation, when=None)
        if doubts and isinstance(approval, ApprovalPolicy):
            approval = replace(approval, at_deadline="reject")
        return RuledTask(
            replace(task, input_data=given, requires_approval=approval is not False),
            approval,
            tuple(doubts),
        )

    def _problems(self) -> Iterator[str]:
        for name, policy in self.requires_approval.items():
            if not isinstance(policy, ApprovalPolicy):
                yield f"requires_approval[{name!r}] is {described(policy)}; give an ApprovalPolicy"
                continue
            yield from (f"requires_approval[{name!r}]: {each}" for each in policy.problems())
            if policy.when is not None and (problem := expression_problem(policy.when)):
                yield f"requires_approval[{name!r}]: when is not valid CEL: {problem}"
        yield from (f"confirmation: {each}" for each in self.confirmation.problems())
        for what in ("forbidden", "informs"):
            if isinstance(getattr(self, what), str):
                yield f"{what} is the string {getattr(self, what)!r}; give a list of capabilities"
        if type(self.most_tasks) is not int or self.most_tasks < 1:
            yield f"most_tasks is {described(self.most_tasks)}; give a whole number from 1 on"
        if self.ungrounded not in {"refuse", "approve"}:
            yield f"ungrounded is {described(self.ungrounded)}; use 'refuse' or 'approve'"


def _refuse_what_builds_on_refused(
    tasks: Sequence[ProposedTask], findings: Mapping[str, Finding]
) -> None:
    waiting = list(tasks)
    while True:
        lost = {id_ for id_, finding in findings.items() if finding.refusals}
        new = [t for t in waiting if t.task_id not in lost and lost & set(t.depends_on)]
        if not new:
            return
        for task in new:
            others = ", ".join(sorted(repr(each) for each in lost & set(task.depends_on)))
            findings[task.task_id].refusals.append(f"it builds on {others}")
