from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents.middleware.human_in_the_loop import Decision as LangChainDecision
from langchain.agents.middleware.human_in_the_loop import HITLResponse
from pydantic import TypeAdapter

from state.approval import ApprovalPolicy
from state.decision import (
    Counted,
    Decider,
    Decision,
    EditedAction,
    Question,
    Refused,
    Vote,
    judge,
    read_answer,
)

APPROVE: Decision = {"type": "approve"}
REJECT: Decision = {"type": "reject", "message": "too dear"}
RESPOND: Decision = {"type": "respond", "message": "paid by card"}
EDIT: Decision = {"type": "edit", "edited_action": {"name": "finance", "args": {"amount": 4}}}
ALL = (APPROVE, REJECT, RESPOND, EDIT)
NOW = 1_000.0


def edit(name: str = "finance", **arguments: Any) -> Decision:  # noqa: ANN401
    return {"type": "edit", "edited_action": EditedAction(name=name, args=arguments)}


def asked(policy: ApprovalPolicy | None = None, **differences: Any) -> Question:  # noqa: ANN401
    question = Question(
        action="finance",
        arguments={"amount": 5, "note": "x"},
        policy=(policy or ApprovalPolicy()).document(),
        requester=None,
        deadline_at=None,
        escalated=False,
    )
    return question._replace(**differences)


def verdict(
    question: Question,
    decision: Decision = APPROVE,
    who: Decider = Decider("Ann"),  # noqa: B008  immutable
    votes: Sequence[Vote] = (),
) -> Counted | str:
    """What becomes of an answer; of a refused one the code."""
    judged = judge(question, decision, who=who, votes=votes, now=NOW)
    return judged.code if isinstance(judged, Refused) else judged


# -- reading ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ("approve", APPROVE),
        ("reject", {"type": "reject"}),
        (APPROVE, APPROVE),
        (REJECT, REJECT),
        (RESPOND, RESPOND),
        (EDIT, EDIT),
        ({"decisions": [APPROVE]}, APPROVE),
        ({"decisions": (REJECT,)}, REJECT),
        ({"decisions": [EDIT]}, EDIT),
        ({"decisions": [RESPOND], "by": "Eve"}, RESPOND),
        ([{"type": "accept", "args": None}], APPROVE),
        ([{"type": "accept", "args": {"action": "finance", "args": {}}}], APPROVE),
        ([{"type": "ignore", "args": None}], {"type": "reject"}),
        ([{"type": "response", "args": "paid by card"}], RESPOND),
        ([{"type": "edit", "args": {"action": "finance", "args": {"amount": 4}}}], EDIT),
    ],
    ids=str,
)
def test_an_answer_is_read_in_every_shape(answer: object, decision: Decision) -> None:
    assert read_answer(answer) == decision


@pytest.mark.parametrize(
    "answer",
    [
        None, True, 0, 1.5, b"approve", "", "yes", "Approve", "accept", "edit", "respond",
        {}, [], [APPROVE], ["approve"], {"type": None}, {"type": "accept"}, {"type": ["approve"]},
        {"decisions": []}, {"decisions": APPROVE}, {"decisions": "approve"}, {"decisions": [None]},
        {"decisions": [APPROVE, REJECT]}, {"decisions": [{"decisions": [APPROVE]}]},
        {"type": "reject", "message": None}, {"type": "reject", "message": ["too dear"]},
        {"type": "respond"}, {"type": "respond", "message": ""}, {"type": "respond", "message": 5},
        {"type": "edit"}, {"type": "edit", "edited_action": {"name": "finance"}},
        {"type": "edit", "edited_action": {"name": None, "args": {}}},
        {"type": "edit", "edited_action": {"name": "finance", "args": [4]}},
        {"type": "edit", "args": {"amount": 4}},
        edit(amount=float("nan")), edit(amount=2**64), edit(amount={4}), edit(note="\ud800"),
        {"type": "edit", "edited_action": {"name": "finance", "args": {4: "amount"}}},
        [{"type": "accept"}], [{"type": "maybe", "args": None}], [{"type": "response", "args": ""}],
        [{"type": "edit", "args": {"action": "finance", "args": "amount"}}],
        [{"type": "edit", "args": "text"}],
        [{"type": "accept", "args": None}, {"type": "accept", "args": None}],
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_no_answer_and_says_so(answer: object) -> None:
    said = read_answer(answer)
    assert isinstance(said, str)
    assert "is no answer" in said or "the edited arguments" in said


def test_a_cycle_is_no_answer() -> None:
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    said = read_answer({"type": "edit", "edited_action": {"name": "finance", "args": cycle}})
    assert isinstance(said, str)
    assert "nested" in said


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(),
        st.sampled_from(["approve", "edit", "reject", "respond", "accept", "ignore", "response"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                ["type", "message", "decisions", "edited_action", "name", "args", "action", "by"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip
decisions = st.one_of(
    st.just({"type": "approve"}),
    st.builds(lambda text: {"type": "reject", "message": text}, st.text()),
    st.builds(lambda text: {"type": "respond", "message": text}, st.text(min_size=1)),
    st.builds(edit, amount=st.integers(-9, 9)),
)


@given(anything)
def test_whatever_is_read_is_a_decision_as_langchain_defines_it(answer: object) -> None:
    read = read_answer(answer)
    if isinstance(read, str):
        return
    TypeAdapter(LangChainDecision).validate_python(read)
    assert read_answer(read) == read
    assert read_answer(json.loads(json.dumps(read))) == read


@given(decisions)
def test_every_response_as_langchain_defines_it_is_read(decision: Decision) -> None:
    response = TypeAdapter(HITLResponse).validate_python({"decisions": [decision]})
    assert read_answer(response) == decision
    assert read_answer(response["decisions"][0]) == decision


# -- who may ----------------------------------------------------------------------------

MANAGERS = ApprovalPolicy(roles=["manager", "owner"], escalate_to=["cfo"])


@pytest.mark.parametrize(
    ("roles", "escalated", "counts"),
    [
        (["manager"], False, True),
        (["clerk", "owner"], False, True),
        ([], False, False),
        (["Manager"], False, False),
        (["manager "], False, False),
        (["cfo"], False, False),
        (["cfo"], True, True),
        (["manager"], True, True),
        (["clerk"], True, False),
    ],
)
def test_who_decides_needs_one_of_the_roles(
    roles: list[str], *, escalated: bool, counts: bool
) -> None:
    judged = verdict(asked(MANAGERS, escalated=escalated), who=Decider("Ann", roles))
    assert judged == (Counted(APPROVE, final=True) if counts else "wrong_role")


def test_anybody_may_decide_where_no_role_is_wanted_escalated_or_not() -> None:
    policy = ApprovalPolicy(escalate_to=["cfo"])
    for escalated in (False, True):
        judged = verdict(asked(policy, escalated=escalated), who=Decider(None))
        assert isinstance(judged, Counted)


SAME_AS_RITA = [
    "Rita", "rita", "RITA", " Rita\u00a0", "R ita", "Rita\u200b", "\uff32ita", "R\u00edta",
]  # fmt: skip


@pytest.mark.parametrize(
    ("requester", "by"),
    [("Rita", each) for each in SAME_AS_RITA[:-1]]
    + [("Ri\u0301ta", "R\u00edta"), ("STRASSE", "stra\u00dfe")],
)
def test_who_asked_is_known_however_it_is_written(requester: str, by: str) -> None:
    assert verdict(asked(requester=requester), who=Decider(by)) == "requester"
    assert verdict(asked(requester=by), who=Decider(requester)) == "requester"


@pytest.mark.parametrize("by", ["Rit", "Rita2", "R\u00edta", "Ann"])
def test_others_may_decide(by: str) -> None:
    assert isinstance(verdict(asked(requester="Rita"), who=Decider(by)), Counted)


@pytest.mark.parametrize("by", [None, "", " ", "\u200b", "\n", "An\x00n", "An\ud800n", "Ann\nBob"])
def test_who_asked_cannot_hide_behind_no_name(by: str | None) -> None:
    assert verdict(asked(requester="Rita"), who=Decider(by)) == "nobody"
    assert verdict(asked(ApprovalPolicy(quorum=2)), who=Decider(by)) == "nobody"


def test_who_asked_may_decide_where_the_policy_says_so() -> None:
    policy = ApprovalPolicy(separation_of_duties=False)
    for by in ("Rita", None):
        assert isinstance(verdict(asked(policy, requester="Rita"), who=Decider(by)), Counted)


def test_the_requester_may_not_even_refuse() -> None:
    assert verdict(asked(requester="Rita"), REJECT, Decider("Rita")) == "requester"


# -- what may be said -------------------------------------------------------------------


@pytest.mark.parametrize("decision", ALL, ids=lambda each: each["type"])
def test_only_what_the_policy_allows_counts(decision: Decision) -> None:
    allowing = {"reject", decision["type"]}
    question = asked()
    question = question._replace(policy={**question.policy, "allowed": sorted(allowing)})
    for other in ALL:
        judged = verdict(question, other)
        allowed = other["type"] in allowing
        assert judged == (Counted(other, final=True) if allowed else "invalid")


@pytest.mark.parametrize(
    ("decision", "problem"),
    [
        (edit("tickets", amount=4), "not 'finance' into 'tickets'"),
        (edit(amount="4"), "amount: '4' is not of type 'number'"),
        (edit(amuont=4), "'amuont' was unexpected"),
    ],
)
def test_an_edit_that_does_not_fit_says_why(decision: Decision, problem: str) -> None:
    judged = judge(asked(), decision, who=Decider("Ann"), votes=[], now=NOW)
    assert isinstance(judged, Refused)
    assert judged.code == "invalid"
    assert problem in judged.why


def test_an_edit_that_does_not_fit_names_everything() -> None:
    judged = judge(asked(), edit(amount="4", note=5), who=Decider("Ann"), votes=[], now=NOW)
    assert isinstance(judged, Refused)
    assert "amount" in judged.why
    assert "note" in judged.why


def test_an_edit_must_satisfy_the_schema_of_the_policy() -> None:
    schema = {"properties": {"amount": {"maximum": 500}}, "required": ["amount"]}
    question = asked(ApprovalPolicy(arguments=schema))
    assert isinstance(verdict(question, edit(amount=500, reason="new names are allowed")), Counted)
    assert verdict(question, edit(amount=501)) == "invalid"
    assert verdict(question, edit()) == "invalid"


@pytest.mark.parametrize(
    "reference", ["#/$defs/missing", "http://127.0.0.1:9/schema.json", "file:///etc/hostname"]
)
def test_a_schema_that_refers_to_nothing_refuses_edits_and_fetches_nothing(reference: str) -> None:
    question = asked(ApprovalPolicy(arguments={"properties": {"amount": {"$ref": reference}}}))
    assert verdict(question, edit(amount=4)) == "invalid"
    assert isinstance(verdict(question, APPROVE), Counted)


# -- until when -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadline_at", "in_time"), [(NOW, False), (NOW - 1, False), (NOW + 1e-6, True), (None, True)]
)
def test_the_deadline_itself_is_too_late(deadline_at: float | None, *, in_time: bool) -> None:
    judged = verdict(asked(deadline_at=deadline_at))
    assert judged == (Counted(APPROVE, final=True) if in_time else "late")


# -- quorum -----------------------------------------------------------------------------

THREE = asked(ApprovalPolicy(quorum=3))


@pytest.mark.parametrize(
    ("votes", "decision", "expected"),
    [
        ([], APPROVE, Counted(APPROVE, final=False, missing=2)),
        ([APPROVE], APPROVE, Counted(APPROVE, final=False, missing=1)),
        ([APPROVE, APPROVE], APPROVE, Counted(APPROVE, final=True)),
        ([APPROVE, EDIT], APPROVE, Counted(APPROVE, final=False, missing=1)),
        ([EDIT, EDIT], EDIT, Counted(EDIT, final=True)),
        ([EDIT, edit(amount=3)], EDIT, Counted(EDIT, final=False, missing=1)),
        ([RESPOND, RESPOND], RESPOND, Counted(RESPOND, final=True)),
        ([APPROVE, APPROVE], REJECT, Counted(REJECT, final=True)),
        ([], REJECT, Counted(REJECT, final=True)),
    ],
)
def test_a_quorum_counts_the_same_answers_of_different_people(
    votes: list[Decision], decision: Decision, expected: Counted
) -> None:
    cast = [Vote(f"person {number}", vote) for number, vote in enumerate(votes)]
    assert verdict(THREE, decision, votes=cast) == expected


@pytest.mark.parametrize("by", ["Ann", " ANN ", "ann\u200b"])
@pytest.mark.parametrize("decision", ALL, ids=lambda each: each["type"])
def test_nobody_votes_twice(by: str, decision: Decision) -> None:
    assert verdict(THREE, decision, Decider(by), [Vote("Ann", APPROVE)]) == "voted"


def test_true_and_one_are_not_the_same_edit() -> None:
    question = asked(ApprovalPolicy(quorum=2), arguments={"amount": None})
    judged = verdict(question, edit(amount=1), votes=[Vote("Bob", edit(amount=True))])
    assert judged == Counted(edit(amount=1), final=False, missing=1)


people = st.sampled_from(["Ann", " ann", "ANN", "Bob", "bob ", "Cleo", "Dan"])
answers = st.sampled_from([APPROVE, EDIT, edit(amount=3), RESPOND, REJECT])


@given(st.integers(2, 4), st.lists(st.tuples(people, answers), max_size=12))
def test_a_quorum_is_reached_by_that_many_different_people_or_one_no(
    quorum: int, said: list[tuple[str, Decision]]
) -> None:
    question = asked(ApprovalPolicy(quorum=quorum))
    votes: list[Vote] = []
    for by, decision in said:
        judged = judge(question, decision, who=Decider(by), votes=votes, now=NOW)
        if isinstance(judged, Refused):
            assert judged.code == "voted"
            continue
        votes.append(Vote(by, decision))
        agreeing = {vote.by.strip().casefold() for vote in votes if vote.decision == decision}
        assert judged.final == (decision["type"] == "reject" or len(agreeing) >= quorum)
        if judged.final:
            return


# -- nothing slips through --------------------------------------------------------------


@given(
    by=st.one_of(st.none(), st.text(max_size=3), st.sampled_from(SAME_AS_RITA)),
    roles=st.lists(st.sampled_from(["manager", "cfo", "clerk"])),
    decision=st.one_of(answers, st.builds(edit, amount=anything)),
    quorum=st.integers(1, 3),
    escalated=st.booleans(),
    deadline_at=st.one_of(st.none(), st.floats(NOW - 1, NOW + 1)),
)
def test_what_counts_satisfies_every_rule(  # noqa: PLR0913  one for each rule
    *,
    by: str | None,
    roles: list[str],
    decision: Decision,
    quorum: int,
    escalated: bool,
    deadline_at: float | None,
) -> None:
    policy = replace(MANAGERS, quorum=quorum, allowed=["approve", "edit", "reject"])
    question = asked(policy, requester="Rita", escalated=escalated, deadline_at=deadline_at)
    judged = judge(question, decision, who=Decider(by, roles), votes=[], now=NOW)
    if isinstance(judged, Refused):
        assert judged.why
        return
    assert by is not None
    assert by.strip().casefold() not in {"", "rita"}
    assert "manager" in roles or (escalated and "cfo" in roles)
    assert decision["type"] in policy.allowed
    assert deadline_at is None or deadline_at > NOW
    assert judged.final == (quorum == 1 or decision["type"] == "reject")
    if decision["type"] == "edit":
        assert type(decision["edited_action"]["args"]["amount"]) in {int, float}
