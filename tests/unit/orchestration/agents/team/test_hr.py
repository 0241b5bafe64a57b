from __future__ import annotations

from collections.abc import Callable

import pytest

from state.errors import AgentRefusedError
from state.jsonvalue import JsonObject

Call = Callable[..., JsonObject]
Rows = Callable[..., list[JsonObject]]


def test_leave_is_counted_in_working_days_and_set_aside(call: Call, rows: Rows) -> None:
    # 2026-12-20 is a Sunday
    answer = call("hr", "Request 3 days of leave for Bob from 2026-12-20", key="k")
    assert (answer["first_day"], answer["last_day"]) == ("2026-12-21", "2026-12-23")
    assert (answer["employee"], answer["manager"]) == ("Bob Lee", "Ivan Petrov")
    assert (answer["days_remaining"], answer["status"]) == (22, "requested")
    assert len(rows("SELECT * FROM leave_requests WHERE idempotency_key = 'k'")) == 1
    assert call("hr", "How many vacation days does Bob have?")["days_remaining"] == 22


@pytest.mark.parametrize(
    ("text", "fields", "days", "last"),
    [
        ("Request leave for Erin from 2026-12-21 to 2026-12-29", {}, 7, "2026-12-29"),
        ("Request three days of leave for Erin starting tomorrow", {}, 3, "2026-11-26"),
        ("Request 5 days off for Erin from December 24", {}, 5, "2026-12-30"),
        (
            None,
            {"action": "request_leave", "employee": "Erin", "days": 2, "start_date": "2026-12-01"},
            2,
            "2026-12-02",
        ),
        ("Request 9 days of leave for Bob from 2026-12-01", {"employee": "Erin", "days": 1}, 1,
         "2026-12-01"),
    ],
)  # fmt: skip
def test_leave_can_be_asked_for_in_many_ways(
    call: Call, text: str | None, fields: JsonObject, days: int, last: str
) -> None:
    answer = call("hr", text, **fields)
    assert (answer["employee"], answer["days"], answer["last_day"]) == ("Erin Davis", days, last)


def test_the_caller_is_meant_by_i_and_my(call: Call) -> None:
    answer = call("hr", "I need 3 days off from 2026-12-28", user="Frank Miller")
    assert answer["employee"] == "Frank Miller"
    answer = call("hr", "How many days off do I have?", user="frank.miller@example.com")
    assert answer["days_remaining"] == 25


def test_onboarding_enters_the_person_and_a_checklist(call: Call, rows: Rows) -> None:
    answer = call("hr", "Onboard Jane Doe as Account Executive starting 2026-12-01", key="k")
    assert (answer["employee"], answer["title"]) == ("Jane Doe", "Account Executive")
    assert (answer["department"], answer["manager"]) == ("Sales", "Carol Jones")
    assert answer["start_date"] == "2026-12-01"
    assert len(rows("SELECT * FROM onboarding_tasks")) == 6
    assert len(rows("SELECT * FROM people WHERE idempotency_key = 'k'")) == 1
    assert call("hr", "Who is Jane Doe's manager?")["manager"] == "Carol Jones"


def test_onboarding_takes_fields(call: Call) -> None:
    answer = call(
        "hr",
        action="onboard",
        name="Max Ernst",
        title="Painter",
        start_date="2026-12-01",
        manager="Alice",
        department="Arts",
    )
    assert (answer["manager"], answer["department"]) == ("Alice Smith", "Arts")


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Who is Bob's manager?", {"manager": "Ivan Petrov"}),
        ("Look up Erin's manager", {"manager": "Carol Jones"}),
        ("Check how much leave Bob has", {"employee": "Bob Lee"}),
        ("Who reports to Carol?", {"reports": ["Dan Brown", "Erin Davis"]}),
        ("What is Alice Smith's email?", {"email": "alice.smith@example.com"}),
        ("Who is Grace?", {"title": "Chief Executive", "manager": None}),
        ("What's Judy's leave balance?", {"days_remaining": 22}),
    ],
)
def test_questions_about_people_are_answered(call: Call, text: str, facts: JsonObject) -> None:
    answer = call("hr", text)
    assert {name: answer[name] for name in facts} == facts


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Request 26 days of leave for Bob from 2027-01-04", "25 days of leave left, not 26"),
        ("Request 0 days of leave for Bob from 2026-12-21", "0 days of leave are not possible"),
        ("Request 99 days of leave for Bob from 2026-12-21", "1 to 60"),
        ("Request 2.5 days of leave for Bob from 2026-12-21", "no whole number"),
        ("Request 3 days of leave for Bob", "From which day"),
        ("Request leave for Bob from 2026-12-21", "How many days"),
        ("Request 3 days of leave for Bob from 2026-11-20", "cannot be the first day"),
        ("Request 3 days of leave for Bob from 9999-12-31", "cannot be the first day"),
        ("Request leave for Bob from 2026-12-24 to 2026-12-21", "do not fit"),
        ("Request 3 days of leave for Bob from 2026-12-21 to 2026-12-31", "do not fit"),
        ("Request 3 days of leave for Zorro from 2026-12-21", "no person 'Zorro'"),
        ("Request 3 days of leave from 2026-12-21", "Who is it about"),
        ("Onboard the new hire", "no full name"),
        ("Onboard Jane Doe starting 2026-12-01", "As what"),
        ("Onboard Jane Doe as Clerk", "On which day"),
        ("Onboard Jane Doe as Clerk starting 2020-01-01", "cannot be the first day"),
        ("Onboard Bob Lee as Clerk starting 2026-12-01", "works here already"),
        ("Who is Zorro?", "no person 'Zorro'"),
        ("Don't request 3 days of leave for Bob", "did not understand"),
        ("Fire Bob", "understands for example"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    call: Call, rows: Rows, text: str, why: str
) -> None:
    with pytest.raises(AgentRefusedError, match=why):
        call("hr", text)
    assert call("hr", "Who is Bob?")["employee"] == "Bob Lee"
    assert rows("SELECT * FROM leave_requests") == rows("SELECT * FROM onboarding") == []


def test_leave_that_overlaps_is_refused(call: Call) -> None:
    call("hr", "Request 3 days of leave for Bob from 2026-12-21")
    with pytest.raises(AgentRefusedError, match="away already"):
        call("hr", "Request 1 day of leave for Bob from 2026-12-23")
