"""Who and what is in the team's database on its first day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

HOUSE_ACCOUNT: Final = "House Account"
"""Takes what belongs to no customer, e.g. tickets bought for the company itself."""

FRONT_DESK_PHONE: Final = "+1-555-0100"
"""Gets the confirmation of an order that came without a phone number."""

MONTHLY_BUDGETS: Final = {
    "events": 2_000_000_00,
    "marketing": 250_000_00,
    "operations": 150_000_00,
    "sales": 120_000_00,
    "travel": 80_000_00,
    "training": 40_000_00,
    "office": 25_000_00,
}
"""What each department may spend in a month, in cents, unless its `budgets` row says otherwise."""

_ACCOUNTS = (
    (HOUSE_ACCOUNT, "Internal", "Carol Jones", "Front Desk", "desk@example.com", FRONT_DESK_PHONE),
    ("Acme Corporation", "Manufacturing", "Dan Brown", "Wile Ford", "wile@acme.example", "0201"),
    ("Globex", "Energy", "Erin Davis", "Hank Scott", "hank@globex.example", "0202"),
    ("Initech", "Software", "Dan Brown", "Bill Long", "bill@initech.example", "0203"),
    ("Umbrella Health", "Healthcare", "Erin Davis", "Ada Wong", "ada@umbrella.example", "0204"),
    ("Stark Industries", "Aerospace", "Carol Jones", "Pat Hogan", "pat@stark.example", "0205"),
    ("Wayne Enterprises", "Conglomerate", "Dan Brown", "Lou Fox", "lou@wayne.example", "0206"),
    ("Hooli", "Internet", "Erin Davis", "Gav Bell", "gav@hooli.example", "0207"),
    ("Soylent Foods", "Food", "Carol Jones", "Sol Roth", "sol@soylent.example", "0208"),
)
_PEOPLE = (
    # name, title, department, manager's row, first day, leave days a year
    ("Grace Park", "Chief Executive", "Management", None, "2015-01-05", 30),
    ("Carol Jones", "Head of Sales", "Sales", 1, "2016-03-14", 28),
    ("Frank Miller", "Head of Finance", "Finance", 1, "2017-06-01", 28),
    ("Heidi Klein", "Head of People", "HR", 1, "2018-02-19", 28),
    ("Ivan Petrov", "Head of Operations", "Operations", 1, "2016-09-12", 28),
    ("Alice Smith", "Events Manager", "Operations", 5, "2019-04-01", 25),
    ("Bob Lee", "Support Engineer", "Operations", 5, "2021-08-16", 25),
    ("Dan Brown", "Account Executive", "Sales", 2, "2020-01-13", 25),
    ("Erin Davis", "Account Executive", "Sales", 2, "2022-05-02", 22),
    ("Judy Chen", "Accountant", "Finance", 3, "2023-10-09", 22),
)


def fill(connection: sqlite3.Connection) -> None:
    """Insert the first accounts and people."""
    connection.executemany(
        "INSERT INTO accounts (name, industry, owner, contact_name, contact_email, contact_phone)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(*row[:5], _phone(row[5])) for row in _ACCOUNTS],
    )
    connection.executemany(
        "INSERT INTO people (name, title, department, manager_id, email, phone, started_on,"
        " leave_days) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (name, title, department, manager, email_of(name), _phone(f"01{number:02}"), day, leave)
            for number, (name, title, department, manager, day, leave) in enumerate(_PEOPLE, 1)
        ],
    )


def email_of(name: str) -> str:
    """Return the company's address for somebody of that name."""
    return f"{'.'.join(name.lower().split())}@example.com"


def _phone(ending: str) -> str:
    return ending if ending.startswith("+") else f"+1-555-{ending}"
