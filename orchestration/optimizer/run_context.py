"""The context of a run: which sources its tasks will want, fetched from its beginning on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from state.errors import AgentNotFoundError, Problem
from state.outcome import is_finished
from state.plan_document import INSIDE

if TYPE_CHECKING:
    from contextlib import ExitStack

    from nodes.ports import Agents
    from orchestration.optimizer.context import ContextSources
    from orchestration.optimizer.prefetch import Prefetch
    from state.outcome import Outcome
    from state.plan import Plan
    from state.plan_document import PlanDocument, PlannedTask


def begun_context(
    sources: ContextSources,
    plan: Plan,
    known: Mapping[str, Outcome],
    *,
    agents: Agents,
    ending: ExitStack,
) -> Prefetch | None:
    """Begin to fetch what the rest of a run will want; None where it wants nothing.

    A source that this process does not have is left out: whoever wants it is told.

    Args:
        sources: Who fetches it.
        plan: Whose tasks want it.
        known: What became of them so far.
        agents: Some want it whatever the plan says.
        ending: Ends what is still under way when the run pauses or ends.
    """
    document = plan.document
    if document["user"] is None or not sources.names:
        return None
    wanted = dict.fromkeys(wanted_context(document, agents, known))
    names = [name for name in wanted if name in sources.names]
    if not names:
        return None
    begun = sources.begin(document["user"], names=names, tenant=document["tenant"])
    ending.callback(begun.cancel)
    return begun


def wanted_context(
    document: PlanDocument, agents: Agents, known: Mapping[str, Outcome]
) -> Iterator[str]:
    """The names of the sources that tasks, or their agents, want, of those not done yet."""
    for id_, task in document["tasks"].items():
        if is_finished(known.get(id_)):
            continue
        if "body" in task:
            yield from wanted_context(task["body"], agents, {})
        elif "context" in task:
            yield from task["context"]
        elif "wait" not in task:
            yield from _wanted_by_agent(task, agents)


def context_problems(
    document: PlanDocument, names: Collection[str], inside: str = ""
) -> Iterator[Problem]:
    """Say which tasks name sources that there are not."""
    for id_, task in document["tasks"].items():
        for name in task.get("context", ()):
            if name not in names:
                known = f"registered are {sorted(names)}" if names else "none is registered"
                message = f"task {inside + id_!r}: there is no context source {name!r}; {known}"
                yield Problem("unknown_context", message, inside + id_)
        if "body" in task:
            yield from context_problems(task["body"], names, f"{inside}{id_}{INSIDE}")


def _wanted_by_agent(task: PlannedTask, agents: Agents) -> tuple[str, ...]:
    try:
        agent = agents.choose(agent_id=task["agent"], capability=task["capability"])
    except AgentNotFoundError:  # the task itself will say so
        return ()
    return agent.settings.context
