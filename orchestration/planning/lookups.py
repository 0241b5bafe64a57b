"""Conditions about what can be looked up: seats, budgets, days of leave, and prices before."""

from __future__ import annotations

import re
from dataclasses import replace

from orchestration.agents.team.dates import dates_in
from orchestration.planning.condition import Comparison, Condition, cel_of
from orchestration.planning.condition_words import POSSIBLE
from orchestration.planning.drafts import Draft
from orchestration.planning.leave_tasks import employee_in
from orchestration.planning.money_tasks import department_in
from orchestration.planning.ordering import follow
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.results import link_expense
from orchestration.planning.ticket_tasks import NOMINAL_DAY, event_of

_QUESTIONS = {
    "event_info": ("event_information", "event_info"),
    "check_availability": ("event_information", "event_info"),
    "check_budget": ("budget_information", "budget"),
    "leave_balance": ("leave_management", "leave_balance"),
}
"""Actions that only tell something: their capability, and what a task for them is called."""


_LEFT_OF = {
    "check_budget": "budget",
    "event_info": "seats",
    "check_availability": "seats",
    "leave_balance": "days",
}
_OF_EVENT = re.compile(
    r"\b(?:for|to|at)\s+(?:the|an?|tonight's|tomorrow's|\w+day's)\s+.+$", re.IGNORECASE
)
_EVENT_KIND = re.compile(r"\b(?:game|match|concert|jazz|basketball)\b", re.IGNORECASE)


def compare(draft: Draft, condition: Condition, others: list[Draft], field: str) -> None:
    """Guard a task with a comparison of what others answer; their sum if there are several."""
    paths = [f"outputs.@{id(other)}.{field}" for other in others]
    value = (
        paths[0] if len(paths) == 1 else "(" + " + ".join(f"double({path})" for path in paths) + ")"
    )
    draft.guards.append(cel_of(condition, value=value, guards=paths))


def seats(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """Let a task depend on how many seats are left.

    Raises:
        NotUnderstoodError: Nothing in the request answers that.
    """
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
        raise unclear(draft, condition)
    _check_event(draft, condition, asked)
    if asked is None:
        asked = look_up(
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
    compare(draft, compared, [asked], "seats_left")


def _check_event(draft: Draft, condition: Condition, asked: Draft | None) -> None:
    """Make sure that the seats asked about are those to be bought."""
    said = condition.words if _kinds(condition.words) or _days(condition.words) else ""
    said = said or (asked.message if asked else "")
    if draft.name != "purchase" or not (_kinds(said) or _days(said)):
        return
    if not _kinds(draft.message) and not _days(draft.message):
        _take_event(draft, said, asked)
    wrong_day = _days(said) and _days(said) != _days(draft.message)
    if wrong_day or (_kinds(said) and _kinds(said) != _kinds(draft.message)):
        raise unclear(draft, condition)


def _take_event(draft: Draft, said: str, asked: Draft | None) -> None:
    """What is bought is for the event whose seats were asked about."""
    if asked is not None and said == asked.message and _kinds(said):
        draft.message = f"{draft.message} {event_of(asked, draft.clause)}"
    elif match := _OF_EVENT.search(said):
        draft.message = f"{draft.message} {match[0].rstrip(' .?!')}"
    elif _days(said):
        draft.message = f"{draft.message} {' '.join(sorted(_days(said)))}"


def _wants_few(condition: Condition) -> bool:
    """Whether it asks for few seats, so that it is about an event that was spoken of before."""
    fewer = any(item.operator.startswith("<") for item in condition.comparisons)
    return bool(condition.comparisons) and fewer != condition.negated


def _days(words: str) -> set[str]:
    """The days that words name, as they are written."""
    return {words[day.start : day.end].lower() for day in dates_in(words, NOMINAL_DAY)}


def _kinds(words: str) -> set[str]:
    """The kinds of events that words speak of."""
    return {match.lower() for match in _EVENT_KIND.findall(words)}


def budget(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """Let a task depend on what is left of a budget.

    Raises:
        NotUnderstoodError: Nothing in the request answers that.
    """
    asked = next((other for other in drafts if other.name == "budget" and other is not draft), None)
    department = department_in(condition.words.replace("budget", "budget ")) or draft.fields.get(
        "department"
    )
    if asked is None or (
        isinstance(department, str) and asked.fields.get("department") not in {None, department}
    ):
        asked = look_up(
            draft,
            drafts,
            action="check_budget",
            message="How much is left in the budget?",
        )
        asked.effect = False
    asked.fields.setdefault("department", department if isinstance(department, str) else "events")
    follow(draft, asked)
    if condition.comparisons:
        compare(draft, condition, [asked], "budget_remaining")
        return
    if draft.amount is not None:
        enough = replace(condition, comparisons=(Comparison(operator=">=", value=draft.amount),))
        compare(draft, enough, [asked], "budget_remaining")
        return
    purchases = [other for other in drafts if other.name == "purchase" and other is not draft]
    if draft.name == "purchase" or len(purchases) != 1:
        raise unclear(draft, condition)
    link_expense(draft, drafts)
    left, price = (
        f"outputs.@{id(asked)}.budget_remaining",
        f"outputs.@{id(purchases[0])}.total_price",
    )
    enough = replace(condition, comparisons=(Comparison(operator=">=", value=0.0),))
    draft.guards.append(
        cel_of(enough, value=f"double({left}) - double({price})", guards=[left, price])
    )


def left(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """Let a task depend on what is left of whatever was asked about.

    Raises:
        NotUnderstoodError: Nothing in the request answers that.
    """
    asked = {_LEFT_OF.get(str(other.fields.get("action"))) for other in drafts} - {None}
    if len(asked) != 1:
        raise unclear(draft, condition)
    {"budget": budget, "seats": seats, "days": days}[str(asked.pop())](draft, condition, drafts)


def days(draft: Draft, condition: Condition, drafts: list[Draft]) -> None:
    """Let a task depend on somebody's days of leave.

    Raises:
        NotUnderstoodError: Nothing in the request answers that.
    """
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
        raise unclear(draft, condition)
    if asked is None:
        asked = look_up(
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
    compare(draft, condition, [asked], "days_remaining")


def look_up(draft: Draft, drafts: list[Draft], *, action: str, message: str) -> Draft:
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


def unclear(draft: Draft, condition: Condition) -> NotUnderstoodError:
    """The error for a condition that no task answers."""
    return NotUnderstoodError(
        f"The condition {quoted(condition.words)} of {quoted(draft.quote)} is about "
        f"nothing that a task of this request answers; {POSSIBLE}."
    )
