"""What is known of a task at an A2A agent, from what it says as it goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from a2a.types import (
    Artifact,
    Message,
    Part,
    StreamResponse,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
)

from orchestration.a2a.values import contents, plain
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentRefusedError,
    UnknownReplyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from state.jsonvalue import JsonObject, JsonValue

OVER: Final = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)
ASKS: Final = frozenset({TaskState.TASK_STATE_INPUT_REQUIRED, TaskState.TASK_STATE_AUTH_REQUIRED})
LONGEST_SAYING: Final = 1000
_MOST_ARTIFACTS: Final = 1000


class Said:
    """What was passed on of an artifact's text."""

    def __init__(self) -> None:
        self.goes_on = True
        """Whether it is how the artifact's text begins."""
        self._pieces: list[str] = []

    @property
    def has_begun(self) -> bool:
        """Whether anything was."""
        return bool(self._pieces)

    @property
    def text(self) -> str:
        """All of it."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def add(self, text: str) -> None:
        """Remember a piece; costs the same however much there is."""
        self._pieces.append(text)


class RemoteTask:
    """One task at an agent; takes in its answers and updates in the order they come.

    Args:
        emit: Gets new pieces of the reply's text; None where nobody wants them.
        hide: Takes secrets out of what the agent says in an error.
    """

    def __init__(
        self, emit: Callable[[str], None] | None = None, *, hide: Callable[[str], str] = str
    ) -> None:
        self._hide = hide
        self.task_id = ""
        self.is_sent = False
        """Whether the agent may have got it."""
        self.is_named = asyncio.Event()
        """Set once its id is known, so that it can be called off."""
        self._emit = emit
        self._message: Message | None = None
        self._status = TaskStatus()
        self._artifacts: dict[str, Artifact] = {}
        self._said: dict[str, Said] = {}

    @property
    def state(self) -> TaskState:
        """A `TaskState`; unspecified where nothing was said yet."""
        return self._status.state

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._message is not None or self.state in OVER

    @property
    def asks(self) -> bool:
        """Whether it waits for somebody."""
        return self.state in ASKS

    def hush(self) -> None:
        """Pass on nothing more."""
        self._emit = None

    def take(self, update: StreamResponse) -> None:
        """Take in one answer or update.

        Raises:
            UnknownReplyError: It is none.
        """
        kind = update.WhichOneof("payload")
        if kind == "task":
            self.take_task(update.task)
        elif kind == "message":
            self._message = update.message
            self._pass_on("", contents(update.message.parts).text)
        elif kind == "status_update":
            self._know(update.status_update.task_id)
            self._status = update.status_update.status
        elif kind == "artifact_update":
            self._know(update.artifact_update.task_id)
            self._take_artifact(update.artifact_update)
        else:
            raise UnknownReplyError("it sent an update that is neither a task nor a message")

    def take_task(self, task: Task) -> None:
        """Take in how the task stands as a whole."""
        self._know(task.id)
        self._status = task.status
        for artifact in task.artifacts:
            self._put(artifact)

    def reply(self) -> JsonObject:
        """Return what the agent answered.

        Raises:
            AgentError: It did not do the task; the class says in which way.
        """
        if self._message is not None:
            return _reply(self._message.parts)
        if self.state == TaskState.TASK_STATE_COMPLETED:
            return self._of_artifacts()
        raise self._failure()

    def _know(self, task_id: str) -> None:
        if self.task_id and task_id and task_id != self.task_id:
            raise UnknownReplyError(
                f"it was asked about task {self.task_id!r:.80} and told of {task_id!r:.80}"
            )
        self.task_id = self.task_id or task_id
        if self.task_id:
            self.is_named.set()

    def _take_artifact(self, update: TaskArtifactUpdateEvent) -> None:
        known = self._artifacts.get(update.artifact.artifact_id)
        if update.append and known is not None:
            known.parts.extend(update.artifact.parts)
            self._pass_on_more(known.artifact_id, contents(update.artifact.parts).text)
        else:
            self._put(update.artifact)

    def _put(self, artifact: Artifact) -> None:
        if len(self._artifacts) >= _MOST_ARTIFACTS:
            raise UnknownReplyError(f"it made more than {_MOST_ARTIFACTS} artifacts")
        kept = Artifact()
        kept.CopyFrom(artifact)
        self._artifacts[artifact.artifact_id] = kept
        self._pass_on(artifact.artifact_id, contents(artifact.parts).text)

    def _pass_on(self, artifact_id: str, text: str) -> None:
        """Pass on what is new of an artifact's text; of one that was rewritten, nothing."""
        if self._emit is None:
            return
        said = self._said.setdefault(artifact_id, Said())
        said.goes_on = text.startswith(said.text)
        if said.goes_on:
            self._say(said, text[len(said.text) :])

    def _pass_on_more(self, artifact_id: str, text: str) -> None:
        """Pass on what was appended, unless what is before it was not passed on."""
        said = self._said.get(artifact_id)
        if said is not None and said.goes_on:
            self._say(said, text)

    def _say(self, said: Said, text: str) -> None:
        if self._emit is None or not text:
            return
        if not said.has_begun and any(each.has_begun for each in self._said.values()):
            self._emit("\n\n")
        self._emit(text)
        said.add(text)

    def _of_artifacts(self) -> JsonObject:
        artifacts = [*self._artifacts.values()]
        if not artifacts:
            return _reply(self._status.message.parts)
        if len(artifacts) == 1:
            return _reply(artifacts[0].parts)
        shown = [
            {"id": each.artifact_id, "name": each.name, **_reply(each.parts)} for each in artifacts
        ]
        texts = (contents(each.parts).text for each in artifacts)
        listed: list[JsonValue] = [*shown]
        return {"content": "\n\n".join(filter(None, texts)), "artifacts": listed}

    def _failure(self) -> AgentError:
        text = contents(self._status.message.parts).text[:LONGEST_SAYING]
        said = self._hide(text) or "it did not say why"
        match self.state:
            case TaskState.TASK_STATE_REJECTED:
                return AgentRefusedError(said)
            case TaskState.TASK_STATE_INPUT_REQUIRED:
                return AgentRefusedError(
                    f"it asked for more, and nobody answers it here: {said} (its task "
                    f"{self.task_id!r:.80} was called off)"
                )
            case TaskState.TASK_STATE_AUTH_REQUIRED:
                return AgentAuthError(f"it wants other credentials: {said}")
            case TaskState.TASK_STATE_FAILED:
                return AgentError(f"{said}{self._code()}")
            case TaskState.TASK_STATE_CANCELED:
                return AgentError(f"its task was cancelled there: {said}")
        return UnknownReplyError(f"its task ended in state {self.state}, which is none of A2A 1.0")

    def _code(self) -> str:
        error = plain(self._status.message.metadata).get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return f" ({code:.80})" if isinstance(code, str) else ""


def _reply(parts: Iterable[Part]) -> JsonObject:
    """Fields of the data parts, and the text as `content` unless they have one."""
    found = contents(parts)
    reply: JsonObject = {}
    for data in found.data:
        if not isinstance(data, dict):
            raise UnknownReplyError(
                f"it answered with a data part that is a {type(data).__name__}; "
                "data parts are JSON objects"
            )
        reply.update(data)
    if found.text or not reply:
        reply.setdefault("content", found.text)
    if found.files:
        files: list[JsonValue] = [*found.files]
        reply.setdefault("files", files)
    return reply
