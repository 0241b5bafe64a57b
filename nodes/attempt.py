"""One attempt at one piece of work: an agent is called, and there is an outcome whatever happens.

A task and the compensation of one are tried alike; who calls, for what and under which key
is said by the caller.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand
from langgraph.types import Interrupt

from nodes.budgeting import AskFirstError
from nodes.expressions import ExpressionError
from nodes.middleware import AgentCall, was_called
from nodes.stop_signal import CancelledByStopError
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotFoundError,
    AgentNotStartedError,
    AgentRefusedError,
    AgentTimeoutError,
    BudgetExceededError,
    LeaseLostError,
    UnknownReplyError,
)
from state.jsonvalue import JsonObject, NotJsonError, json_like, json_object
from state.outcome import Outcome, error_record, usage_in
from state.plan import path_in
from state.question import by_agent, looks_own
from state.retry import retry_delay
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nodes.middleware import Chain
    from nodes.ports import Agent, Terms, Told
    from nodes.run_handle import RunHandle
    from nodes.stop_signal import StopSignal
    from state.agent_context import AgentContext
    from state.plan_document import Work

_SUCCEEDED: Final = TaskStatus.SUCCEEDED.value
_NEVER_RETRIED = (
    AgentAuthError,
    AgentNotFoundError,
    AgentRefusedError,
    BudgetExceededError,
    ExpressionError,
    UnknownReplyError,
)


_STEERS: Final = (
    "the agent, a graph, tried to steer the workflow around it (Command.PARENT), which none may; "
    "in a cyclic workflow it hands over with 'handoff_to' in its reply"
)


async def attempt(  # noqa: C901, PLR0913  each way in which it can end is one line
    work: Work,
    context: AgentContext,
    *,
    run: RunHandle,
    stop: StopSignal | None,
    previous: Outcome | None = None,
    chain: Chain | None = None,
) -> Outcome:
    """Call the agent once, if this process may still act for the thread; say what became of it.

    Args:
        work: Who is to be called, for what, for how long, and how often.
        context: What the agent may read beside its input.
        run: The live things of the run.
        stop: What may end the call early; None for work that the end of the run leaves alone.
        previous: What became of the attempt before.
        chain: What runs around the call; None for a call that is made as it is.
    """
    if run.lease is not None:
        await run.lease.confirm()
    started = run.clock.now()
    agent: Agent | None = None
    made: AgentCall | None = None
    if run.say is not None:
        context = await _listened_to(context, run, run.say)
    try:
        terms = run.terms if previous is None else _going_on(run.terms, previous)
        agent = _chosen(work, context, run, terms)
        given = json_object(work["input"], at="input_data")
        if chain is None:
            call = agent.call(given, context)
        else:
            made = _wrapped(agent, given, work, context, run=run, terms=terms)
            call = chain(made)
        bounded = stop is not None or work["timeout_seconds"] is not None
        reply = await (_bounded(call, agent, work, stop, made=made) if bounded else call)
        outcome: Outcome = {
            "status": _SUCCEEDED,
            "attempts": context.attempt,
            "output": json_object(reply, at=f"the reply of agent {agent.agent_id!r}"),
        }
    except ParentCommand:
        outcome = _failure(UnknownReplyError(_STEERS), agent, run, work, context)
    except GraphBubbleUp as raised:  # an interrupt of a graph that is the agent
        raise _marked(raised, context) from None
    except (LeaseLostError, AskFirstError):  # another process does the task, or a person decides
        raise
    except Exception as error:  # noqa: BLE001  whatever an agent raises is its task's outcome
        outcome = _failure(error, agent, run, work, context)
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        outcome = _failure(AgentError("the agent cancelled itself"), agent, run, work, context)
    if agent is not None:
        _tell(outcome, agent, made)
    if made is not None and made.verdicts:
        outcome["middleware"] = made.verdicts
    outcome["started_at"], outcome["finished_at"] = started, run.clock.now()
    return outcome


async def _listened_to(
    context: AgentContext, run: RunHandle, say: Callable[[AgentContext, str], None]
) -> AgentContext:
    """Let what the agent says be told, once it was told that it is called."""
    if run.ready is not None:
        await run.ready(context)
    return context._replace(emit=partial(say, context))


def _chosen(work: Work, context: AgentContext, run: RunHandle, terms: Terms) -> Agent:
    """Choose who does the work.

    Raises:
        AgentNotFoundError: Nobody enabled fits.
    """
    return run.agents.choose(
        agent_id=work["agent"],
        capability=work["capability"],
        thread_id=context.thread_id,
        terms=terms,
    )


def _wrapped(  # noqa: PLR0913  what a call consists of
    agent: Agent,
    given: JsonObject,
    work: Work,
    context: AgentContext,
    *,
    run: RunHandle,
    terms: Terms,
) -> AgentCall:
    """Put together what layers get of a call."""
    return AgentCall(
        agent=agent,
        input=given,
        context=context,
        work=work,
        terms=terms,
        choose=partial(_chosen, work, context, run, terms),
        stream=None
        if run.tell is None
        else partial(run.tell, path_in(context.run_id, context.task_id)),
    )


def _tell(outcome: Outcome, agent: Agent, made: AgentCall | None) -> None:
    """Add who did it, and what is known of its calls beside the reply, if any were made."""
    outcome["agent"], outcome["version"] = agent.agent_id, agent.version
    told = agent.told
    if made is not None and not was_called(made.verdicts):
        told = _before(made.terms)
    if told is not None:
        outcome.update(cast("Outcome", told))
    if made is not None and made.was_served:
        return
    reply = outcome.get("output")
    if reply is not None and "usage" in reply and (usage := usage_in(reply)) is not None:
        outcome["usage"] = usage


def _before(terms: Terms) -> Told:
    """What is known of earlier attempts, where the last one needed no call."""
    told: Told = {}
    if terms.tries:
        told["tries"] = [*terms.tries]
    if terms.cost:
        told["cost"] = terms.cost
    return told


def until_due(
    previous: Outcome, run: RunHandle, *, though_cancelled: bool = False
) -> Awaitable[None]:
    """Wait until the next attempt is due, or the run is stopped from outside."""
    seconds = max(0.0, previous.get("next_due_at", 0.0) - run.clock.now())
    if run.brake is None:
        return run.clock.sleep(seconds)
    return run.brake.sleep(seconds, run.clock, though_cancelled=though_cancelled)


def _marked(asked: GraphBubbleUp, context: AgentContext) -> GraphBubbleUp:
    """What an agent asks, so that nobody takes it for a question of the plan."""
    if not isinstance(asked, GraphInterrupt):
        return asked
    path = path_in(context.run_id, context.task_id)
    interrupts: Sequence[Interrupt] = asked.args[0] if asked.args else ()
    return GraphInterrupt([_marked_question(each, path) for each in interrupts])


def _marked_question(asked: Interrupt, path: str) -> Interrupt:
    shown = json_like(asked.value)
    if not looks_own(shown):
        return asked
    return Interrupt(value=by_agent(shown, task_id=path), id=asked.id)


async def _bounded(
    call: Awaitable[JsonObject],
    agent: Agent,
    work: Work,
    stop: StopSignal | None,
    *,
    made: AgentCall | None,
) -> JsonObject:
    """Await the agent's reply, no longer than the deadline and the run allow.

    What is there in time counts, also where it is still being counted when the time is over.
    """
    try:
        return await _in_time(call, agent, work, stop)
    except (AgentTimeoutError, CancelledByStopError):
        if made is None or made.answer is None:
            raise
        return cast("JsonObject", made.answer)


async def _in_time(
    call: Awaitable[JsonObject], agent: Agent, work: Work, stop: StopSignal | None
) -> JsonObject:
    """Await the reply as long as there is time."""
    timeout = work["timeout_seconds"]
    if stop is not None:
        call = stop.guard(call)
    if timeout is None:
        return await call
    try:
        async with asyncio.timeout(timeout) as limit:
            reply = await call
    except TimeoutError:
        if not limit.expired():  # the agent's own
            raise
    if not limit.expired():  # an agent that swallows its cancellation answers too late
        return reply
    raise AgentTimeoutError(
        f"agent {agent.agent_id!r} did not answer within {timeout:g} s; "
        "it may have acted all the same"
    )


def _is_cancelled() -> bool:
    """Whether this task was asked to stop, as opposed to an agent that raised for itself."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _going_on(terms: Terms, previous: Outcome) -> Terms:
    """The terms of a later attempt at a task."""
    return terms._replace(tries=previous.get("tries", ()), cost=previous.get("cost", 0.0))


def _failure(
    error: Exception, agent: Agent | None, run: RunHandle, work: Work, context: AgentContext
) -> Outcome:
    if isinstance(error, CancelledByStopError):
        return Outcome(
            status=TaskStatus.CANCELLED.value, attempts=context.attempt, reason=str(error)
        )
    if isinstance(error, NotJsonError):
        error = UnknownReplyError(f"{error}; agents answer with a JSON object")
    timed_out = isinstance(error, AgentTimeoutError | TimeoutError)
    status = TaskStatus.TIMED_OUT if timed_out else TaskStatus.FAILED
    outcome = Outcome(status=status.value, attempts=context.attempt, error=error_record(error))
    policy = work["retry"]
    if (
        policy is None
        or context.attempt >= policy["max_attempts"]
        or isinstance(error, _NEVER_RETRIED)
        or (agent is not None and not agent.may_retry)
    ):
        return outcome
    budget = run.terms.budget
    if budget is not None and not budget.take():
        outcome["reason"] = f"not tried again: the run's retry budget of {budget.limit} is used up"
        return outcome
    wait = retry_delay(policy, context.attempt, seed=context.idempotency_key)
    if isinstance(error, AgentNotStartedError) and error.retry_after is not None:
        wait = max(wait, error.retry_after)
    outcome["status"] = TaskStatus.PENDING.value
    outcome["next_due_at"] = run.clock.now() + wait
    return outcome
