"""The enterprise orchestrator: requests in plain words, that cross agents, done and answered.

A planner makes tasks of a request, a policy says who has to approve what, and the coordinator
runs them as one durable workflow. The plan is stored before anything happens; so a request
survives whatever its tasks survive, and nothing that agents answer can change it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from checkpoints.threads import UNFINISHED
from graph.plan_request import PlanRequest
from orchestration.enterprise_result import EnterpriseResult
from orchestration.planning.pipeline import RequestPlanning
from orchestration.planning.policy import EnterprisePolicy
from orchestration.run_options import check_thread_id, new_id
from orchestration.session import Session
from orchestration.simple_coordinator import SimpleCoordinator
from orchestration.workflow_events import WorkflowEvent
from state.errors import (
    ConfigurationError,
    PlanError,
    Problem,
    ThreadNotFoundError,
    ThreadPendingError,
)
from state.jsonvalue import JsonObject, NotJsonError, described, json_object
from state.proposal import AgentCard, PlanningRequest
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from types import TracebackType

    from langgraph.graph.state import CompiledStateGraph

    from nodes.ports import Planner
    from orchestration.agent_registry import AgentRegistry
    from orchestration.approvals import ApprovalInbox
    from orchestration.run_options import CoordinatorSettings

MODEL_VARIABLE: Final = "ORCHESTRATION_MODEL"
RULES: Final = "rules"
"""Names the planner that needs no model."""
EARLIER: Final = 20
"""Messages of earlier turns that a planner sees."""

Messages = str | Sequence[Mapping[str, Any]]


class EnterpriseOrchestrator:
    """Does what people ask for in plain words, over all agents of a company.

    A request is split into tasks; those that do not need each other run at once. Where the
    request or the policy wants a person, it pauses. The answer says of each task what became
    of it. What is not understood is said, and then nothing at all is done.

    Args:
        project_id: The Google Cloud project, for a model that lives there. It alone makes no
            model be used.
        region: The project's region.
        model: Plans requests: a LangChain chat model, or its name. By default the
            environment's `ORCHESTRATION_MODEL`; without either, rules plan.
        registry: Who the agents are; by default `get_registry()`.
        database_url: Where threads are kept, as for `SimpleCoordinator`.
        policy: What needs approval, and what may never be done.
        planner: Plans requests, in place of a model or the rules.
        settings: As for `SimpleCoordinator`.

    Raises:
        ConfigurationError: Something of this cannot be.
    """

    def __init__(  # noqa: PLR0913  one for each setting
        self,
        project_id: str | None = None,
        region: str | None = None,
        *,
        model: Any = None,  # noqa: ANN401  LangChain is heavy
        registry: AgentRegistry | None = None,
        database_url: str | None = None,
        policy: EnterprisePolicy | None = None,
        planner: Planner | None = None,
        **settings: Unpack[CoordinatorSettings],
    ) -> None:
        for name, value in (("project_id", project_id), ("region", region)):
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise ConfigurationError(f"{name} is {described(value)}; give its name, or None")
        check_planning(model, planner, policy)
        self.project_id = project_id
        self.region = region
        named = os.environ.get(MODEL_VARIABLE, "").strip() or None
        self._model = named if model is None else model
        self._planner = planner
        self._policy = policy
        self.coordinator = SimpleCoordinator(
            registry=registry, database_url=database_url, **settings
        )

    # -- running -------------------------------------------------------------------------

    async def execute(
        self,
        messages: Messages,
        *,
        thread_id: str | None = None,
        tenant: str | None = None,
        user: str | None = None,
    ) -> EnterpriseResult:
        """Do what the last user message asks for, and answer.

        Args:
            messages: The conversation, OpenAI-style; or only the text of a request.
            thread_id: A conversation to go on with; by default a new one.
            tenant: Whose agents and data.
            user: For whom; they may not approve it themselves.

        Raises:
            PlanError: The messages are none.
            AgentError: The model could not plan; nothing was done.
            ThreadBusyError, ThreadPendingError: The thread takes no new request now.
        """
        request = await self._plan(messages, thread_id, tenant, user)
        planned = self.coordinator.planned(request)
        result = await self.coordinator.run(planned, thread_id=thread_id)
        return EnterpriseResult.of(planned.plan.document, result)

    async def stream(
        self,
        messages: Messages,
        *,
        thread_id: str | None = None,
        tenant: str | None = None,
        user: str | None = None,
    ) -> AsyncGenerator[WorkflowEvent]:
        """Do the same and yield what happens, in order.

        The last event holds the answer: an `EnterpriseResult` as JSON, finished or paused.
        """
        request = await self._plan(messages, thread_id, tenant, user)
        planned = self.coordinator.planned(request)
        told = self.coordinator.stream_planned(planned, thread_id=thread_id)
        async with aclosing(told):
            async for event in told:
                yield event

    async def resume_stream(
        self,
        thread_id: str,
        decisions: Mapping[str, object] | None = None,
        *,
        after: int = 0,
        by: str | None = None,
        roles: Collection[str] = (),
    ) -> AsyncGenerator[WorkflowEvent]:
        """Yield what happens with a request after one event; see the coordinator's."""
        told = self.coordinator.resume_stream(thread_id, decisions, after=after, by=by, roles=roles)
        async with aclosing(told):
            async for event in told:
                yield event

    async def resume(
        self,
        thread_id: str,
        decisions: Mapping[str, object] | None = None,
        *,
        by: str | None = None,
        roles: Collection[str] = (),
    ) -> EnterpriseResult:
        """Go on with a request, with answers to what it asks; see `SimpleCoordinator.resume`."""
        result = await self.coordinator.resume(thread_id, decisions, by=by, roles=roles)
        record = await self.coordinator.thread(thread_id)
        return EnterpriseResult.of(record.plan.document, result)

    async def get_state(self, thread_id: str) -> EnterpriseResult:
        """Return how the last request of a thread stands, without touching it.

        Raises:
            ThreadNotFoundError: There is no such thread.
        """
        record, result = await self.coordinator.inspect(thread_id)
        return EnterpriseResult.of(record.plan.document, result)

    async def cancel(
        self, thread_id: str, *, by: str | None = None, reason: str = ""
    ) -> EnterpriseResult | None:
        """Call a request off; see `SimpleCoordinator.cancel`."""
        result = await self.coordinator.cancel(thread_id, by=by, reason=reason)
        if result is None:
            return None
        record = await self.coordinator.thread(thread_id)
        return EnterpriseResult.of(record.plan.document, result)

    def session(
        self, thread_id: str | None = None, *, tenant: str | None = None, user: str | None = None
    ) -> Session:
        """Return a conversation over several turns, new or begun before."""
        check_thread_id(thread_id)
        return Session(self, thread_id or new_id(), tenant=tenant, user=user)

    @property
    def approvals(self) -> ApprovalInbox:
        """What waits for a person in this orchestrator's database."""
        return self.coordinator.approvals

    def compile(self, *, key: str | None = None) -> CompiledStateGraph[Any, None, Any, Any]:
        """Return the supervisor graph itself, to draw, to invoke, to embed, or for Studio.

        It takes `messages`, plans inside, does the plan, and answers with a message. It has no
        checkpointer and nothing of this orchestrator's database; give it one to let it pause.

        Args:
            key: Names the graph; another process that compiles it under the same key can go on
                with its runs.
        """
        from orchestration.supervisor import compiled_supervisor  # noqa: PLC0415  heavy

        async def planning(messages: Sequence[JsonObject]) -> PlanRequest:
            return await self._plan(messages, None, None, None)

        chosen = key or f"supervisor-{new_id()}"
        return compiled_supervisor(
            self.registry, planning, key=chosen, slots=self.coordinator.slots
        )

    # -- planning ------------------------------------------------------------------------

    @property
    def registry(self) -> AgentRegistry:
        """The agents."""
        return self.coordinator.registry

    @property
    def planner(self) -> Planner:
        """Who plans: the model if one is asked for, else rules."""
        if self._planner is None:
            from orchestration.planning.deterministic import DeterministicPlanner  # noqa: PLC0415

            model = self._model
            self._planner = DeterministicPlanner() if model is None else self._by_model(model)
        return self._planner

    def _by_model(self, model: Any) -> Planner:  # noqa: ANN401
        from orchestration.planning.model import ModelPlanner  # noqa: PLC0415  heavy

        return ModelPlanner(model)

    async def _plan(
        self, messages: Messages, thread_id: str | None, tenant: str | None, user: str | None
    ) -> PlanRequest:
        """Make a plan of a request; where it is not understood, one that only answers."""
        check_thread_id(thread_id)
        given = messages_of(messages)
        await self.coordinator.know_agents()
        asked = PlanningRequest(given, self._cards(), await self._earlier(thread_id))
        planning = RequestPlanning(self.planner, self.registry, self._policy)
        ruled = await planning.plan(asked)
        return PlanRequest(
            tasks=ruled.tasks,
            strategy=CoordinationStrategy.PARALLEL,
            aggregate="summary",
            tenant=tenant,
            user=user,
            request={
                "messages": given,
                "planner": RULES if self._model is None else str(self._model_name()),
                "assumptions": [*ruled.assumptions],
                "not_understood": [*ruled.not_understood],
            },
            session=True,
        )

    def _cards(self) -> list[AgentCard]:
        """Whom a planner may choose from."""
        return [
            AgentCard(spec.agent_id, tuple(spec.capabilities), spec.description, spec.read_only)
            for spec in self.registry.list_agents()
            if spec.enabled
        ]

    async def _earlier(self, thread_id: str | None) -> list[JsonObject]:
        """The last messages of a thread's earlier turns.

        Raises:
            ThreadPendingError: Its last turn is not over.
        """
        if thread_id is None:
            return []
        try:
            record = await self.coordinator.thread(thread_id)
        except ThreadNotFoundError:
            return []
        if record.status in UNFINISHED:  # before anybody pays for a model
            raise ThreadPendingError(thread_id)
        found = await self.coordinator.history(thread_id, limit=EARLIER)
        return [each.message for each in found]

    def _model_name(self) -> str:
        """What to call the model in records."""
        named = getattr(self._model, "model_name", None) or getattr(self._model, "model", None)
        return self._model if isinstance(self._model, str) else named or type(self._model).__name__

    # -- closing -------------------------------------------------------------------------

    def close(self) -> None:
        """Close the database; a later use opens it again."""
        self.coordinator.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.coordinator.__aexit__(kind, error, trace)


def check_planning(model: object, planner: object, policy: object) -> None:
    """Return if requests can be planned and ruled with these; each may be None.

    Raises:
        ConfigurationError: One of them is something else, or two say who plans.
    """
    if model is not None and planner is not None:
        raise ConfigurationError("model and planner are both given; give one of them")
    named = isinstance(model, str) and model.strip()
    if model is not None and not named and not hasattr(model, "with_structured_output"):
        raise ConfigurationError(
            f"model is {described(model)}; give a LangChain chat model, the name of one such as "
            "'google_vertexai:gemini-2.5-flash', or None"
        )
    if planner is not None and not callable(getattr(planner, "propose", None)):
        raise ConfigurationError(f"planner is {described(planner)}; it needs a method `propose`")
    if policy is not None and not isinstance(policy, EnterprisePolicy):
        raise ConfigurationError(
            f"policy is {described(policy)}; give an EnterprisePolicy, or None"
        )


def messages_of(given: object) -> list[JsonObject]:
    """Read the messages of a request; a text alone is what its user says.

    Raises:
        PlanError: They are none, or their user says nothing.
    """
    if isinstance(given, str) and given.strip():
        given = [{"role": "user", "content": given}]
    problems: list[Problem] = []
    messages: list[JsonObject] = []
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        message = f"messages is {described(given)}; give a list of messages, or a text"
        raise PlanError([Problem("bad_messages", message)])
    for number, each in enumerate(given):
        try:
            message_ = json_object(each, at=f"messages[{number}]")
        except NotJsonError as error:
            problems.append(Problem("bad_messages", str(error)))
            continue
        if not isinstance(message_.get("role"), str):
            text = f"messages[{number}] has the role {message_.get('role')!r}; use 'user' or alike"
            problems.append(Problem("bad_messages", text))
        messages.append(message_)
    if not problems and not any(each["role"] == "user" for each in messages):
        text = "no message has the role 'user', so nobody asks for anything"
        problems.append(Problem("bad_messages", text))
    if problems:
        raise PlanError(problems)
    return messages
