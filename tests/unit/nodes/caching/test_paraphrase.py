"""Look-alikes that must not share an answer, and paraphrases that may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.caching.paraphrase import difference

LOOK_ALIKES = [
    # numbers
    ("Q3 revenue", "Q4 revenue"),
    ("delete user 42", "delete user 43"),
    ("book two tickets", "book three tickets"),
    ("book 2 tickets", "book twelve tickets"),
    ("a discount of 5%", "a discount of 50%"),
    ("transfer 1000 euros", "transfer 1.000 euros"),
    ("what is 3 - 5", "what is 5 - 3"),
    ("what is the forecast for minus 5 degrees", "what is the forecast for 5 degrees"),
    ("the first order of May", "the second order of May"),
    ("flights at 10:30", "flights at 10:40"),
    ("flights at 5 am", "flights at 5"),
    ("status of plan A", "status of plan"),
    ("status of plan a?", "status of plan?"),
    ("Hepatitis A vaccine", "Hepatitis vaccine"),
    # negations
    ("approve the request", "do not approve the request"),
    ("can I cancel?", "can't I cancel?"),
    ("orders with a discount", "orders without a discount"),
    ("which users never logged in", "which users logged in"),
    ("users who aren't active", "users who are active"),
    ("all but Berlin", "all in Berlin"),
    ("do not say that you cannot pay", "do not say that you can pay"),
    # names
    ("weather in Paris", "weather in London"),
    ("weather in paris", "weather in london"),
    ("Is Anna on leave?", "Is Anne on leave?"),
    ("mail to ann@example.com", "mail to bob@example.com"),
    ("sales in the US", "sales of us"),
    ("who is Müller", "who is Muller"),
    ("What did Apple earn?", "What did Alphabet earn?"),
    # identifiers, quotations, code
    ("status of ORD-1001-A", "status of ORD-1001-B"),
    ("open https://example.com/a", "open https://example.com/b"),
    ('find "red shoes"', 'find "shoes red"'),
    ("run `ls -l`", "run `ls -a`"),
    ("version 1.2.3", "version 1.2.4"),
    ("explain app/models.py", "explain app/model.py"),
    ("SKU AB12", "SKU AB21"),
    # dates and times
    ("meetings on 2026-03-04", "meetings on 2026-04-03"),
    ("meetings on Monday", "meetings on Tuesday"),
    ("sales today", "sales yesterday"),
    ("revenue last month", "revenue this month"),
    ("events before May", "events after May"),
    ("holidays in May 2026", "holidays in May 2027"),
    ("did the game start", "will the game start"),
    # opposites
    ("approve invoice 7", "reject invoice 7"),
    ("enable two factor login", "disable two factor login"),
    ("products with more than 5 in stock", "products with less than 5 in stock"),
    ("buy 10 shares", "sell 10 shares"),
    ("open tickets", "closed tickets"),
    ("highest price", "lowest price"),
    ("include tax", "exclude tax"),
    ("add a user", "remove a user"),
    ("show paid invoices", "show unpaid invoices"),
    ("increase the limit", "decrease the limit"),
    # who does what to whom
    ("transfer money from Alice to Bob", "transfer money from Bob to Alice"),
    ("convert dollars to euros", "convert euros to dollars"),
    ("is A bigger than B", "is B bigger than A"),
    ("emails from sales to finance", "emails from finance to sales"),
    # one word more, and other questions
    ("show my invoices", "show my unpaid invoices"),
    ("show my invoices", "show his invoices"),
    ("who approved it?", "when was it approved?"),
    ("where is the meeting?", "when is the meeting?"),
    ("how many users are there?", "which users are there?"),
    ("approved requests", "approve requests"),
    ("price of a ticket", "cost of a ticket"),
    ("capital of France", "capital of French Guiana"),
    ("what is a ticket?", "how much is a ticket?"),
    # words that only sometimes mean the same, one or many
    ("create a list", "create a view"),
    ("list price of a ticket", "show price of a ticket"),
    ("delete the show", "delete the list"),
    ("client certificate", "customer certificate"),
    ("is it a firm offer?", "is it a company offer?"),
    ("delete the user", "delete the users"),
    ("show my order", "show my orders"),
    ("mail address of Anna", "email address of Anna"),
    ("which jobs run", "which jobs ran"),
    ("requests I approved", "requests I approve"),
    ("what can I do", "what can you do"),
    ("3 - 5", "3 + 5"),
    ("a * b", "a / b"),
    ("x > 5", "x < 5"),
    ("x >= 5", "x > 5"),
    ("x != 5", "x = 5"),
    ("(a or b) and c", "a or (b and c)"),
    ("$5", "5 euros"),
    ("C# courses", "C++ courses"),
    ("IT support", "it support"),
    ("Polish documents", "Turkish documents"),
    # other languages, where nothing is known
    ("Genehmige den Antrag", "Genehmige den Antrag nicht"),
    ("Wetter in Köln", "Wetter in Bonn"),
    ("承認する", "承認しない"),
]

PARAPHRASES = [
    ("What is the capital of France?", "capital of France?"),
    ("What is the capital of France?", "Tell me the capital of France please"),
    ("What time does the game start?", "When does the game start?"),
    ("What time does the game start?", "when does the match begin"),
    ("How do I reset my password?", "How can I reset my password?"),
    ("How to reset my password", "Could you please tell me how to reset my password?"),
    ("Show my unpaid invoices", "Could you list my unpaid invoices?"),
    ("How many employees are in Berlin?", "What is the number of staff in Berlin?"),
    ("Who manages the sales team?", "Can you tell me who manages the sales team?"),
    ("What's the refund policy?", "what is the refund policy"),
    ("Find the customer with order 4711", "Search the customer with order 4711"),
    ("Delete draft 7", "Please remove draft seven"),
    ("How much does a ticket cost?", "What does a ticket cost?"),
    ("Explain the travel rules", "Can you describe the travel rules?"),
    ("When is the next home game?", "At what time is the next home match?"),
    ("Which seats are free?", "What seats are free"),
]

REFUSED_PARAPHRASES = [
    ("Find the customer with order 4711", "Search the client with order 4711"),
    ("Where is the stadium?", "Where's the venue located?"),
    ("What is the weather in Paris today?", "Paris weather today"),
    ("Summarise the Q3 report", "Give me a summary of the Q3 report"),
    ("What is my remaining vacation?", "How many vacation days do I have left?"),
    ("Which seats are free for game 12?", "What seats are available for game twelve?"),
]
"""The price of being sure: these do mean the same."""


@pytest.mark.parametrize(("one", "other"), LOOK_ALIKES)
def test_look_alikes_are_told_apart(one: str, other: str) -> None:
    assert difference(one, other) is not None
    assert difference(other, one) is not None


@pytest.mark.parametrize(("one", "other"), PARAPHRASES)
def test_other_wordings_of_a_question_are_seen(one: str, other: str) -> None:
    assert difference(one, other) is None
    assert difference(other, one) is None


@pytest.mark.parametrize(("one", "other"), REFUSED_PARAPHRASES)
def test_freer_paraphrases_are_not_seen(one: str, other: str) -> None:
    assert difference(one, other) is not None


@pytest.mark.parametrize("text", ["", "  ", "?", "please", "one\ntwo", "word " * 41])
def test_what_is_empty_long_or_has_lines_is_like_nothing(text: str) -> None:
    assert difference(text, text) == "a question is empty, has lines, or is too long"


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6), st.integers(0, 5))
def test_one_word_that_differs_is_always_seen(words: list[str], place: int) -> None:
    changed = list(words)
    changed[place % len(words)] = "other"
    assert difference(f"x {' '.join(words)}", f"x {' '.join(changed)}") is not None
