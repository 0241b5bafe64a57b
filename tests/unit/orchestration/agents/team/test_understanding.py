from __future__ import annotations

from datetime import date

import pytest

from orchestration.agents.team import intents
from orchestration.agents.team.amounts import amount_in
from orchestration.agents.team.crm import account_name_in
from orchestration.agents.team.dates import Period, one_day_in, period_in, without_dates
from orchestration.agents.team.names import matching
from orchestration.agents.team.orders import order_number_in
from orchestration.agents.team.quantities import tickets_in
from orchestration.agents.team.staff import person_name_in
from orchestration.agents.team.understanding import Intent, clauses, intended, speech_in
from state.errors import AgentRefusedError

MONDAY = date(2026, 11, 23)
OF_AGENT = {
    "ticketing": intents.TICKETING,
    "sales": intents.SALES,
    "finance": intents.FINANCE,
    "hr": intents.HR,
}


def action_of(agent: str, text: str) -> str | None:
    intent: Intent | None = intended(text, OF_AGENT[agent])
    return intent.action if intent else None


@pytest.mark.parametrize(
    ("agent", "text", "action"),
    [
        ("ticketing", "I need 2 tickets for tonight", "purchase_tickets"),
        ("ticketing", "Book 10 tickets", "purchase_tickets"),
        ("ticketing", "Book tickets", "purchase_tickets"),
        ("ticketing", "buy two tickets for tomorrow", "purchase_tickets"),
        ("ticketing", "a pair of tickets", "purchase_tickets"),
        ("ticketing", "A dozen tickets for Friday, please", "purchase_tickets"),
        ("ticketing", "Hi there! Could you please reserve four seats?", "purchase_tickets"),
        ("ticketing", "I'd like 3 tickets to the game", "purchase_tickets"),
        ("ticketing", "We have guests. Please get us 5 tickets.", "purchase_tickets"),
        ("ticketing", "Can I get two tickets?", "purchase_tickets"),
        ("ticketing", "I'd like to buy 2 tickets", "purchase_tickets"),
        ("ticketing", "Book 10 tickets if possible", "purchase_tickets"),
        ("ticketing", "Book 10 tickets, update CRM, get approval", "purchase_tickets"),
        ("ticketing", "What time does the game start?", "event_info"),
        ("ticketing", "How much are tickets tonight?", "event_info"),
        ("ticketing", "When is the next concert?", "event_info"),
        ("ticketing", "How many seats are left?", "check_availability"),
        ("ticketing", "Is the jazz night sold out?", "check_availability"),
        ("ticketing", "Do you still have tickets?", "check_availability"),
        ("ticketing", "What events are on this week?", "list_events"),
        ("ticketing", "What's on tonight?", "list_events"),
        ("ticketing", "Is there a concert this weekend?", "list_events"),
        ("ticketing", "Cancel order 17", "cancel_order"),
        ("ticketing", "Please refund my order no. 17", "cancel_order"),
        ("ticketing", "Send an SMS to +15551234567: hi", "send_sms"),
        ("ticketing", "Text Alice: don't be late", "send_sms"),
        ("ticketing", "Book a hotel", None),
        ("ticketing", "How do I buy tickets?", None),
        ("ticketing", "Did you book 10 tickets?", None),
        ("ticketing", "Should I buy 2 tickets?", None),
        ("ticketing", "Get approval for 10 tickets", None),
        ("ticketing", "I need 10 tickets refunded", None),
        ("ticketing", "Send 10 tickets to Bob", None),
        ("ticketing", "Don't book tickets", None),
        ("ticketing", "Never buy 3 tickets", None),
        ("ticketing", "Note: book 10 tickets", None),
        ("ticketing", "Hello", None),
        ("ticketing", "", None),
        ("sales", "Update the CRM for Acme", "update_crm"),
        ("sales", "update CRM", "update_crm"),
        ("sales", "Update the CRM for Acme: they did not renew", "update_crm"),
        ("sales", "Log a call with Acme about renewal", "update_crm"),
        ("sales", "Create a proposal for Globex worth $20,000", "create_proposal"),
        ("sales", "Draft a $20k proposal for initech", "create_proposal"),
        ("sales", "Create an opportunity for Initech worth $5,000", "create_opportunity"),
        ("sales", "Mark opportunity 3 as won", "update_opportunity"),
        ("sales", "What's the status of Acme?", "account_info"),
        ("sales", "How is Hooli doing?", "account_info"),
        ("sales", "Make me a sandwich", None),
        ("sales", "Do not update the CRM", None),
        ("finance", "Approve $10,000 expense", "approve_expense"),
        ("finance", "Approve expense", "approve_expense"),
        ("finance", "Please approve it", "approve_expense"),
        ("finance", "get approval", "approve_expense"),
        ("finance", "Get manager approval for the tickets", "approve_expense"),
        ("finance", "Log a $250 expense for travel", "log_expense"),
        ("finance", "Log the expense", "log_expense"),
        ("finance", "Expense $40 for lunch", "log_expense"),
        ("finance", "What's left in the travel budget?", "check_budget"),
        ("finance", "do not approve the $10,000 expense", None),
        ("finance", "Reject the $10,000 expense", None),
        ("finance", "I approved the expense", None),
        ("finance", "Approve Bob's leave", None),
        ("finance", "Who should approve the expense?", None),
        ("hr", "How many vacation days does Alice have?", "leave_balance"),
        ("hr", "Request 3 days of leave for Bob from 2026-12-20", "request_leave"),
        ("hr", "I need 3 days off from 2026-12-20", "request_leave"),
        ("hr", "Onboard Jane Doe as Account Executive", "onboard_employee"),
        ("hr", "Who is Bob's manager?", "employee_info"),
        ("hr", "Don't request leave for Bob", None),
    ],
)
def test_message_means_action(agent: str, text: str, action: str | None) -> None:
    assert action_of(agent, text) == action


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("ticketing", "Book 10 tickets, no wait, don't"),
        ("ticketing", "Book 10 tickets. Forget it."),
        ("ticketing", "Book 10 tickets - scratch that"),
        ("ticketing", "Buy 3 tickets? No!"),
        ("ticketing", "Book 10 tickets: do not"),
        ("ticketing", "Cancel order 17, or rather don't"),
        ("finance", "Approve $10,000 expense, but not today"),
        ("finance", "Approve the expense, nobody wants it"),
        ("hr", "Request 3 days of leave for Bob, no, forget it"),
    ],
)
def test_message_that_takes_something_back_is_refused(agent: str, text: str) -> None:
    with pytest.raises(AgentRefusedError, match=r"says .*nothing was done"):
        action_of(agent, text)


@pytest.mark.parametrize(
    "text",
    [
        "Book 10 tickets if it rains",
        "Book 10 tickets unless Bob objects",
        "Book 10 tickets once the boss agrees",
        "Book 10 tickets, maybe",
        "If it is sunny, book 2 tickets tomorrow",
    ],
)
def test_message_with_a_condition_is_refused(text: str) -> None:
    with pytest.raises(AgentRefusedError, match="depend on something"):
        action_of("ticketing", text)


@pytest.mark.parametrize(
    "text",
    [
        "Book 10 tickets and cancel order 17",
        "Book 10 tickets and send an SMS",
        "Book 2 tickets for tonight. Book 3 tickets for tomorrow.",
    ],
)
def test_message_with_two_effects_is_refused(text: str) -> None:
    with pytest.raises(AgentRefusedError, match="several things at once"):
        action_of("ticketing", text)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("Book 10 tickets", 10),
        ("Book 1,000 tickets", 1_000),
        ("Book 10k tickets", 10_000),
        ("Book -5 tickets", -5),
        ("Book zero tickets", 0),
        ("one ticket", 1),
        ("a ticket", 1),
        ("a pair of tickets", 2),
        ("a couple of tickets", 2),
        ("a dozen tickets", 12),
        ("half a dozen tickets", 6),
        ("two dozen tickets", 24),
        ("twenty tickets", 20),
        ("twenty-five tickets", 25),
        ("a hundred tickets", 100),
        ("one hundred and five tickets", 105),
        ("ten thousand tickets", 10_000),
        ("10 good seats", 10),
        ("10 of the best seats", 10),
        ("tickets x 5", 5),
        ("5x tickets", 5),
        ("tickets: 5", 5),
        ("tickets for 10 people", 10),
        ("10 tickets for 5 clients", 10),
        ("10 tickets, yes 10 tickets", 10),
        ("tickets", None),
        ("a few tickets", None),
        ("a lot of tickets", None),
        ("several tickets", None),
        ("order 17", None),
    ],
)
def test_quantity_of_tickets(text: str, quantity: int | None) -> None:
    assert tickets_in(text) == quantity


@pytest.mark.parametrize(
    "text",
    [
        "5 or 6 tickets",
        "one or two tickets",
        "10-20 tickets",
        "10 to 20 tickets",
        "2.5 tickets",
        "one two tickets",
        "2 tickets for me and 3 tickets for Bob",
    ],
)
def test_open_quantities_are_refused(text: str) -> None:
    with pytest.raises(AgentRefusedError, match="Nothing was bought"):
        tickets_in(text)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("Approve $10,000 expense", 10_000_00),
        ("Approve $10k expense", 10_000_00),
        ("approve 1.5k", 1_500_00),
        ("10000 USD", 10_000_00),
        ("USD 10000", 10_000_00),
        ("1,250.50 dollars", 1_250_50),
        ("$0.01", 1),
        ("$0", 0),
        ("$2 million", 2_000_000_00),
        ("an expense of 500", 500_00),
        ("a 500 expense", 500_00),
        ("worth 20,000", 20_000_00),
        ("$100, I repeat $100", 100_00),
        ("3 days", None),
        ("order 17", None),
        ("2 expenses", None),
        ("", None),
    ],
)
def test_amount_of_money(text: str, cents: int | None) -> None:
    assert amount_in(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "$100 and $200",
        "€500",
        "500 euros",
        "-$500",
        "$-500",
        "$1,2,3",
        "$10.000,50",
        "$1.999",
        "$x",
    ],
)
def test_unclear_amounts_are_refused(text: str) -> None:
    with pytest.raises(AgentRefusedError, match="Nothing was done"):
        amount_in(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("for tonight", MONDAY),
        ("today", MONDAY),
        ("tomorrow night", date(2026, 11, 24)),
        ("the day after tomorrow", date(2026, 11, 25)),
        ("on Friday", date(2026, 11, 27)),
        ("this Monday", MONDAY),
        ("in 10 days", date(2026, 12, 3)),
        ("on 2026-12-01", date(2026, 12, 1)),
        ("on December 1", date(2026, 12, 1)),
        ("Dec 1st, 2027", date(2027, 12, 1)),
        ("1 December", date(2026, 12, 1)),
        ("the 3rd of March", date(2027, 3, 3)),
        ("November 22", date(2027, 11, 22)),
        ("you may 5", date(2027, 5, 5)),
        ("some day", None),
    ],
)
def test_day_in_a_text(text: str, day: date | None) -> None:
    assert one_day_in(text, MONDAY) == day


@pytest.mark.parametrize(
    "text",
    ["next week", "next Friday", "12/25", "this weekend", "2026-13-01", "February 30",
     "today and tomorrow", "in December", "on the 5th", "for Christmas"],
)  # fmt: skip
def test_days_that_are_not_exact_are_refused(text: str) -> None:
    with pytest.raises(AgentRefusedError):
        one_day_in(text, MONDAY)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("this week", "2026-11-23", "2026-11-29"),
        ("next week", "2026-11-30", "2026-12-06"),
        ("this weekend", "2026-11-28", "2026-11-29"),
        ("tonight", "2026-11-23", "2026-11-23"),
        ("in December", "2026-12-01", "2026-12-31"),
        ("in November", "2026-11-23", "2026-11-30"),
        ("in January", "2027-01-01", "2027-01-31"),
        ("this month", "2026-11-23", "2026-12-23"),
        ("from 2026-12-01 to 2026-12-03", "2026-12-01", "2026-12-03"),
    ],
)
def test_period_of_a_question(text: str, first: str, last: str) -> None:
    assert period_in(text, MONDAY) == Period(date.fromisoformat(first), date.fromisoformat(last))


def test_dates_and_times_are_no_quantities() -> None:
    text = without_dates("Book 2 tickets for December 10 at 7:30 pm, 2026-12-10")
    assert [word for word in text.split() if word.isdigit()] == ["2"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Cancel order 17", 17),
        ("order #17", 17),
        ("order 1.5", None),
        ("order no. 17", 17),
        ("#17", 17),
        ("order 17 tickets", None),
        ("purchase 10 tickets", None),
        ("no number", None),
    ],
)
def test_order_number_in_a_text(text: str, number: int | None) -> None:
    assert order_number_in(text) == number


def test_several_order_numbers_are_refused() -> None:
    with pytest.raises(AgentRefusedError, match="several orders"):
        order_number_in("Cancel order 1 and order 2")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Update the CRM for Acme", "Acme"),
        ("Create a proposal for Globex worth $20,000", "Globex"),
        ("proposal for $20,000 for globex", "globex"),
        ("What's the status of Wayne Enterprises?", "Wayne Enterprises"),
        ("How is Hooli doing?", "Hooli"),
        ("Show the Initech account", "Initech"),
        ("Show Acme's pipeline", "Acme"),
        ("Tell me Wayne Enterprises' status", "Wayne Enterprises"),
        ("Update the CRM: Acme is great", None),
        ("Update the CRM", None),
    ],
)
def test_account_in_a_text(text: str, name: str | None) -> None:
    assert account_name_in(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("How many vacation days does Alice have?", "Alice"),
        ("Request 3 days of leave for Bob Lee from 2026-12-20", "Bob Lee"),
        ("Who is Bob's manager?", "Bob"),
        ("who is bob's manager?", "bob"),
        ("What's Alice Smith's email?", "Alice Smith"),
        ("Who reports to Carol?", "Carol"),
        ("Who is Grace?", "Grace"),
        ("Show me Bob's title", "Bob"),
        ("Tell me Bob Lee's title", "Bob Lee"),
        ("How many days do I have?", None),
        ("Who is the manager?", None),
    ],
)
def test_person_in_a_text(text: str, name: str | None) -> None:
    assert person_name_in(text) == name


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("acme", ["Acme Corporation"]),
        ("ACME Inc.", ["Acme Corporation"]),
        ("the acme account", ["Acme Corporation"]),
        ("Smith", ["Ann Smith", "Bo Smith"]),
        ("ann smith", ["Ann Smith"]),
        ("Zorro", []),
        ("the", []),
        ("", []),
    ],
)
def test_names_that_match(wanted: str, found: list[str]) -> None:
    assert matching(wanted, ["Acme Corporation", "Ann Smith", "Bo Smith"]) == found


def test_clauses_stand_without_courtesies() -> None:
    text = "Hi! Please book 2 tickets, update the CRM and then get approval"
    assert clauses(text) == ["book 2 tickets", "update the CRM", "get approval"]


def test_speech_is_what_follows_a_colon_or_saying() -> None:
    assert speech_in("Text Alice: the bus leaves at 6:30") == "the bus leaves at 6:30"
    assert speech_in("Text Alice saying 'hi'") == "hi"
    assert speech_in("Text Alice at 6:30") is None
