"""Tasks that need another's answer: the CRM after a purchase, `it`, `the expense`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.condition import exists
from orchestration.planning.ordering import comes_after, follow

if TYPE_CHECKING:
    from orchestration.planning.drafts import Draft

_READERS = frozenset(
    {"crm_update", "notification", "expense_log", "expense_approval", "cancellation"}
)
_TELLABLE = frozenset(
    {
        "proposal",
        "opportunity",
        "onboarding",
        "leave",
        "leave_withdrawal",
        "expense_cancellation",
        "expense_approval",
        "expense_log",
        "crm_update",
        "purchase",
        "cancellation",
    }
)
_TO_BUYER = (
    "The confirmation goes to the phone number of the order; name a person or a number for another."
)
_CLAIMED = (
    (r"\b(?:cancell?ed|refunded)\b", frozenset({"cancellation"})),
    (r"\bapproved\b", frozenset({"expense_approval"})),
)
_FOR_CRM = frozenset({"proposal", "opportunity"})


def link_results(drafts: list[Draft]) -> None:
    """Let each task that refers to another's result come after it."""
    for draft in drafts:
        if draft.refers and draft.name in _READERS:
            _link(draft, drafts)
    _log_after_approval(drafts)


def link_expense(draft: Draft, drafts: list[Draft]) -> None:
    """Let a task about what was bought come after all purchases."""
    for other in drafts:
        if other.name == "purchase":
            follow(draft, other)


def _link(draft: Draft, drafts: list[Draft]) -> None:
    purchases = [
        other for other in drafts if other.name == "purchase" and not comes_after(other, draft)
    ]
    topics = [
        other
        for other in drafts
        if other.name == draft.topic and other is not draft and other.effect
    ]
    if topics and draft.topic != "purchase" and draft.name in {"crm_update", "notification"}:
        _tell(draft, [other for other in topics if not comes_after(other, draft)])
        return
    if purchases:
        for other in purchases:
            follow(draft, other)
        if "body" not in draft.fields:
            draft.missing = None
        _name_buyer(draft, purchases)
        if draft.name == "notification" and "to" not in draft.fields:
            draft.assumptions.append(_TO_BUYER)
        return
    _link_without_purchase(draft, drafts)


def _link_without_purchase(draft: Draft, drafts: list[Draft]) -> None:
    if draft.name == "notification" and "body" in draft.fields:
        _link_claims(draft, drafts)
    elif draft.name == "notification":
        _tell(draft, _told_about(draft, drafts))
    elif draft.name == "crm_update":
        before = _before(draft, drafts)
        deals = [other for other in before if other.account and other.name in _FOR_CRM]
        deals = [other for other in deals if other in draft.needs] or deals
        _tell(draft, deals or _pointed_at(draft, before))
    elif draft.name == "expense_log" and draft.amount is None:
        draft.missing = None  # the books take every order that was not expensed yet


def _pointed_at(draft: Draft, before: list[Draft]) -> list[Draft]:
    """What `record it in the CRM` is about, where it is no deal: what was said last."""
    told = [other for other in before if other.name in _TELLABLE]
    if not told or not re.search(r"\b(?:it|that|this)\b", draft.clause.words, re.IGNORECASE):
        return []
    return [other for other in told if other.clause is told[-1].clause]


def _link_claims(draft: Draft, drafts: list[Draft]) -> None:
    """A message that says what was done comes after that."""
    for pattern, names in _CLAIMED:
        if re.search(pattern, str(draft.fields["body"]), re.IGNORECASE):
            for other in drafts:
                if other.name in names and other.effect:
                    follow(draft, other)


def _name_buyer(draft: Draft, purchases: list[Draft]) -> None:
    buyers = {other.account for other in purchases if other.account}
    if draft.name == "crm_update" and draft.account is None and len(buyers) == 1:
        draft.fields["customer"] = buyers.pop()


def _told_about(draft: Draft, drafts: list[Draft]) -> list[Draft]:
    """What a message without words is about: what it comes after, or else was said last."""
    needed = [other for other in draft.needs if other.name in _TELLABLE]
    if needed:
        return needed
    before = [other for other in _before(draft, drafts) if other.name in _TELLABLE]
    return [other for other in before if other.clause.sentence == before[-1].clause.sentence]


def _before(draft: Draft, drafts: list[Draft]) -> list[Draft]:
    before = [other for other in drafts[: drafts.index(draft)] if other.effect]
    return before or [
        other
        for other in drafts[drafts.index(draft) + 1 :]
        if other.effect and other.name in _TELLABLE and other.name not in _READERS
    ]


def _tell(draft: Draft, others: list[Draft]) -> None:
    """Say in words what was done, as its agent reads orders only."""
    if not others:
        return
    for other in others:
        follow(draft, other)
    said = "Done: " + "; ".join(other.message for other in others) + "."
    if draft.name == "notification" and "body" not in draft.fields:
        draft.fields["body"], draft.missing = said, None
        draft.message += f": {said}"
        if "to" not in draft.fields:
            draft.missing = (
                f"Who shall get the message in {draft.quote!r}? Give a name or a phone "
                f"number, for example 'text Alice: ...'."
            )
    if draft.name == "crm_update" and "note" not in draft.fields:
        accounts = {other.account for other in others if other.account}
        draft.fields["note"] = said
        if draft.account is None and len(accounts) == 1:
            draft.account = accounts.pop()
            draft.fields["account"] = draft.account
        draft.message = f"Update the CRM for {draft.account}: {said}"
        if draft.account is None:
            draft.missing = (
                f"Which account is {draft.quote!r} for? Say for example 'Update the CRM "
                f"for Acme: renewal agreed'."
            )


def _log_after_approval(drafts: list[Draft]) -> None:
    """An order is expensed once: what is approved is logged afterwards, and only noted then."""
    for log in (draft for draft in drafts if draft.name == "expense_log" and draft.refers):
        for approval in (
            draft for draft in drafts if draft.name == "expense_approval" and draft.amount is None
        ):
            if log.clause.condition is None or approval.clause.condition is None:
                follow(log, approval)
                # the approval books the expense, so it has to know where
                if "department" in log.fields and log.fields["action"] == "log_expense":
                    approval.fields.setdefault("department", log.fields["department"])


def guard_results(drafts: list[Draft]) -> None:
    """Let what reads the answer of a task that may be skipped be skipped with it."""
    for draft in drafts:
        skippable = [other for other in draft.needs if other.guards and other.name in _TELLABLE]
        if draft.name not in _READERS or not draft.refers or not skippable:
            continue
        about = [
            other
            for other in skippable
            if other.name == "purchase" or draft.fields.get("body") or draft.fields.get("note")
        ]
        if not about or (
            len(about) < len([other for other in draft.needs if other.name == "purchase"])
        ):
            continue
        draft.guards.append(
            " || ".join(f"({exists(f'outputs.{other.task_id}.message')})" for other in about)
        )
