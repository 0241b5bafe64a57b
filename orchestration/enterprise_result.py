"""What a request in plain words came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from state.jsonvalue import json_object
from state.status import WorkflowStatus
from state.summary import summary_of

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject
    from state.outcome import ErrorRecord
    from state.plan_document import PlanDocument
    from state.result import PendingInterrupt, TaskResult, WorkflowResult
    from state.summary import Fact


@dataclass(frozen=True, slots=True)
class EnterpriseResult:
    """The answer to a request, and what became of each task that was made of it."""

    result: WorkflowResult
    """Of the workflow."""
    summary: str
    """The answer in words; each fact names the task it is from."""
    facts: tuple[Fact, ...]
    """The same for machines."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted."""
    not_understood: tuple[str, ...] = ()
    """Why nothing was done, in sentences for the user; empty where something was."""
    planner: str = ""
    """Who made the plan."""

    @classmethod
    def of(cls, plan: PlanDocument, result: WorkflowResult) -> EnterpriseResult:
        """Sum up a run of a request, finished or not."""
        summary = summary_of(plan, result.known)
        request = plan.get("request")
        return cls(
            result,
            summary["text"],
            tuple(summary["facts"]),
            () if request is None else tuple(request["assumptions"]),
            () if request is None else tuple(request["not_understood"]),
            "" if request is None else request["planner"],
        )

    @property
    def status(self) -> WorkflowStatus:
        """How it stands; `failed` where it was not understood."""
        return self.result.status

    @property
    def thread_id(self) -> str:
        """The conversation; for `resume` and for the next request."""
        return self.result.thread_id

    @property
    def tasks(self) -> tuple[TaskResult, ...]:
        """What became of each task."""
        return self.result.tasks

    @property
    def outputs(self) -> dict[str, JsonObject]:
        """What agents answered, by task id."""
        return self.result.outputs

    @property
    def interrupts(self) -> tuple[PendingInterrupt, ...]:
        """What waits for a person."""
        return self.result.interrupts

    @property
    def error(self) -> ErrorRecord | None:
        """Why nothing was done, for machines; `not_understood` is its code."""
        return self.result.error

    def __getitem__(self, task_id: str) -> TaskResult:
        """Return what became of a task."""
        return self.result[task_id]

    def as_json(self) -> JsonObject:
        """The answer and the workflow's result as a JSON object."""
        return {
            **self.result.as_json(),
            "summary": self.summary,
            "facts": [json_object(fact, at="facts") for fact in self.facts],
            "assumptions": [*self.assumptions],
            "not_understood": [*self.not_understood],
            "planner": self.planner,
        }
