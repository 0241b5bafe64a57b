"""What becomes of one task on a LangGraph server: the thread that is named after its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from langgraph.config import get_config
from langgraph.types import interrupt

from orchestration.agents.remote_state import reply_in, text_in
from state.errors import AgentError, AgentRefusedError, UnknownReplyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph_sdk.client import LangGraphClient
    from langgraph_sdk.schema import StreamMode, StreamPart, Thread

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_THREADS: Final = uuid5(NAMESPACE_URL, "urn:agent-orchestration-layer:remote-graph")
_ASKED: Final = "__interrupt__"
_UNDER_WAY: Final = ("pending", "running")
_MOST_RUNS: Final = 1000
_LONGEST_MESSAGE: Final = 500
_QUIET: Final[list[StreamMode]] = ["values"]
_ALOUD: Final[list[StreamMode]] = ["values", "messages-tuple"]


class Question(NamedTuple):
    """What the graph asks."""

    question_id: str
    value: Any


class Standing(NamedTuple):
    """Where the thread stands."""

    values: Any
    questions: Sequence[Question] = ()
    unfinished: bool = False
    """Whether there are nodes left to run though nothing is asked."""


def thread_id_of(idempotency_key: str) -> str:
    """Return the id of the thread for a key: the same wherever it is asked for."""
    return str(uuid5(_THREADS, idempotency_key))


class RemoteThread:
    """Runs a graph for one call, from wherever earlier calls with the key left it."""

    def __init__(
        self,
        *,
        client: LangGraphClient,
        graph: str,
        headers: Mapping[str, str],
        context: AgentContext,
        where: str,
    ) -> None:
        self._client = client
        self._graph = graph
        self._headers = headers
        self._context = context
        self._where = where
        self._thread_id = thread_id_of(context.idempotency_key)
        self._asker = _asker()
        self._answers = 0
        """Questions that this node of the workflow got answers to and passed on."""

    async def reply(self, input_data: JsonObject) -> JsonObject:
        """Return the reply, after as many questions as the graph has.

        Raises:
            GraphInterrupt: The workflow is to pause with a question.
            AgentError: The graph failed.
        """
        standing = await self._begin(input_data)
        while standing.questions:
            answers = {each.question_id: self._ask(each) for each in standing.questions}
            self._answers += len(answers)
            standing = await self._run(command={"resume": answers})
        return reply_in(standing.values, where=self._where)

    async def _begin(self, input_data: JsonObject) -> Standing:
        """Run a new thread, or take up an old one where it stands."""
        thread = await self._client.threads.create(
            thread_id=self._thread_id,
            if_exists="do_nothing",
            metadata={"idempotency_key": self._context.idempotency_key},
            headers=self._headers,
        )
        if thread["status"] == "idle" and thread.get("values") is None:
            return await self._run(input=input_data)
        begun = await self._catch_up(thread)
        standing = await self._standing()
        if standing.unfinished and not standing.questions:  # it failed, or was given up
            return await self._run()
        return standing if begun or standing.values else await self._run(input=input_data)

    async def _catch_up(self, thread: Thread) -> bool:
        """Wait for a run under way; take note of answers that this node gave before.

        Returns:
            Whether any run came to its end.
        """
        runs = await self._client.runs.list(
            self._thread_id, limit=_MOST_RUNS, headers=self._headers
        )
        told = [run["metadata"] or {} for run in runs]
        mine = [each for each in told if each.get("asker") == self._asker]
        answered = max((int(each.get("answers", 0)) for each in mine), default=0)
        for number in range(answered):  # so that the next question is not taken for an old one
            self._ask(Question("", {"answered": number + 1}))
        self._answers = answered
        for run in runs:
            if thread["status"] == "busy" and run["status"] in _UNDER_WAY:
                async for event in self._client.runs.join_stream(
                    self._thread_id, run["run_id"], headers=self._headers
                ):
                    await self._hear(event)
        return any(run["status"] == "success" for run in runs)

    async def _standing(self) -> Standing:
        state = await self._client.threads.get_state(self._thread_id, headers=self._headers)
        asked: Any = state.get("interrupts") or ()
        return Standing(state["values"], _questions(asked), unfinished=bool(state["next"]))

    async def _run(
        self,
        *,
        input: Any = None,  # noqa: A002, ANN401  a JSON object, as the server calls it
        command: Any = None,  # noqa: ANN401  the SDK's type lacks what the server takes
    ) -> Standing:
        """Run the graph; with neither input nor command, on from where it stopped."""
        values: Any = None
        async for event in self._client.runs.stream(
            self._thread_id,
            self._graph,
            input=input,
            command=command,
            stream_mode=_ALOUD if self._context.streams else _QUIET,
            stream_subgraphs=self._context.streams,
            metadata=self._metadata(),
            config={"configurable": self._configurable()},
            multitask_strategy="reject",
            on_disconnect="cancel",
            headers=self._headers,
        ):
            await self._hear(event)
            if event.event == "values":
                values = event.data
        if not isinstance(values, dict):
            raise UnknownReplyError(f"{self._where} ended without a state")
        asked = values.pop(_ASKED, None)
        if asked is not None and not asked:
            raise AgentError(f"{self._where} stopped at a breakpoint, which nobody can answer")
        return Standing(values, _questions(asked or ()))

    async def _hear(self, event: StreamPart) -> None:
        """Pass on a piece of text; raise what went wrong."""
        kind = event.event.partition("|")[0]
        if kind == "messages":
            if text := text_in(event.data):
                self._context.emit(text)
        elif kind == "error":
            raise await self._failure(event.data)

    async def _failure(self, said: Any) -> AgentError:  # noqa: ANN401  as a server sent it
        """Return the error for what the server says of one.

        It names the error's class, and hides the message of most; the thread has it.
        """
        name, message = "", ""
        if isinstance(said, dict):
            name, message = str(said.get("error", "")), str(said.get("message", ""))
        state = await self._client.threads.get_state(self._thread_id, headers=self._headers)
        errors = [str(task["error"]) for task in state.get("tasks", ()) if task.get("error")]
        message = (errors[0] if errors else f"{name}: {message}")[:_LONGEST_MESSAGE]
        if name == AgentRefusedError.__name__:
            return AgentRefusedError(f"{self._where} refused: {message}")
        return AgentError(f"{self._where} failed: {message}; it may have acted all the same")

    def _ask(self, question: Question) -> Any:  # noqa: ANN401  whatever the answer is
        """Pause the workflow with a question, or return the answer if there is one."""
        try:
            return interrupt(question.value)
        except (RuntimeError, KeyError):  # not in a node of a graph
            raise AgentError(
                f"{self._where} asks {question.value!r}, and was not called by a workflow that "
                "could pause for an answer"
            ) from None

    def _metadata(self) -> dict[str, Any]:
        return {
            "idempotency_key": self._context.idempotency_key,
            "task_id": self._context.task_id,
            "attempt": self._context.attempt,
            "asker": self._asker,
            "answers": self._answers,
        }

    def _configurable(self) -> dict[str, Any]:
        context = self._context
        told = {
            "orchestration_task_id": context.task_id,
            "orchestration_run_id": context.run_id,
            "orchestration_attempt": context.attempt,
            "orchestration_deadline": context.deadline,
            "tenant": context.tenant,
            "user": context.user,
        }
        return {name: value for name, value in told.items() if value is not None}


def _questions(asked: Sequence[Mapping[str, Any]]) -> Sequence[Question]:
    """In an order that is the same each time."""
    questions = [Question(str(each["id"]), each.get("value")) for each in asked]
    return sorted(questions, key=lambda each: each.question_id)


def _asker() -> str:
    """Which node of which step of a workflow calls: the same when it runs again after a pause."""
    try:
        return str(get_config()["configurable"].get("checkpoint_ns", ""))
    except RuntimeError:
        return ""
