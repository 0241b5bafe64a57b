"""A planner that needs no model: it reads plain English, and says what it did not understand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.approving import place_approvals
from orchestration.planning.clauses import Clause, read_clauses
from orchestration.planning.drafts import Draft
from orchestration.planning.earlier import resolved
from orchestration.planning.items import APPROVAL, Items, read_items
from orchestration.planning.judging import apply_conditions
from orchestration.planning.ordering import ordered
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import Text, without_quotes
from orchestration.planning.request_text import earlier_messages, request_text
from orchestration.planning.results import guard_results, link_results
from orchestration.planning.speech import with_speech
from state.proposal import Proposal, ProposedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.proposal import AgentCard, PlanningRequest

_INSTEAD = re.compile(r"\binstead\b", re.IGNORECASE)
_POINTER = re.compile(r"outputs\.@([0-9]+)")


class DeterministicPlanner:
    """Plans by rules: the same request gives the same proposal, and nothing is guessed."""

    async def propose(self, request: PlanningRequest) -> Proposal:
        """Plan the last user message of a request.

        What is not understood stands in `not_understood`; the tasks then only show what was.
        """
        try:
            text = with_speech(without_quotes(request_text(request)))
            clauses = read_clauses(text.words)
            _resolve(clauses, request)
        except NotUnderstoodError as error:
            return Proposal(not_understood=(_restored(str(error), locals().get("text")),))
        return _proposal(clauses, text=text, agents=request.agents)


def _restored(sentence: str, text: object) -> str:
    return text.restored(sentence) if isinstance(text, Text) else sentence


def _resolve(clauses: list[Clause], request: PlanningRequest) -> None:
    earlier = earlier_messages(request)
    bought = False
    for clause in clauses:
        clause.words = resolved(clause.words, earlier, bought_here=bought)
        bought = bought or bool(re.search(r"\b(?:tickets?|seats?)\b", clause.words, re.IGNORECASE))


def _proposal(clauses: list[Clause], *, text: Text, agents: Sequence[AgentCard]) -> Proposal:
    items = read_items(clauses, text=text, agents=agents)
    problems = [*items.problems]
    drafts = items.drafts
    if not problems:
        try:
            drafts = _wired(items, text=text, agents=agents)
        except NotUnderstoodError as error:
            problems.append(text.restored(str(error)))
    if not drafts and not problems:
        problems.append(_nothing(items))
    _name(drafts)
    assumptions = _settle(drafts, problems)
    problems += _impossible(drafts, agents)
    return Proposal(
        tasks=tuple(_task(draft, drafts, text) for draft in drafts),
        not_understood=tuple(dict.fromkeys(map(text.restored, problems))),
        assumptions=tuple(assumptions),
    )


def _wired(items: Items, *, text: Text, agents: Sequence[AgentCard]) -> list[Draft]:
    drafts = ordered(items.drafts, text=text, agents=agents)
    drafts = place_approvals(drafts)
    link_results(drafts)
    drafts = apply_conditions(drafts)
    _name(drafts)
    guard_results(drafts)
    _refuse_contradictions(drafts, items)
    return drafts


def _refuse_contradictions(drafts: list[Draft], items: Items) -> None:
    for name, words in items.negated:
        if any(draft.name == name for draft in drafts):
            raise NotUnderstoodError(
                f"{quoted(words)} contradicts another part of the request. Say only "
                f"what is to be done."
            )
    names = {draft.name for draft in drafts}
    for draft in drafts:
        if (
            draft.name == "purchase"
            and "cancellation" not in names
            and _INSTEAD.search(draft.quote)
        ):
            raise NotUnderstoodError(
                f"Instead of what, in {quoted(draft.quote)}? Say which order is to be cancelled, "
                "for example 'Cancel order 17 and book 6 tickets for tomorrow'."
            )
        bought = any(need.name == "purchase" for need in draft.needs)
        if (
            draft.name == "cancellation"
            and bought
            and "order_id" not in draft.fields
            and not draft.guards
        ):
            raise NotUnderstoodError(
                f"{quoted(draft.quote)} takes back what the same request buys. Say "
                f"which of both is meant, or under which condition."
            )


def _nothing(items: Items) -> str:
    if items.negated:
        return (
            f"{quoted(items.negated[0][1])} says only what is not to be done, so there "
            f"is nothing to do."
        )
    return (
        "The request asks for nothing. Say what is to be done, for example 'Book 10 "
        "tickets for tonight and update the CRM'."
    )


def _settle(drafts: list[Draft], problems: list[str]) -> list[str]:
    """Answer open questions where the request allows it, and ask the others."""
    assumptions: list[str] = []
    for draft in drafts:
        assumptions += draft.assumptions
        if draft.missing is None:
            continue
        if draft.name == "purchase" and _is_approved(draft, drafts):
            draft.fields["quantity"] = 1
            draft.message = re.sub(
                r"^Book\s+(?:the\s+|some\s+)?tickets\b", "Book 1 ticket", draft.message
            )
            assumptions.append(
                "1 ticket, as the request gives no number; say for example 'Book 10 "
                "tickets' for more."
            )
        else:
            problems.append(draft.missing)
    return assumptions


def _is_approved(purchase: Draft, drafts: list[Draft]) -> bool:
    """Whether a person surely sees the purchase before it is final."""
    return purchase.approval or any(
        draft.approval
        and purchase in draft.needs
        and not draft.guards
        and draft.name == "expense_approval"
        for draft in drafts
    )


def _impossible(drafts: list[Draft], agents: Sequence[AgentCard]) -> list[str]:
    offered = {str(capability) for card in agents for capability in card.capabilities}
    return [
        f"{quoted(draft.quote)} needs the capability {draft.capability!r}, which no agent has. "
        f"There are {', '.join(sorted(offered)) or 'no capabilities at all'}."
        for draft in drafts
        if draft.capability is not None and draft.capability not in offered
    ]


def _name(drafts: list[Draft]) -> None:
    counts: dict[str, int] = {}
    for draft in drafts:
        name = "expense_approval" if draft.name == APPROVAL else draft.name
        counts[name] = counts.get(name, 0) + 1
        draft.task_id = name if counts[name] == 1 else f"{name}_{counts[name]}"


def _task(draft: Draft, drafts: list[Draft], text: Text) -> ProposedTask:
    ids = {str(id(other)): other.task_id for other in drafts}
    guards = [
        _POINTER.sub(lambda match: f"outputs.{ids[match[1]]}", guard) for guard in draft.guards
    ]
    joined = " && ".join(
        f"({guard})" if " || " in guard and len(guards) > 1 else guard for guard in guards
    )
    message = text.restored(draft.message)
    return ProposedTask(
        task_id=draft.task_id,
        capability=draft.capability,
        agent_id=draft.agent_id,
        input_data={
            **draft.fields,
            "messages": [{"role": "user", "content": message[:1].upper() + message[1:]}],
        },
        depends_on=tuple(other.task_id for other in drafts if other in draft.needs),
        condition=joined or None,
        requires_approval=draft.approval,
        compensate=draft.compensate,
        quote=text.restored(draft.quote),
    )
