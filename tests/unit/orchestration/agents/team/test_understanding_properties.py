from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.agents.team import intents
from orchestration.agents.team.amounts import amount_in, cents_of, dollars, money
from orchestration.agents.team.dates import one_day_in
from orchestration.agents.team.quantities import _VALUES, number_in_words, tickets_in
from orchestration.agents.team.seating import Block, assigned, free_blocks, labels
from orchestration.agents.team.understanding import intended
from state.errors import AgentRefusedError

TODAY = date(2026, 11, 23)
CALM = settings(deadline=None)  # machines that run tests are busy
ONES = [*_VALUES][:20]
TENS = ["", "", *[*_VALUES][20:]]
cents = st.integers(min_value=1, max_value=10**12)


def spelled(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{TENS[tens]}-{ONES[ones]}" if ones else TENS[tens]
    if number < 1_000:
        hundreds, rest = divmod(number, 100)
        return f"{ONES[hundreds]} hundred" + (f" and {spelled(rest)}" if rest else "")
    thousands, rest = divmod(number, 1_000)
    return f"{spelled(thousands)} thousand" + (f" {spelled(rest)}" if rest else "")


@CALM
@given(st.integers(min_value=0, max_value=99_999))
def test_numbers_are_read_back_from_words(number: int) -> None:
    assert number_in_words(spelled(number)) == number


@CALM
@given(
    st.integers(min_value=-(10**6), max_value=10**6),
    st.sampled_from(["Book {} tickets", "I need {} tickets for Bob", "{} seats", "tickets: {}"]),
)
def test_quantities_are_read_back_from_digits(number: int, form: str) -> None:
    assert tickets_in(form.format(number)) == number
    assert tickets_in(form.format(f"{number:,}")) == number


@CALM
@given(st.integers(min_value=1, max_value=9_999))
def test_quantities_are_read_back_from_words(number: int) -> None:
    assert tickets_in(f"Book {spelled(number)} tickets") == number


@CALM
@given(cents, st.sampled_from(["Approve ${} expense", "{} USD", "Log an expense of {} dollars"]))
def test_amounts_are_read_back(amount: int, form: str) -> None:
    assert amount_in(form.format(f"{amount / 100:,.2f}")) == amount
    assert amount_in(form.format(f"{amount / 100:.2f}")) == amount


@CALM
@given(cents)
def test_cents_survive_json_and_people(amount: int) -> None:
    assert cents_of(dollars(amount)) == amount
    assert amount_in(money(amount)) == amount


@CALM
@given(st.dates(min_value=TODAY, max_value=date(2027, 11, 22)))
def test_days_are_read_back_from_all_ways_to_write_them(day: date) -> None:
    for form in ("%Y-%m-%d", "%B %d", "%b %d, %Y", "%d %B", "%d %b %Y"):
        assert one_day_in(f"2 tickets on {day.strftime(form)} please", TODAY) == day


@CALM
@given(st.text(max_size=200))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (amount_in, tickets_in, lambda said: one_day_in(said, TODAY)):
        with suppress(AgentRefusedError):
            parse(text)


@CALM
@given(
    st.sampled_from(["Book {} tickets", "Approve ${} expense", "Request {} days of leave for Bob"]),
    st.integers(min_value=1, max_value=100),
    st.sampled_from(["Do not ", "Don't ", "Never ", "Please don't ", "You must not "]),
)
def test_a_negated_command_is_never_an_effect(form: str, number: int, negation: str) -> None:
    command = form.format(number)
    for known in (intents.TICKETING, intents.SALES, intents.FINANCE, intents.HR):
        for text in (negation + command.lower(), f"{command}. {negation}do it."):
            try:
                intent = intended(text, known)
            except AgentRefusedError:
                continue
            assert intent is None or not intent.effect


blocks = st.lists(st.integers(min_value=0, max_value=99), max_size=30, unique=True).map(
    lambda seats: [Block(seat, seat) for seat in seats]
)


@CALM
@given(blocks, st.integers(min_value=1, max_value=120))
def test_assigned_seats_are_free_and_as_many_as_wanted(taken: list[Block], quantity: int) -> None:
    free = free_blocks(taken, capacity=100)
    assert sum(block.size for block in free) == 100 - len(taken)
    seats = assigned(free, quantity)
    if seats is None:
        assert quantity > 100 - len(taken)
        return
    numbers = [number for block in seats for number in range(block.first, block.last + 1)]
    assert len(numbers) == len(set(numbers)) == quantity
    assert not set(numbers) & {block.first for block in taken}


@CALM
@given(st.integers(min_value=0, max_value=17_000), st.integers(min_value=1, max_value=1_000))
def test_labels_name_every_seat(first: int, quantity: int) -> None:
    lines = labels([Block(first, first + quantity - 1)])
    bounds = [re.search(r"seats? (\d+)(?:-(\d+))?$", line) for line in lines]
    sizes = [int(found[2] or found[1]) - int(found[1]) + 1 for found in bounds if found]
    assert sum(sizes) == quantity
    assert len(set(lines)) == len(lines)
