"""What happens in a run, told as A2A updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from a2a.types import Artifact, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent

from orchestration.a2a.values import text_part
from orchestration.a2a_server.states import TaskIds, artifact, working
from state.jsonvalue import json_object
from state.plan_document import INSIDE
from state.status import TaskStatus

if TYPE_CHECKING:
    from orchestration.a2a_server.runs import Run
    from orchestration.workflow_events import WorkflowEvent


class Telling:
    """Tells a run's listeners what happens.

    Text comes in pieces, each appended to the artifact of its task; once the task is done, its
    artifact as a whole takes their place. Of tasks inside others only the outermost is told of.
    """

    def __init__(self, run: Run, ids: TaskIds) -> None:
        self._run = run
        self._ids = ids
        self._begun: set[str] = set()
        self._told: set[str] = set()

    def take(self, event: WorkflowEvent) -> None:
        """Tell of one event."""
        match event.kind:
            case "run_started":
                self._run.tell(working(self._ids))
            case "token":
                self._piece(event.task_id, str(event.data["text"]))
            case "task_retrying":
                self._begun.discard(event.task_id)  # the next attempt says it all anew
            case "task_finished" if event.data.get("status") == TaskStatus.SUCCEEDED:
                if _is_outermost(event.task_id):
                    output = json_object(event.data["output"], at="output")
                    self._whole(artifact(event.task_id, output))

    def close(self, task: Task) -> None:
        """Tell how it ended, or paused."""
        for each in task.artifacts:
            if each.artifact_id not in self._told:
                self._whole(each)
        self._run.tell(
            TaskStatusUpdateEvent(
                task_id=task.id,
                context_id=task.context_id,
                status=task.status,
                metadata=task.metadata,
            )
        )

    def _piece(self, task_id: str, text: str) -> None:
        if not _is_outermost(task_id):
            return
        piece = Artifact(artifact_id=task_id, name=task_id, parts=[text_part(text)])
        self._update(piece, append=task_id in self._begun, last=False)
        self._begun.add(task_id)

    def _whole(self, made: Artifact) -> None:
        self._update(made, append=False, last=True)
        self._told.add(made.artifact_id)

    def _update(self, made: Artifact, *, append: bool, last: bool) -> None:
        self._run.tell(
            TaskArtifactUpdateEvent(
                task_id=self._ids.task_id,
                context_id=self._ids.context_id,
                artifact=made,
                append=append,
                last_chunk=last,
            )
        )


def _is_outermost(path: str) -> bool:
    return INSIDE not in path
