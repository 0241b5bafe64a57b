"""What each clause asks for: tasks, an approval, or that something is not done."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.approvals import APPROVAL_NOUN, approval_topic, asks_person
from orchestration.planning.condition import About
from orchestration.planning.condition_words import read_condition
from orchestration.planning.custom_agents import (
    agent_task,
    asked_agent,
    capability_task,
    named_capability,
)
from orchestration.planning.customer_tasks import account_question, amount_of, crm_update
from orchestration.planning.deal_tasks import deal, opportunity_change
from orchestration.planning.doubts import check_asked, check_plain, negated_command
from orchestration.planning.drafts import Draft
from orchestration.planning.ellipses import spelled_out
from orchestration.planning.leave_tasks import leave_question, leave_request, leave_withdrawal
from orchestration.planning.message_tasks import notification
from orchestration.planning.money_tasks import budget_question, expense, expense_reversal
from orchestration.planning.negations import negated_name
from orchestration.planning.onboarding_tasks import employee_question, onboarding
from orchestration.planning.order_words import Order
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.pronouns import (
    name_amount,
    name_customer,
    name_employee,
    name_recipient,
)
from orchestration.planning.tails import check_parts, check_tail
from orchestration.planning.ticket_tasks import cancellation, event_of, event_question, purchase
from orchestration.planning.ties import command_words
from orchestration.planning.vocabulary import FRAMES, Frame, frame_of
from orchestration.planning.voice import as_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.planning.clauses import Clause
    from orchestration.planning.quotes import Text
    from state.proposal import AgentCard

APPROVAL = "approval"
_BOOK_THEM = re.compile(
    (
        r"(?:book|buy|get|order|purchase|reserve|do)\s+(?:them|it|those|these|that"
        r"|this)(?:\s+for\s+(?:me|us))?$"
    ),
    re.IGNORECASE,
)
_BARE_BUY = re.compile(
    (
        r"(?:book|buy|get|reserve|order|purchase|grab)\s+(?:me\s+|us\s+)?(?:[0-9]{1,4}"
        r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
        r"|thirty|forty|fifty|a\s+dozen|a\s+couple)(?:\s+of\s+them)?"
    ),
    re.IGNORECASE,
)
_LOG_IT = re.compile(
    r"(?:log|record|file|submit)\s+(?:it|that|this|them)(?:\s+down)?", re.IGNORECASE
)
_LOG = next(frame for frame in FRAMES if frame.action == "log_expense")

_FOR_WHAT = re.compile(
    r"\b(?:(?P<to>to)|for|of|before)\s+(?=(?P<what>[a-z]+\s+\S.*)$)", re.IGNORECASE
)
_AT_ONCE = frozenset({"update_crm", "log_expense", "approve_expense", "cancel_order"})
"""Actions for which a date could only mean that they are to wait."""
_LATER = re.compile(
    r"\b(?:tomorrow|tonight|next\s+(?:week|month|year|\w+day)|in\s+(?:[0-9]+|an?|two"
    r"|three)\s+(?:minutes?|hours?|days?|weeks?)"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b(?!')",
    re.IGNORECASE,
)
_MEETING = re.compile(r"\b(?:call|meeting|e?mail|visit|tickets?|booking|order)\b", re.IGNORECASE)
_LIMIT = re.compile(
    r"\b(?:(?:for\s+)?(?:anything|any\s+(?:amount|total|price|cost|order|purchase)|amounts|totals"
    r"|costs|orders|purchases)\s+)?(?:(?:that\s+)?(?:is|are|costs?)\s+)?(?:over|above|exceeding"
    r"|beyond|below|under|at\s+least|from|in\s+excess\s+of|(?:more|less|greater|higher)\s+than)\s+"
    r"(?:us)?\$?\s?[0-9]",
    re.IGNORECASE,
)
_PURPOSE = re.compile(rf"{APPROVAL_NOUN}[^,]*?\bto\s+(?P<verb>[a-z]+)", re.IGNORECASE)
_ANY_PURPOSE = word_set("spend pay proceed go do continue the my our me us it this that finance")
_APPROVAL_WORDS = word_set(
    "approval approvals sign-off signoff permission manager boss finance expense "
    "purchase order tickets "
    "leave onboarding proposal deal cost spend it needed required necessary approve approved"
)
BUILDERS: dict[str, Callable[[Frame, Clause, str], Draft]] = {
    "purchase_tickets": purchase,
    "cancel_order": cancellation,
    "check_availability": event_question,
    "list_events": event_question,
    "event_info": event_question,
    "account_info": account_question,
    "update_opportunity": opportunity_change,
    "approve_expense": expense,
    "log_expense": expense,
    "cancel_expense": expense_reversal,
    "check_budget": budget_question,
    "request_leave": leave_request,
    "leave_balance": leave_question,
    "withdraw_leave": leave_withdrawal,
    "onboard_employee": onboarding,
    "employee_info": employee_question,
}


@dataclass(slots=True, kw_only=True)
class Items:
    """All that a request asks for."""

    drafts: list[Draft]
    """Tasks and approvals, in the order of the request; an approval's name is `approval`."""
    negated: list[tuple[str, str]]
    """Names of tasks that are not to be done, each with its words."""
    problems: list[str]


def read_items(clauses: Sequence[Clause], *, text: Text, agents: Sequence[AgentCard]) -> Items:
    """Read every clause; one that is not understood becomes a problem, and the others go on."""
    items = Items(drafts=[], negated=[], problems=[])
    for clause in clauses:
        try:
            _read(clause, items, text=text, agents=agents)
        except NotUnderstoodError as error:
            items.problems.append(text.restored(str(error)))
    return items


def _read(clause: Clause, items: Items, *, text: Text, agents: Sequence[AgentCard]) -> None:
    words = clause.words
    if (what := negated_command(words)) is not None and clause.condition is not None:
        words = _turned_approval(clause, what)
    elif what is not None:
        items.negated.append((negated_name(what, clause), clause.quote))
        return
    if _BOOK_THEM.fullmatch(words) and any(draft.name == "purchase" for draft in items.drafts):
        _merge(clause, items)
        return
    if items.drafts:
        words = spelled_out(words, items.drafts[-1])
    if _BARE_BUY.fullmatch(words) and items.drafts:
        words = f"{words} tickets {event_of(items.drafts[-1], clause)}"
    found = drafts_of(clause, words, text=text, agents=agents)
    for draft in found:
        name_employee(draft, words, items.drafts)
        name_customer(draft, words, items.drafts)
        name_amount(draft, words, items.drafts)
        name_recipient(draft, items.drafts)
    items.drafts += found


def _merge(clause: Clause, items: Items) -> None:
    """`I need 5 tickets. Please book them` is one purchase."""
    purchase_clause = next(
        draft for draft in reversed(items.drafts) if draft.name == "purchase"
    ).clause
    purchase_clause.ties += clause.ties
    purchase_clause.condition = purchase_clause.condition or clause.condition


def drafts_of(
    clause: Clause, words: str, *, text: Text, agents: Sequence[AgentCard]
) -> list[Draft]:
    """Return the tasks that a clause asks for.

    Raises:
        NotUnderstoodError: It is not understood.
    """
    custom = agent_task(clause, words, agents)
    if custom is None and asks_person(words):
        return _approvals(clause, words, text=text, agents=agents)
    custom = custom or capability_task(clause, words, agents)
    if custom is not None:
        check_plain(words, quote=clause.quote)
        return [custom]
    words = _plain_command(words, agents)
    frame = _LOG if _LOG_IT.fullmatch(words) and _is_about_price(clause) else frame_of(words)
    if frame is None:
        raise _unknown(clause)
    _check(frame, clause, words)
    return _built(frame, clause, words, text=text, email=_sends_email(agents))


def _plain_command(words: str, agents: Sequence[AgentCard]) -> str:
    """`updating the CRM`, `the CRM must be updated` and `ask sales to update the CRM` are one."""
    if re.match(r"[a-z]+ing\s", words, re.IGNORECASE) and frame_of(words) is None:
        words = command_words(words) or words
    words = as_command(words, plain=frame_of(words) is not None)
    asked = asked_agent(words, agents)
    return words if asked is None else asked[1]


def _check(frame: Frame, clause: Clause, words: str) -> None:
    spoken = frame.action in {"send_sms", "update_crm"}
    said = _without_message(words) if spoken else words
    check_asked(said, quote=clause.quote)
    if frame.action in _AT_ONCE and (later := _LATER.search(said)) and not _MEETING.search(said):
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} is to wait ({quoted(later[0])}), but tasks run "
            f"at once. Ask for it then, or leave that out."
        )
    if frame.effect:
        check_plain(said, quote=clause.quote, speech=spoken)
    if (last := words.rfind("\ue001")) >= 0:
        check_tail(words[last + 1 :], quote=clause.quote)


def _built(frame: Frame, clause: Clause, words: str, *, text: Text, email: bool) -> list[Draft]:
    if frame.action == "send_sms":
        return notification(frame, clause, words, text=text, email=email)
    if frame.action == "update_crm":
        return [crm_update(frame, clause, words, text=text)]
    if frame.action in {"create_proposal", "create_opportunity"}:
        return [deal(frame, clause, words, text=text)]
    return [BUILDERS[frame.action](frame, clause, words)]


def _sends_email(agents: Sequence[AgentCard]) -> bool:
    return any(
        "mail" in f"{card.description} {' '.join(card.capabilities)}".lower() for card in agents
    )


def _is_about_price(clause: Clause) -> bool:
    return clause.condition is not None and clause.condition.about in {
        About.PRICE,
        About.UNIT_PRICE,
    }


def _approvals(
    clause: Clause, words: str, *, text: Text, agents: Sequence[AgentCard]
) -> list[Draft]:
    """Return an approval, and with it what `get approval to book 10 tickets` wants done then."""
    words = _with_limit(clause, words)
    for match in _FOR_WHAT.finditer(words):
        command = match["what"] if match["to"] else command_words(match["what"])
        frame = frame_of(command) if command else None
        if frame is None or frame.action == "approve_expense" or not frame.effect:
            continue
        approval = _approval(clause, words[: match.start()], agents)
        wanted = copy_clause(clause, command or "")
        wanted.order = Order.UNSAID
        found = drafts_of(wanted, wanted.words, text=text, agents=agents)
        for draft in found:
            draft.need(approval)
        return [approval, *found]
    if (purpose := _PURPOSE.search(words)) and purpose["verb"].lower() not in _ANY_PURPOSE:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)}: what is to be approved "
            f"({quoted(purpose['verb'])} ...) is nothing that the request "
            "asks for. Say for example 'get approval, then book 10 tickets'."
        )
    check_parts(words, quote=clause.quote, known=_APPROVAL_WORDS)
    return [_approval(clause, words, agents)]


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


def _with_limit(clause: Clause, words: str) -> str:
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


def _approval(clause: Clause, words: str, agents: Sequence[AgentCard]) -> Draft:
    check_plain(re.sub(r"\b(?:without|not)\b", " ", words), quote=clause.quote)
    if several := re.search(
        r"\b(?:both|two(?!\s+days)|three|dual|second)\b(?:\s+\w+)?", words, re.IGNORECASE
    ):
        raise NotUnderstoodError(
            f"{quoted(several[0])} in {quoted(clause.quote)}: one approval can be "
            f"planned; how many people have to give it is set by "
            "an approval policy."
        )
    amount = amount_of(words, clause.quote)
    custom = named_capability(words, agents)
    return Draft(
        name=APPROVAL,
        capability="expense_approval",
        message="Approve the expense" if amount is None else f"Approve a ${amount:,.2f} expense",
        quote=clause.quote,
        clause=clause,
        fields={"action": "approve_expense", **({} if amount is None else {"amount": amount})},
        approval=True,
        topic=approval_topic(words) if custom is None else re.sub(r"\W+", "_", custom[1]),
        amount=amount,
    )


def _without_message(words: str) -> str:
    """Return words up to the message they pass on in reported speech."""
    return re.split(
        r"\s+(?:that|saying|to\s+(?!(?-i:[A-Z])))\b", words, maxsplit=1, flags=re.IGNORECASE
    )[0]


def _unknown(clause: Clause) -> NotUnderstoodError:
    try:
        check_plain(clause.words, quote=clause.quote)
    except NotUnderstoodError as error:
        return error
    return NotUnderstoodError(
        f"{quoted(clause.quote)} was not understood. Say it as a command, for "
        f"example 'Book 10 tickets for tonight', "
        "'update the CRM for Acme', 'get approval', 'log the expense' or 'text Alice: ...'."
    )


def copy_clause(clause: Clause, words: str) -> Clause:
    """A clause for a task that another one mentions, e.g. `after booking 5 tickets`."""
    return replace(clause, words=words, ties=[], condition=None)
