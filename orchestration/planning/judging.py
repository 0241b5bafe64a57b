"""Conditions tied to the tasks whose answers they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.planning.condition import About, Condition, cel_of
from orchestration.planning.condition_words import POSSIBLE
from orchestration.planning.drafts import APPROVAL, Draft
from orchestration.planning.lookups import budget, compare, days, left, look_up, seats, unclear
from orchestration.planning.ordering import comes_after, follow
from orchestration.planning.problems import NotUnderstoodError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

_TOPICS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("crm", ("crm_update",)),
    ("leave", ("leave",)),
    ("onboarding", ("onboarding",)),
    ("proposal", ("proposal",)),
    ("opportunity", ("opportunity",)),
    ("deal", ("opportunity",)),
    ("expense", ("expense_log", "expense_approval")),
    ("cancel", ("cancellation",)),
    ("refund", ("cancellation",)),
    ("ticket", ("purchase",)),
    ("purchase", ("purchase",)),
    ("booking", ("purchase",)),
    ("booked", ("purchase",)),
    ("order", ("purchase",)),
    ("seats", ("purchase",)),
)
_AMOUNTS = frozenset({"proposal", "opportunity", "expense_log", "expense_approval"})


def apply_conditions(drafts: list[Draft]) -> list[Draft]:
    """Tie every task with a condition to what it is about; return the tasks with look-ups.

    Raises:
        NotUnderstoodError: No task of the request answers what a condition is about.
    """
    everything = [*drafts]
    for draft in drafts:
        condition = draft.clause.condition
        if condition is not None and draft.name != APPROVAL:
            _APPLY[condition.about](draft, condition, everything)
    return everything


def _price(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    purchases = [other for other in drafts if other.name == "purchase" and other is not draft]
    if draft.name == "purchase" or any(comes_after(other, draft) for other in purchases):
        _price_before(draft, condition, drafts)
        return
    if not purchases:
        _amount(draft, condition, drafts)
        return
    if len(purchases) > 1 and condition.about is About.UNIT_PRICE:
        raise unclear(draft, condition)
    field = "total_price" if condition.about is About.PRICE else "unit_price"
    for other in purchases:
        follow(draft, other)
    compare(draft, condition, purchases, field)


def _price_before(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """The price of what is still to be bought: look it up first."""
    quantity = draft.fields.get("quantity")
    if draft.name != "purchase" or not isinstance(quantity, int):
        raise unclear(draft, condition)
    look = look_up(
        draft,
        drafts,
        action="event_info",
        message=draft.message.replace("Book", "How much are", 1) + "?",
    )
    look.fields |= {key: value for key, value in draft.fields.items() if key in {"event", "date"}}
    value = f"double(outputs.@{id(look)}.unit_price)"
    times = "" if condition.about is About.UNIT_PRICE else f" * {float(quantity)}"
    draft.guards.append(
        cel_of(condition, value=value + times, guards=[f"outputs.@{id(look)}.unit_price"])
    )


def _amount(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    before = [
        other
        for other in drafts
        if other.name in _AMOUNTS and other is not draft and not comes_after(other, draft)
    ]
    before = [other for other in before if drafts.index(other) < drafts.index(draft)] or before
    if not before or condition.about is not About.PRICE:
        raise unclear(draft, condition)
    follow(draft, before[-1])
    compare(draft, condition, [before[-1]], "amount")


def _success(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    for other in _subject(draft, condition, drafts):
        follow(draft, other)


def _approved(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:  # noqa: ARG001
    found = [other for other in drafts if other.approval and other is not draft]
    if not found:
        _approve_sentence(draft, drafts)
        return
    for other in found:
        follow(draft, other)


def _approve_sentence(draft: Draft, drafts: list[Draft]) -> None:
    """`Do this and that, if my manager approves`: nobody acts before that."""
    begun = drafts[: drafts.index(draft) + 1]
    same = [other for other in begun if other.clause.sentence == draft.clause.sentence]
    for other in same:
        if other.effect and not any(need.effect for need in other.needs):
            other.approval = True


def _rejected(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    asked = any(other.approval for other in drafts if other is not draft)
    if draft.name == "cancellation" and "order_id" not in draft.fields and asked:
        drafts.remove(draft)
        for other in drafts:
            other.needs = [need for need in other.needs if need is not draft]
        return
    raise NotUnderstoodError(
        f"{quoted(draft.quote)} is to be done {quoted(condition.words)}, but a "
        f"refusal ends the workflow, and what was bought is "
        "cancelled. Leave this part out."
    )


def _failure(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:  # noqa: ARG001
    raise NotUnderstoodError(
        f"{quoted(draft.quote)} is to be done only after a failure "
        f"({quoted(condition.words)}), and what follows a failure is not run; "
        f"{POSSIBLE}."
    )


def _subject(draft: Draft, condition: Condition, drafts: list[Draft]) -> list[Draft]:
    words = condition.words.lower()
    others = [other for other in drafts if other is not draft and other.effect]
    for word, names in _TOPICS:
        if word in words:
            found = [other for other in others if other.name in names]
            if found:
                return found
            raise unclear(draft, condition)
    before = [other for other in others if drafts.index(other) < drafts.index(draft)]
    found = [other for other in others if other.name == "purchase"] or [
        other for other in before if other.clause is before[-1].clause
    ]
    if not found:
        raise unclear(draft, condition)
    return found


_APPLY: dict[About, Callable[[Draft, Condition, list[Draft]], None]] = {
    About.PRICE: _price,
    About.UNIT_PRICE: _price,
    About.SEATS: seats,
    About.BUDGET: budget,
    About.LEFT: left,
    About.DAYS: days,
    About.SUCCESS: _success,
    About.FAILURE: _failure,
    About.APPROVED: _approved,
    About.REJECTED: _rejected,
}
