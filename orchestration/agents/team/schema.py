"""The tables of the team's database. Money is in whole cents, days are ISO text."""

from __future__ import annotations

VERSION = 2
"""Stored as the file's `user_version`."""

TABLES = (
    """CREATE TABLE idempotency (
        agent TEXT NOT NULL,
        key TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        response TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (agent, key)
    )""",
    """CREATE TABLE events (
        event_id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        venue TEXT NOT NULL,
        day TEXT NOT NULL,
        starts_at TEXT NOT NULL,
        price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
        capacity INTEGER NOT NULL CHECK (capacity > 0)
    )""",
    "CREATE INDEX events_by_day ON events (day)",
    """CREATE TABLE orders (
        order_id INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL REFERENCES events,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        unit_price_cents INTEGER NOT NULL,
        total_cents INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('confirmed', 'cancelled')),
        phone TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE seat_blocks (
        event_id TEXT NOT NULL REFERENCES events,
        first_seat INTEGER NOT NULL,
        last_seat INTEGER NOT NULL CHECK (last_seat >= first_seat),
        order_id INTEGER NOT NULL REFERENCES orders,
        PRIMARY KEY (event_id, first_seat)
    )""",
    """CREATE TABLE refunds (
        order_id INTEGER PRIMARY KEY REFERENCES orders,
        amount_cents INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE sms_outbox (
        sms_id INTEGER PRIMARY KEY AUTOINCREMENT,
        recipient TEXT NOT NULL,
        body TEXT NOT NULL,
        order_reference TEXT UNIQUE,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL
    )""",
    """CREATE TABLE accounts (
        account_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        industry TEXT NOT NULL,
        owner TEXT NOT NULL,
        contact_name TEXT NOT NULL,
        contact_email TEXT NOT NULL,
        contact_phone TEXT NOT NULL
    )""",
    """CREATE TABLE opportunities (
        opportunity_id INTEGER PRIMARY KEY AUTOINCREMENT,
        account_id INTEGER NOT NULL REFERENCES accounts,
        name TEXT NOT NULL,
        amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
        stage TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE proposals (
        proposal_id INTEGER PRIMARY KEY AUTOINCREMENT,
        account_id INTEGER NOT NULL REFERENCES accounts,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
        status TEXT NOT NULL,
        valid_until TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE activities (
        activity_id INTEGER PRIMARY KEY AUTOINCREMENT,
        account_id INTEGER NOT NULL REFERENCES accounts,
        kind TEXT NOT NULL,
        note TEXT NOT NULL,
        order_reference TEXT UNIQUE,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL
    )""",
    """CREATE TABLE budgets (
        department TEXT NOT NULL,
        month TEXT NOT NULL,
        amount_cents INTEGER NOT NULL,
        PRIMARY KEY (department, month)
    )""",
    """CREATE TABLE expenses (
        expense_id INTEGER PRIMARY KEY AUTOINCREMENT,
        department TEXT NOT NULL,
        month TEXT NOT NULL,
        amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
        status TEXT NOT NULL CHECK (status IN ('approved', 'logged')),
        description TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL
    )""",
    """CREATE TABLE expense_orders (
        order_reference TEXT PRIMARY KEY,
        expense_id INTEGER NOT NULL REFERENCES expenses
    )""",
    """CREATE TABLE people (
        person_id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        title TEXT NOT NULL,
        department TEXT NOT NULL,
        manager_id INTEGER REFERENCES people,
        email TEXT NOT NULL,
        phone TEXT NOT NULL,
        started_on TEXT NOT NULL,
        leave_days INTEGER NOT NULL,
        idempotency_key TEXT UNIQUE
    )""",
    """CREATE TABLE leave_requests (
        leave_id INTEGER PRIMARY KEY AUTOINCREMENT,
        person_id INTEGER NOT NULL REFERENCES people,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        days INTEGER NOT NULL CHECK (days > 0),
        status TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE onboarding (
        onboarding_id INTEGER PRIMARY KEY AUTOINCREMENT,
        person_id INTEGER NOT NULL UNIQUE REFERENCES people,
        starts_on TEXT NOT NULL,
        created_at TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE
    )""",
    """CREATE TABLE onboarding_tasks (
        onboarding_id INTEGER NOT NULL REFERENCES onboarding,
        position INTEGER NOT NULL,
        task TEXT NOT NULL,
        due_on TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (onboarding_id, position)
    )""",
)

UPGRADES = {
    2: (
        """CREATE TABLE expense_reversals (
            expense_id INTEGER PRIMARY KEY REFERENCES expenses,
            created_at TEXT NOT NULL,
            idempotency_key TEXT NOT NULL
        )""",
    ),
}
"""What came to `TABLES` with each later version; new files get it too."""
