"""Where a person is asked: before a task, or about what was bought."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.condition import holds_for
from orchestration.planning.items import APPROVAL
from orchestration.planning.order_words import Order
from orchestration.planning.ordering import comes_after, follow
from orchestration.planning.problems import NotUnderstoodError, quoted

if TYPE_CHECKING:
    from orchestration.planning.drafts import Draft

_IT = re.compile(
    r"(?:get|have|need|want)\s+(?:it|this|that)\s|(?:approve|off(?:\s+on)?|authori[sz]e|sign)"
    r"\s+(?:it|this|that)\b|^(?:it|this|that)\s",
    re.IGNORECASE,
)
UNDO = {"action": "cancel_order"}
_EXPENSES = frozenset({"expense_approval", "expense_log"})


def place_approvals(drafts: list[Draft]) -> list[Draft]:
    """Turn each wish for an approval into a pause: of a task of its own, or before others.

    Raises:
        NotUnderstoodError: It is not clear what is to be approved.
    """
    everything = [*drafts]
    for approval in [draft for draft in drafts if draft.name == APPROVAL]:
        everything = _place(approval, everything)
    return everything


def _place(approval: Draft, drafts: list[Draft]) -> list[Draft]:
    if approval.amount is not None:
        approval.name = "expense_approval"
        return drafts
    named = _named(approval, drafts)
    if named:
        return _gate(approval, named, drafts)
    purchases = [draft for draft in drafts if draft.name == "purchase"]
    if not purchases and (spoken := _spoken_of(approval, drafts)):
        return _gate(approval, spoken, drafts)
    if purchases and approval.clause.order is Order.FIRST and approval.clause.condition:
        raise _too_early(approval)
    later = [draft for draft in purchases if _first(approval, draft, drafts)]
    if purchases and not later:
        return _after_purchase(approval, purchases, drafts)
    if later:
        return _before_purchase(approval, later, drafts)
    return _gate(approval, _gated(approval, drafts), drafts)


def _named(approval: Draft, drafts: list[Draft]) -> list[Draft]:
    """The tasks that the approval says it is about, other than purchases and their expense."""
    if approval.topic == "expense":
        owned = [
            draft
            for draft in drafts
            if draft.name in _EXPENSES and draft.amount is not None and not draft.refers
        ]
        return owned if not any(draft.name == "purchase" for draft in drafts) else []
    if approval.topic in {None, "purchase"}:
        return []
    found = [draft for draft in drafts if draft.name == approval.topic and draft.effect]
    if not found:
        raise NotUnderstoodError(
            f"{quoted(approval.quote)} is about a "
            f"{str(approval.topic).replace('_', ' ')}, and the request asks for none."
        )
    return found


def _spoken_of(approval: Draft, drafts: list[Draft]) -> list[Draft]:
    """`it` in `create a proposal, have it approved, then …` is what was spoken of just before."""
    before = [draft for draft in drafts[: drafts.index(approval)] if draft.effect]
    if approval.clause.order is Order.FIRST or not before or not _IT.search(approval.clause.words):
        return []
    return [draft for draft in before if draft.clause is before[-1].clause]


def _first(approval: Draft, purchase: Draft, drafts: list[Draft]) -> bool:
    """Whether the approval comes before the purchase, by order words or as it is listed."""
    if comes_after(purchase, approval):
        return True
    if comes_after(approval, purchase):
        return False
    if approval.clause.condition is not None and approval.clause.condition.comparisons:
        return False  # what it costs is known only with the purchase, and a refusal undoes that
    return drafts.index(approval) < drafts.index(purchase)


def _after_purchase(approval: Draft, purchases: list[Draft], drafts: list[Draft]) -> list[Draft]:
    existing = [
        draft for draft in drafts if draft.name == "expense_approval" and draft.amount is None
    ]
    if existing:
        return _join(approval, existing[0], purchases, drafts)
    logs = [
        draft
        for draft in drafts
        if draft.name == "expense_log" and draft.amount is None and comes_after(approval, draft)
    ]
    if logs:
        return _gate(approval, logs, drafts)
    approval.name = "expense_approval"
    _undo(approval, purchases)
    return drafts


def _join(
    approval: Draft, existing: Draft, purchases: list[Draft], drafts: list[Draft]
) -> list[Draft]:
    """Two wishes about one expense are one pause."""
    conditional = approval.clause.condition is not None and existing.clause.condition is None
    if conditional and not existing.approval:
        raise NotUnderstoodError(
            f"{quoted(approval.quote)} makes an approval depend on something, "
            f"and {quoted(existing.quote)} does not. Say when "
            "the expense is to be approved."
        )
    existing.approval = True
    _undo(existing, purchases)
    return _dissolved(approval, drafts, into=[existing])


def _undo(approval: Draft, purchases: list[Draft]) -> None:
    for purchase in purchases:
        follow(approval, purchase)
        purchase.compensate = dict(UNDO)


def _too_early(approval: Draft) -> NotUnderstoodError:
    return NotUnderstoodError(
        f"{quoted(approval.quote)} comes before the purchase, but its price is known only with it. "
        "Say it after the purchase, for example 'Book 60 tickets; if it costs more than 5000, get "
        "approval': a refusal then cancels the order."
    )


def _before_purchase(approval: Draft, later: list[Draft], drafts: list[Draft]) -> list[Draft]:
    if approval.clause.condition is not None:
        raise _too_early(approval)
    rest = _gate(approval, later, drafts)
    if approval.topic == "expense" and not any(draft.name in _EXPENSES for draft in rest):
        approval.name, approval.approval, approval.needs = "expense_approval", False, [*later]
        place = max(rest.index(draft) for draft in later) + 1
        rest[place:place] = [approval]
    return rest


def _gated(approval: Draft, drafts: list[Draft]) -> list[Draft]:
    """What an approval without a purchase is about."""
    others = [draft for draft in drafts if draft.effect and draft.name != APPROVAL]
    later = [draft for draft in others if approval in draft.needs]
    if later:
        return later
    before = [draft for draft in others if drafts.index(draft) < drafts.index(approval)]
    if len(others) == 1:
        return others
    tied = [draft for draft in before if draft in approval.needs]
    if len(tied) == 1:
        return tied
    money = [draft for draft in others if draft.name in _EXPENSES]
    if len(money) == 1:
        return money
    raise NotUnderstoodError(
        f"{quoted(approval.quote)} does not tell what is to be approved. Say it with "
        f"the task, for example "
        "'get approval for the leave', or 'get approval, then ...'."
    )


def _gate(approval: Draft, gated: list[Draft], drafts: list[Draft]) -> list[Draft]:
    needed = True
    if approval.clause.condition is not None:
        amounts = [draft.amount for draft in gated]
        if not approval.clause.condition.comparisons or None in amounts or len(amounts) != 1:
            raise NotUnderstoodError(
                f"{quoted(approval.quote)}: whether "
                f"{quoted(approval.clause.condition.words)} is not known before the "
                f"task has run, "
                "so that nobody can be asked first. Ask for the approval without the condition."
            )
        needed = holds_for(approval.clause.condition, amounts[0] or 0.0)
    for draft in gated:
        draft.approval = draft.approval or needed
        draft.assumptions += (
            []
            if needed
            else [
                f"No approval of {quoted(draft.quote)}, as its amount does not meet the condition."
            ]
        )
    return _dissolved(approval, drafts, into=gated)


def _dissolved(approval: Draft, drafts: list[Draft], *, into: list[Draft]) -> list[Draft]:
    """Take an approval out; what came before or after it now does so of the gated tasks."""
    rest = [draft for draft in drafts if draft is not approval]
    for draft in rest:
        if approval not in draft.needs:
            continue
        draft.needs.remove(approval)
        for other in into:
            follow(draft, other)
    for draft in into:
        for need in approval.needs:
            if need not in into:
                follow(draft, need)
    return rest
