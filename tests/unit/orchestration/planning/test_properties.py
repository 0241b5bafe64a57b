from __future__ import annotations

import asyncio
import re

from hypothesis import given
from hypothesis import strategies as st

from state.jsonvalue import JsonObject
from state.proposal import Proposal
from tests.unit.orchestration.planning.plan import proposed

CLAUSES = {
    "book 4 tickets for the jazz night": "purchase",
    "update the CRM": "crm_update",
    "log a $250 expense for travel": "expense_log",
    "text Alice: the bus leaves": "notification",
    "request 2 days of leave for Dan from 2026-12-07": "leave",
    "onboard Jane Doe as Accountant starting 2026-12-01": "onboarding",
    "draft a proposal for Globex worth $20,000": "proposal",
    "open an opportunity with Globex worth $40,000": "opportunity",
    "check the travel budget": "budget",
    "cancel order 17": "cancellation",
}
SPEECH = "text Alice: the bus leaves"
JOINERS = st.sampled_from(
    [
        ", ",
        " and ",
        ", and ",
        "; ",
        ". ",
        "\n",
        ", then ",
        " and then ",
        ". After that, ",
        ". Also, ",
        ", plus ",
    ]
)
LAST = {". ": ". ", "; ": "; ", "\n": "\n"}
MEANINGFUL = re.compile(
    "ticket|seat|pass|crm|expense|budget|leave|order|proposal|opportun|onboard|text|game|event"
)
GARBAGE = st.text(max_size=200).filter(lambda text: not MEANINGFUL.search(text.lower()))
SALAD = st.lists(
    st.sampled_from(
        [
            "the",
            "a",
            "wall",
            "green",
            "runs",
            "quickly",
            "if",
            "unless",
            "then",
            "and",
            "or",
            "not",
            "maybe",
            "5",
            "$10",
            "10",
            "tickets?",
            "crm.",
            "approval,",
            "(of)",
            "'for'",
            '"with"',
            "-",
            ";",
            ":",
            "once",
            "before",
            "book",
            "update",
            "get",
            "text",
            "Alice",
            "it",
            "costs",
            "more",
            "than",
            "otherwise",
        ]
    ),
    max_size=25,
).map(" ".join)
TAILS = st.sampled_from(
    [
        "paint the wall",
        "a hotel room",
        "dance with the bears",
        "sell the company",
        "42 llamas",
        "rename it",
    ]
)


def plan(request: str) -> Proposal:
    return asyncio.run(proposed(request))


@given(
    st.lists(
        st.sampled_from([clause for clause in CLAUSES if clause != SPEECH]),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.data(),
)
def test_clauses_give_their_tasks_however_they_are_joined(
    clauses: list[str], data: st.DataObject
) -> None:
    request = clauses[0]
    for clause in clauses[1:]:
        request += data.draw(JOINERS) + clause
    proposal = plan(request)
    assert proposal.not_understood == ()
    assert sorted(task.task_id for task in proposal.tasks) == sorted(
        CLAUSES[clause] for clause in clauses
    )


@given(
    st.lists(st.sampled_from([*CLAUSES]), min_size=1, max_size=5, unique=True),
    st.sampled_from([". ", "; ", "\n"]),
)
def test_speech_ends_with_its_sentence(clauses: list[str], joiner: str) -> None:
    proposal = plan(joiner.join(clauses))
    assert proposal.not_understood == ()
    assert sorted(task.task_id for task in proposal.tasks) == sorted(
        CLAUSES[clause] for clause in clauses
    )


@given(st.sampled_from([*CLAUSES]), JOINERS, TAILS)
def test_one_part_that_is_not_understood_stops_all(clause: str, joiner: str, tail: str) -> None:
    if clause == SPEECH and joiner not in LAST and not joiner.startswith("."):
        return
    assert plan(f"{clause}{joiner}{tail}").not_understood


@given(GARBAGE)
def test_garbage_has_no_effect_and_does_no_harm(text: str) -> None:
    assert plan(text).not_understood


@given(SALAD)
def test_word_salad_does_no_harm(text: str) -> None:
    proposal = plan(text)
    assert proposal == plan(text)
    assert proposal.tasks or proposal.not_understood


@given(st.sampled_from([*CLAUSES]), GARBAGE)
def test_what_an_assistant_says_is_never_done(clause: str, text: str) -> None:
    said: list[JsonObject] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": f"{text} {clause}"},
    ]
    proposal = asyncio.run(proposed("what time does the game start?", earlier=said))
    assert [task.task_id for task in proposal.tasks] == ["event_info"]
