"""The HR agent: leave, onboarding, and who is who."""

from __future__ import annotations

import re
import sqlite3
from datetime import date, timedelta
from typing import TYPE_CHECKING

from orchestration.agents.team.dates import one_day_in, without_dates
from orchestration.agents.team.desk import Action, Desk
from orchestration.agents.team.intents import HR as INTENTS
from orchestration.agents.team.leave import (
    check_start,
    leave_balance,
    request_leave,
    withdraw_leave,
)
from orchestration.agents.team.seed import FRONT_DESK_PHONE, email_of
from orchestration.agents.team.staff import (
    Person,
    everybody,
    manager_of,
    needed_person,
    person_called,
)
from orchestration.agents.team.vocabulary import word_set
from state.capability import AgentCapability
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject

_LEAVE_DAYS_A_YEAR = 22
_ONBOARD = re.compile(
    r"\b(?:onboard(?:ing)?|hire)\s+(?:for\s+)?(?P<name>.+?)"
    r"(?:\s+as\s+(?:an?\s+|our\s+|the\s+)?(?:new\s+)?(?P<title>.+?))?"
    r"(?=\s+(?:start\w*|from|on|beginning|in|with|under|reporting)\b|\s*[,;.!]|\s*$)",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(r"[^\W\d_][\w.'-]*(?:\s+[^\W\d_][\w.'-]*){1,4}")
_NOT_A_NAME = word_set("the a an new our my this that hire employee someone somebody")
_DEPARTMENTS = {
    "Sales": ("sales", "account executive", "account manager"),
    "Finance": ("account", "finance", "controller", "bookkeep"),
    "HR": ("hr", "people", "recruit"),
}
_OTHER_DEPARTMENT = "Operations"
_CHECKLIST = (
    # days from the first day, task
    (-7, "Send the contract and the welcome letter"),
    (-3, "Order laptop, badge and accounts"),
    (-1, "Prepare the desk and tell the team"),
    (0, "Welcome, tour and introduction to the manager"),
    (5, "Security and policy training"),
    (30, "Talk after the first month"),
)


def onboard_employee(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Enter a new employee and the checklist for the first weeks."""
    name, title = _name_and_title(ask)
    starts_on = _first_day(ask)
    people = everybody(connection)
    if any(person.name.casefold() == name.casefold() for person in people):
        raise AgentRefusedError(f"{name} works here already. Nobody was onboarded.")
    department = ask.words("department") or _department_for(title)
    manager = _manager_for(people, ask, department)
    person_id = _insert(
        connection,
        "INSERT INTO people (name, title, department, manager_id, email, phone, started_on,"
        " leave_days, idempotency_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        name,
        title,
        department,
        manager.person_id,
        email_of(name),
        FRONT_DESK_PHONE,
        starts_on.isoformat(),
        _LEAVE_DAYS_A_YEAR,
        ask.key,
    )
    onboarding_id = _insert(
        connection,
        "INSERT INTO onboarding (person_id, starts_on, created_at, idempotency_key)"
        " VALUES (?, ?, ?, ?)",
        person_id,
        starts_on.isoformat(),
        ask.now.isoformat(),
        ask.key,
    )
    return {
        "action": "onboard_employee",
        "onboarding_id": onboarding_id,
        "employee": name,
        "title": title,
        "department": department,
        "manager": manager.name,
        "email": email_of(name),
        "start_date": starts_on.isoformat(),
        "checklist": [*_write_checklist(connection, onboarding_id, starts_on)],
        "status": "started",
        "message": (
            f"Onboarding {onboarding_id} is started: {name}, {title}, begins on {starts_on} and "
            f"reports to {manager.name}. The checklist has {len(_CHECKLIST)} tasks."
        ),
    }


def employee_info(connection: sqlite3.Connection, ask: Ask) -> JsonObject:
    """Tell who somebody is, to whom they report, and who reports to them."""
    person = needed_person(connection, ask)
    people = everybody(connection)
    manager = manager_of(people, person)
    reports = [other.name for other in people if other.manager_id == person.person_id]
    said = f"{person.name} is {person.title} in {person.department}"
    said += f" and reports to {manager.name}." if manager else " and reports to nobody."
    if reports:
        said += f" {', '.join(reports)} report to {person.name}."
    return {
        "action": "employee_info",
        "employee": person.name,
        "title": person.title,
        "department": person.department,
        "manager": manager.name if manager else None,
        "reports": [*reports],
        "email": person.email,
        "phone": person.phone,
        "start_date": person.started_on.isoformat(),
        "message": said,
    }


def _name_and_title(ask: Ask) -> tuple[str, str]:
    match = _ONBOARD.search(without_dates(ask.text))
    name = ask.words("name") or ask.words("employee") or (match["name"] if match else None)
    if name is None or not _FULL_NAME.fullmatch(name) or set(name.lower().split()) & _NOT_A_NAME:
        raise AgentRefusedError(
            f"Who is new? {name or 'The request'!r} gives no full name. Nobody was onboarded; "
            "say for example 'Onboard Jane Doe as Account Executive starting 2026-12-01'."
        )
    title = ask.words("title") or (match["title"] if match else None)
    if title is None:
        raise AgentRefusedError(
            f"As what does {name} start? Nobody was onboarded; say for example 'as Accountant', or "
            "give a `title`."
        )
    return " ".join(name.split()), title.strip()


def _first_day(ask: Ask) -> date:
    starts_on = ask.day("start_date") or one_day_in(ask.text, ask.today)
    if starts_on is None:
        raise AgentRefusedError(
            "On which day is the start? Nobody was onboarded; say for example "
            f"'starting {ask.today}', or give a `start_date`."
        )
    check_start(starts_on, ask)
    return starts_on


def _department_for(title: str) -> str:
    lowered = title.lower()
    for department, words in _DEPARTMENTS.items():
        if any(re.search(rf"\b{word}", lowered) for word in words):
            return department
    return _OTHER_DEPARTMENT


def _manager_for(people: list[Person], ask: Ask, department: str) -> Person:
    """Return the manager named, or else the head of the department, or else of the company."""
    name = ask.words("manager")
    if name is not None:
        return person_called(people, name)
    top = next(person for person in people if person.manager_id is None)
    heads = [person for person in people if person.manager_id == top.person_id]
    return next((head for head in heads if head.department.lower() == department.lower()), top)


def _insert(connection: sqlite3.Connection, statement: str, *values: str | int) -> int:
    return int(connection.execute(statement, values).lastrowid or 0)


def _write_checklist(
    connection: sqlite3.Connection, onboarding_id: int, starts_on: date
) -> list[JsonObject]:
    items: list[JsonObject] = [
        {"task": task, "due_on": (starts_on + timedelta(days=days)).isoformat()}
        for days, task in _CHECKLIST
    ]
    connection.executemany(
        "INSERT INTO onboarding_tasks (onboarding_id, position, task, due_on) VALUES (?, ?, ?, ?)",
        [
            (onboarding_id, position, str(item["task"]), str(item["due_on"]))
            for position, item in enumerate(items, 1)
        ],
    )
    return items


HR = Desk(
    agent_id="hr",
    description="Answers who is who, takes requests for leave or back, onboards new people.",
    capabilities=(
        AgentCapability.LEAVE_MANAGEMENT,
        AgentCapability.EMPLOYEE_INFORMATION,
        AgentCapability.ONBOARDING,
    ),
    actions={
        "request_leave": Action(request_leave),
        "withdraw_leave": Action(withdraw_leave),
        "leave_balance": Action(leave_balance, effect=False),
        "onboard_employee": Action(onboard_employee),
        "employee_info": Action(employee_info, effect=False),
    },
    aliases={
        "leave_management": "request_leave",
        "check_leave": "leave_balance",
        "cancel_leave": "withdraw_leave",
        "onboard": "onboard_employee",
        "start_onboarding": "onboard_employee",
        "onboarding": "onboard_employee",
        "find_employee": "employee_info",
        "employee_information": "employee_info",
    },
    intents=INTENTS,
    examples=(
        "How many vacation days does Alice have?",
        "Request 3 days of leave for Bob from 2026-12-21",
        "Onboard Jane Doe as Account Executive starting 2026-12-01",
        "Who is Bob's manager?",
    ),
)
