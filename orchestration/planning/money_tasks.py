"""Tasks about money: expenses and budgets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.agents.team.seed import MONTHLY_BUDGETS
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.customer_tasks import amount_of
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.tails import check_parts, check_tail
from orchestration.planning.vocabulary import Frame

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause

_DEPARTMENT = re.compile(
    (
        rf"\b(?:for|to|against|from|under|on|in|of)\s+(?:the\s+"
        rf"|our\s+)?(?P<name>{'|'.join(MONTHLY_BUDGETS)})(?:'s)?\b"
        rf"|\b(?P<owner>{'|'.join(MONTHLY_BUDGETS)})(?:'s)?\s+(?:budget|expenses?"
        rf"|department|costs?)\b"
    ),
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:tickets?|orders?|purchase|booking|seats|it|this|that|them|these|those|reservation)\b",
    re.IGNORECASE,
)
_KIND = rf"(?:(?:{'|'.join(MONTHLY_BUDGETS)})|(?!(?:and|or|for|to|as|in|on|of|not)\b)[a-z-]+)"
"""Of an expense: `a $400 travel expense`, `a $90 hotel expense`."""
_ANY_EXPENSE = word_set(
    "both log record file submit add book enter put register post note track claim "
    "process create charge expense expenses the it this that these those them all "
    "any our my ticket tickets order orders purchase purchases cost costs spend "
    "spending "
    "booking total full corresponding related resulting whole event for of and in to "
    "on as an a just simply approve authorise authorize sign off clear ok okay too "
    "with from under against books finance department budget by so far amount seats "
    "reservation which whatever new entire price bill bills payment payments receipt "
    "receipts invoice invoices down through please if need be now report entry it's "
    "us me"
)


def expense(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that an expense is approved or logged.

    Raises:
        NotUnderstoodError: It is not clear which or how much.
    """
    amount = amount_of(words, clause.quote)
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message="Approve the expense" if frame.action == "approve_expense" else "Log the expense",
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action},
        refers=amount is None or bool(_ORDER.search(words)),
        topic="purchase",
        amount=amount,
    )
    department = department_in(words)
    if department:
        draft.fields["department"] = department
    if amount is None:
        _check_plain_expense(words, clause, department)
        draft.missing = (
            f"How much is the expense in {quoted(clause.quote)}? Say for example 'a $250 "
            f"expense for travel'."
        )
    else:
        draft.fields["amount"] = amount
        draft.message = (
            f"{'Approve' if frame.action == 'approve_expense' else 'Log'} a ${amount:,.2f} expense"
            + _purpose(words, draft)
        )
        check_tail(
            re.sub(
                (
                    r"^.*?(?:expenses?|costs?|\$\s?[0-9][\w.,]*(?:\s*(?:k|thousand|grand"
                    r"|dollars))?)"
                    rf"(?:(?:\s+{_KIND})?\s+expenses?)?"
                ),
                "",
                words,
                count=1,
                flags=re.IGNORECASE,
            ),
            quote=clause.quote,
            known=word_set("expense expenses dollars usd cost costs budget department"),
        )
    return draft


def expense_reversal(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that an expense is taken back; it has to be named by its number."""
    match = re.search(r"\bexpense\s*(?:number|no\.?)?\s*#?\s*([0-9]{1,15})\b", words, re.IGNORECASE)
    if match is None:
        raise NotUnderstoodError(
            f"Which expense is meant in {quoted(clause.quote)}? Say for example 'Cancel expense 3'."
        )
    return Draft(
        name="expense_cancellation",
        capability=str(frame.capability),
        message=f"Cancel expense {match[1]}",
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, "expense_id": int(match[1])},
    )


def budget_question(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan a question about budgets."""
    check_parts(
        words, quote=clause.quote, known=word_set("budget left remaining spent how much what")
    )
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        effect=False,
        fields={"action": frame.action},
    )
    if department := department_in(words):
        draft.fields["department"] = department
    return draft


def department_in(words: str) -> str | None:
    """Return the department with a budget that words name.

    Raises:
        NotUnderstoodError: They name several.
    """
    found = {(match["name"] or match["owner"]).lower() for match in _DEPARTMENT.finditer(words)}
    if len(found) > 1:
        raise NotUnderstoodError(
            f"{quoted(words)} names several departments ({', '.join(sorted(found))}); name one."
        )
    return next(iter(found), None)


def _check_plain_expense(words: str, clause: Clause, department: str | None) -> None:
    unread = [
        word
        for word in re.findall(r"[\w'-]+", words.lower())
        if word not in _ANY_EXPENSE and word != department
    ]
    if unread:
        raise NotUnderstoodError(
            f"How much is the expense in {quoted(clause.quote)}? It has no amount, "
            f"and {quoted(' '.join(unread))} names no order. "
            "Say for example 'Log a $250 expense for travel'."
        )


def _purpose(words: str, draft: Draft) -> str:
    match = re.search(r"\bfor\s+(?P<what>(?!\$)[^,.;]+)", words, re.IGNORECASE)
    if match is None and "department" in draft.fields:
        return f" for {draft.fields['department']}"
    match = match or re.search(
        rf"\$\s?[0-9][\w.,]*\s+(?P<what>{_KIND})\s+expense\b", words, re.IGNORECASE
    )
    if match is None:
        return ""
    draft.fields["description"] = match["what"].strip()
    return f" for {match['what'].strip()}"
