"""Conditions tied to the tasks whose answers they are about."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.planning.condition import About, Comparison, Condition, cel_of
from orchestration.planning.condition_words import POSSIBLE
from orchestration.planning.drafts import Draft
from orchestration.planning.items import APPROVAL
from orchestration.planning.leave_tasks import employee_in
from orchestration.planning.money_tasks import department_in
from orchestration.planning.ordering import comes_after, follow
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.results import link_expense
from orchestration.planning.ticket_tasks import event_of

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
_QUESTIONS = {
    "event_info": ("event_information", "event_info"),
    "check_availability": ("event_information", "event_info"),
    "check_budget": ("budget_information", "budget"),
    "leave_balance": ("leave_management", "leave_balance"),
}
"""Actions that only tell something: their capability, and what a task for them is called."""
_EVENT_KIND = re.compile(r"\b(?:game|match|concert|jazz|basketball)\b", re.IGNORECASE)
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
        raise _unclear(draft, condition)
    field = "total_price" if condition.about is About.PRICE else "unit_price"
    for other in purchases:
        follow(draft, other)
    _compare(draft, condition, purchases, field)


def _price_before(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """The price of what is still to be bought: look it up first."""
    quantity = draft.fields.get("quantity")
    if draft.name != "purchase" or not isinstance(quantity, int):
        raise _unclear(draft, condition)
    look = _look_up(
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
        raise _unclear(draft, condition)
    follow(draft, before[-1])
    _compare(draft, condition, [before[-1]], "amount")


def _compare(draft: Draft, condition: Condition, others: list[Draft], field: str) -> None:
    paths = [f"outputs.@{id(other)}.{field}" for other in others]
    value = (
        paths[0] if len(paths) == 1 else "(" + " + ".join(f"double({path})" for path in paths) + ")"
    )
    draft.guards.append(cel_of(condition, value=value, guards=paths))


def _seats(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    asked = next(
        (
            other
            for other in drafts
            if other.name == "event_info"
            and other.fields.get("action") != "list_events"
            and other is not draft
        ),
        None,
    )
    if asked is None and (draft.name != "purchase" or _wants_few(condition)):
        raise _unclear(draft, condition)
    _check_event(draft, condition, asked)
    if asked is None:
        asked = _look_up(
            draft,
            drafts,
            action="check_availability",
            message=draft.message.replace("Book", "Are there still", 1) + "?",
        )
    follow(draft, asked)
    quantity = draft.fields.get("quantity")
    enough = float(quantity) if isinstance(quantity, int) else 1.0
    compared = (
        condition
        if condition.comparisons
        else replace(condition, comparisons=(Comparison(operator=">=", value=enough),))
    )
    _compare(draft, compared, [asked], "seats_left")


def _check_event(draft: Draft, condition: Condition, asked: Draft | None) -> None:
    """Make sure that the seats asked about are those to be bought."""
    said = _kinds(condition.words) or _kinds(asked.message if asked else "")
    if draft.name != "purchase" or not said:
        return
    if not _kinds(draft.message) and asked is not None:
        draft.message = f"{draft.message} {event_of(asked, draft.clause)}"
    if said != _kinds(draft.message):
        raise _unclear(draft, condition)


def _wants_few(condition: Condition) -> bool:
    """Whether it asks for few seats, so that it is about an event that was spoken of before."""
    fewer = any(item.operator.startswith("<") for item in condition.comparisons)
    return bool(condition.comparisons) and fewer != condition.negated


def _kinds(words: str) -> set[str]:
    """The kinds of events that words speak of."""
    return {match.lower() for match in _EVENT_KIND.findall(words)}


def _budget(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    asked = next((other for other in drafts if other.name == "budget" and other is not draft), None)
    department = department_in(condition.words.replace("budget", "budget ")) or draft.fields.get(
        "department"
    )
    if asked is None or (
        isinstance(department, str) and asked.fields.get("department") not in {None, department}
    ):
        asked = _look_up(
            draft,
            drafts,
            action="check_budget",
            message="How much is left in the budget?",
        )
        asked.effect = False
    asked.fields.setdefault("department", department if isinstance(department, str) else "events")
    follow(draft, asked)
    if condition.comparisons:
        _compare(draft, condition, [asked], "budget_remaining")
        return
    if draft.amount is not None:
        enough = replace(condition, comparisons=(Comparison(operator=">=", value=draft.amount),))
        _compare(draft, enough, [asked], "budget_remaining")
        return
    purchases = [other for other in drafts if other.name == "purchase" and other is not draft]
    if draft.name == "purchase" or len(purchases) != 1:
        raise _unclear(draft, condition)
    link_expense(draft, drafts)
    left, price = (
        f"outputs.@{id(asked)}.budget_remaining",
        f"outputs.@{id(purchases[0])}.total_price",
    )
    enough = replace(condition, comparisons=(Comparison(operator=">=", value=0.0),))
    draft.guards.append(
        cel_of(enough, value=f"double({left}) - double({price})", guards=[left, price])
    )


def _left(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    names = {other.name for other in drafts if other is not draft}
    if ("budget" in names) == ("event_info" in names):
        raise _unclear(draft, condition)
    (_budget if "budget" in names else _seats)(draft, condition, drafts)


def _days(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    person = employee_in(f"for {condition.words[0].upper()}{condition.words[1:]}")
    asked = next(
        (
            other
            for other in drafts
            if other.fields.get("action") == "leave_balance" and other is not draft
        ),
        None,
    )
    if asked is None and draft.name != "leave":
        raise _unclear(draft, condition)
    if asked is None:
        asked = _look_up(
            draft,
            drafts,
            action="leave_balance",
            message="How many days of leave are left?",
        )
        name = draft.fields.get("employee") or (
            person if person and person.lower() not in {"he", "she", "they"} else None
        )
        if name:
            asked.fields["employee"] = name
    follow(draft, asked)
    _compare(draft, condition, [asked], "days_remaining")


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
            raise _unclear(draft, condition)
    before = [other for other in others if drafts.index(other) < drafts.index(draft)]
    found = [other for other in others if other.name == "purchase"] or [
        other for other in before if other.clause is before[-1].clause
    ]
    if not found:
        raise _unclear(draft, condition)
    return found


def _look_up(draft: Draft, drafts: list[Draft], *, action: str, message: str) -> Draft:
    """Add a question that changes nothing, whose answer a condition needs."""
    capability, name = _QUESTIONS[action]
    look = Draft(
        name=name,
        capability=capability,
        message=message,
        quote=draft.quote,
        clause=replace(draft.clause, condition=None),
        effect=False,
        fields={"action": action},
    )
    drafts.insert(drafts.index(draft), look)
    draft.need(look)
    return look


def _unclear(draft: Draft, condition: Condition) -> NotUnderstoodError:
    return NotUnderstoodError(
        f"The condition {quoted(condition.words)} of {quoted(draft.quote)} is about "
        f"nothing that a task of this request answers; {POSSIBLE}."
    )


_APPLY: dict[About, Callable[[Draft, Condition, list[Draft]], None]] = {
    About.PRICE: _price,
    About.UNIT_PRICE: _price,
    About.SEATS: _seats,
    About.BUDGET: _budget,
    About.LEFT: _left,
    About.DAYS: _days,
    About.SUCCESS: _success,
    About.FAILURE: _failure,
    About.APPROVED: _approved,
    About.REJECTED: _rejected,
}
