"""Wishes for an approval: above which amount, and what they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.approvals import approval_topic
from orchestration.planning.condition_words import read_condition
from orchestration.planning.custom_agents import named_capability
from orchestration.planning.customer_tasks import amount_of
from orchestration.planning.doubts import check_plain
from orchestration.planning.drafts import APPROVAL, Draft
from orchestration.planning.money_tasks import department_in
from orchestration.planning.negations import negated_name
from orchestration.planning.order_words import Order
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.ties import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.clauses import Clause
    from state.proposal import AgentCard

_LIMIT = re.compile(
    r"\b(?:(?:for\s+)?(?:anything|any\s+(?:amount|total|price|cost|order|purchase)|amounts|totals"
    r"|costs|orders|purchases)\s+)?(?:(?:that\s+)?(?:is|are|costs?)\s+)?(?:over|above|exceeding"
    r"|beyond|below|under|at\s+least|from|in\s+excess\s+of|(?:more|less|greater|higher)\s+than)\s+"
    r"(?:us)?\$?\s?[0-9]",
    re.IGNORECASE,
)
_ANY_LIMIT = re.compile(
    r"\b(?:above|over|exceed\w*|beyond|below|under|at\s+least|at\s+most|up\s+to|limit\w*|threshold"
    r"|or\s+(?:more|less)|(?:more|less|greater|higher|lower)\s+than|once|when)\b",
    re.IGNORECASE,
)

_BUY_THEM = re.compile(
    r"(?:book|buy|get|order|purchase|reserve)\s+(?:them|those|these|the\s+(?:tickets|seats))",
    re.IGNORECASE,
)
_LOG_IT = re.compile(r"(?:log|record|file|book)\s+(?:it|that|the\s+expense)", re.IGNORECASE)
_TICKETS = re.compile(
    r"\b(?:for|of|to\s+(?:buy|book|get|purchase))\s+(?P<what>[\w-]+\s+(?:tickets?|seats?)\b.*)",
    re.IGNORECASE,
)
_EXPENSE = re.compile(
    r"\b(?:for|of)\s+(?P<what>(?:an?|the)\s+(?:\$\s?[0-9].*\bexpense\b.*|expense\s+of\s+\$.*))",
    re.IGNORECASE,
)


def asked_by_negation(clause: Clause, what: str) -> str | None:
    """Return the wish for an approval that a clause says by what is not to be done, if it does.

    Raises:
        NotUnderstoodError: Something else is not to be done under a condition, or until then.
    """
    if _until_approval(clause, what):
        return "get approval"
    return None if clause.condition is None else _turned_approval(clause, what)


def approved_command(approval: Draft, words: str) -> str:
    """Return `buy them` after `get approval for 40 tickets` as `book 40 tickets`, and the like."""
    said = approval.quote
    if _BUY_THEM.fullmatch(words) and (match := _TICKETS.search(said)):
        return f"book {match['what']}"
    if _LOG_IT.fullmatch(words) and (match := _EXPENSE.search(said)):
        return f"log {match['what']}"
    return words


def _until_approval(clause: Clause, what: str) -> bool:
    """Read `don't buy anything until Carol approves` as an approval that comes first."""
    until = [tie for tie in clause.ties if tie.after and tie.target is Target.APPROVAL]
    if not until:
        return False
    if negated_name(what, clause) != "purchase":
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} says until when something is not to be done. Say when it is "
            "to be done, for example 'Once Carol has approved, text Bob: all set'."
        )
    clause.ties = [tie for tie in clause.ties if tie not in until]
    clause.order = Order.FIRST if clause.order is Order.UNSAID else clause.order
    return True


def _turned_approval(clause: Clause, what: str) -> str:
    """`No approval is needed if it is below 500` asks for one from 500 on.

    Raises:
        NotUnderstoodError: Something else is not to be done under a condition.
    """
    condition = clause.condition
    approval = negated_name(what, clause) == "expense_approval"
    if condition is None or not condition.comparisons or not approval:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} says when something is not to be done. Say when it is to be "
            "done, for example 'if it costs more than 5000, get approval'."
        )
    clause.condition = condition.opposite()
    return "get approval"


def with_limit(clause: Clause, words: str) -> str:
    """`Get approval above $2,000` is an approval under a condition, not one of $2,000."""
    for match in _LIMIT.finditer(words):
        condition = read_condition(words[match.start() :])
        if condition is None or not condition.comparisons:
            continue
        if clause.condition is not None:
            raise NotUnderstoodError(
                f"{quoted(clause.quote)} has two conditions; give one, or write them in sentences "
                "of their own."
            )
        clause.condition = condition
        return words[: match.start()].strip(" ,")
    return words


def approval_wish(clause: Clause, words: str, agents: Sequence[AgentCard]) -> Draft:
    """Plan that a person is asked; where in the request, is settled later.

    Raises:
        NotUnderstoodError: It is not clear what is to be approved, or how often.
    """
    check_plain(re.sub(r"\b(?:without|not)\b", " ", words), quote=clause.quote)
    if several := re.search(
        r"\b(?:both(?!(?:\s+(?:orders|purchases|bookings|of\s+them))?\s*$)|two(?!\s+days)|three|dual|second)\b(?:\s+\w+)?",
        words,
        re.IGNORECASE,
    ):
        raise NotUnderstoodError(
            f"{quoted(several[0])} in {quoted(clause.quote)}: one approval can be "
            f"planned; how many people have to give it is set by "
            "an approval policy."
        )
    amount = amount_of(words, clause.quote)
    if amount is not None and (limit := _ANY_LIMIT.search(words)):
        raise NotUnderstoodError(
            f"Does {quoted(limit[0])} in {quoted(clause.quote)} say when approval is needed? Say "
            "for example 'if it costs more than 5000, get approval'."
        )
    custom = named_capability(words, agents)
    department = None if amount is None else department_in(words)
    return Draft(
        name=APPROVAL,
        capability="expense_approval",
        message="Approve the expense" if amount is None else f"Approve a ${amount:,.2f} expense",
        quote=clause.quote,
        clause=clause,
        fields={
            "action": "approve_expense",
            **({} if amount is None else {"amount": amount}),
            **({} if department is None else {"department": department}),
        },
        approval=True,
        topic=approval_topic(words) if custom is None else re.sub(r"\W+", "_", custom[1]),
        amount=amount,
    )
