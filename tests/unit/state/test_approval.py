from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from langchain.agents.middleware.human_in_the_loop import HITLRequest
from pydantic import TypeAdapter

from nodes.approval import approval_request
from state.approval import (
    DECISION_TYPES,
    DEFAULT_POLICY,
    ApprovalPolicy,
    edit_schema,
    policy_of,
)
from state.plan_document import PlannedTask

FULL = ApprovalPolicy(
    roles=["manager"],
    quorum=2,
    separation_of_duties=False,
    allowed=["approve", "reject"],
    when="input.amount > 500",
    arguments={"type": "object", "properties": {"amount": {"maximum": 500}}},
    deadline=timedelta(hours=3),
    at_deadline="approve",
    reminder=timedelta(hours=1),
    escalation=timedelta(hours=2),
    escalate_to=("cfo",),
)


# -- what a policy is -------------------------------------------------------------------


def test_a_policy_asks_for_one_answer_of_anybody_unless_told_otherwise() -> None:
    assert ApprovalPolicy().document() == DEFAULT_POLICY == {
        "roles": [],
        "quorum": 1,
        "separation_of_duties": True,
        "allowed": ["approve", "edit", "reject", "respond"],
        "when": None,
        "arguments": None,
        "deadline_seconds": None,
        "at_deadline": "reject",
        "reminder_seconds": None,
        "escalation_seconds": None,
        "escalate_to": [],
    }  # fmt: skip


def test_a_policy_is_json_with_its_times_in_seconds() -> None:
    assert list(FULL.problems()) == []
    document = FULL.document()
    assert json.loads(json.dumps(document)) == document
    assert (document["deadline_seconds"], document["reminder_seconds"]) == (10_800.0, 3_600.0)
    assert (document["escalation_seconds"], document["escalate_to"]) == (7_200.0, ["cfo"])


@pytest.mark.parametrize(
    ("stored", "policy"),
    [
        (True, DEFAULT_POLICY),
        (False, None),
        (None, None),
        (FULL.document(), FULL.document()),
    ],
    ids=["asked in schema 1", "not asked in schema 1", "not asked", "asked"],
)
def test_the_policy_of_a_stored_task_whatever_version_stored_it(stored: Any, policy: Any) -> None:  # noqa: ANN401
    assert policy_of(stored) == policy


# -- what cannot be ---------------------------------------------------------------------

HOUR, ZERO = timedelta(hours=1), timedelta(0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"roles": "manager"}, "roles is 'manager'; give a list of role names"),
        ({"roles": [""]}, "roles is ['']"),
        ({"roles": [5]}, "roles is [5]"),
        ({"roles": None}, "roles is None"),
        ({"quorum": 0}, "quorum is 0; give a whole number from 1 on"),
        ({"quorum": True}, "quorum is True"),
        ({"quorum": 1.5}, "quorum is 1.5"),
        ({"separation_of_duties": "no"}, "separation_of_duties is 'no'; give a bool"),
        ({"allowed": []}, "allowed is []; give some of"),
        ({"allowed": "approve"}, "allowed is 'approve'"),
        ({"allowed": ["reject", "aprove"]}, "allowed has ['aprove']"),
        ({"allowed": ["approve"]}, "allowed has no 'reject'"),
        ({"at_deadline": "maybe"}, "at_deadline is 'maybe'; use one of ['reject', 'approve']"),
        ({"at_deadline": ["reject"]}, "at_deadline is ['reject']"),
        (
            {"allowed": ["reject", "edit"], "at_deadline": "approve"},
            "at_deadline is 'approve', which is not in allowed",
        ),
        ({"arguments": {"type": "nothing"}}, "arguments is no JSON Schema"),
        ({"arguments": {"pattern": "("}}, "arguments is no JSON Schema"),
        ({"arguments": ["type"]}, "give a JSON Schema"),
        ({"arguments": {"maximum": float("nan")}}, "give a JSON Schema"),
        ({"deadline": 60}, "deadline is 60; give a positive timedelta, or None"),
        ({"deadline": ZERO}, "deadline is datetime.timedelta(0)"),
        ({"reminder": -HOUR}, "reminder is datetime.timedelta"),
        (
            {"deadline": HOUR, "reminder": HOUR},
            "reminder is 1:00:00, which is not before the deadline 1:00:00",
        ),
        (
            {"deadline": HOUR, "escalation": 2 * HOUR, "escalate_to": ["cfo"]},
            "escalation is 2:00:00, which is not before",
        ),
        ({"escalation": HOUR}, "escalation and escalate_to belong together"),
        ({"escalate_to": ["cfo"]}, "escalation and escalate_to belong together"),
    ],
    ids=str,
)
def test_a_policy_says_what_is_wrong_with_it(changes: dict[str, Any], problem: str) -> None:
    (found,) = replace(ApprovalPolicy(), **changes).problems()
    assert problem in found


def test_a_policy_says_everything_that_is_wrong_at_once() -> None:
    policy = ApprovalPolicy(roles="x", quorum=0, allowed=(), deadline=ZERO)
    assert len(list(policy.problems())) == 4


@given(
    st.fixed_dictionaries(
        {
            name: st.one_of(
                st.none(), st.booleans(), st.integers(-2, 3), st.text(max_size=3),
                st.lists(st.one_of(st.sampled_from(DECISION_TYPES), st.integers()), max_size=3),
                st.timedeltas(), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
            )
            for name in (
                "roles", "quorum", "separation_of_duties", "allowed", "arguments", "deadline",
                "at_deadline", "reminder", "escalation", "escalate_to",
            )
        }
    )
)  # fmt: skip
def test_a_policy_without_problems_can_always_be_stored(values: dict[str, Any]) -> None:
    policy = ApprovalPolicy(**values)
    if not list(policy.problems()):
        assert json.loads(json.dumps(policy.document())) == policy.document()


# -- edited arguments -------------------------------------------------------------------

ARGUMENTS: dict[str, Any] = {
    "amount": 900, "note": "x", "urgent": True, "tags": ["a"], "who": {"id": 1}, "extra": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("edited", "fits"),
    [
        (ARGUMENTS, True),
        ({}, True),
        ({"amount": 0.5}, True),
        ({"amount": "900"}, False),
        ({"amount": True}, False),
        ({"amount": None}, False),
        ({"note": 5}, False),
        ({"urgent": 1}, False),
        ({"tags": {"a": 1}}, False),
        ({"tags": [1, "b"]}, True),
        ({"who": []}, False),
        ({"extra": "what was null may become anything"}, True),
        ({"amuont": 900}, False),
    ],
    ids=str,
)
def test_by_default_edited_arguments_keep_their_names_and_types(
    edited: dict[str, Any], *, fits: bool
) -> None:
    schema = edit_schema(DEFAULT_POLICY, ARGUMENTS)
    assert Draft202012Validator(schema).is_valid(edited) is fits


def test_a_policy_may_say_what_edited_arguments_have_to_be() -> None:
    assert edit_schema(FULL.document(), ARGUMENTS) == FULL.arguments


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_unchanged_arguments_always_fit(arguments: dict[str, Any]) -> None:
    schema = edit_schema(DEFAULT_POLICY, arguments)
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(arguments)


# -- LangChain's own types --------------------------------------------------------------


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, FULL.document(), True], ids=str)
def test_the_question_is_a_request_as_langchain_defines_it(policy: Any) -> None:  # noqa: ANN401
    task: PlannedTask = {
        "id": "expense",
        "agent": "finance",
        "capability": None,
        "input": {"amount": 900},
        "needs": [],
        "upstream": [],
        "condition": None,
        "approval": policy,
        "timeout_seconds": None,
        "retry": None,
    }
    document: Any = {"run_id": "run", "user": "Rita", "tasks": {"expense": task}}
    question = approval_request(task, {"plan": document, "outcomes": {}})
    read = TypeAdapter(HITLRequest).validate_python(question)
    (action,), (review,) = read["action_requests"], read["review_configs"]
    assert (action["name"], action["args"]) == ("finance", {"amount": 900})
    assert action["name"] == review["action_name"]
    full = policy_of(policy)
    assert full is not None
    assert review["allowed_decisions"] == full["allowed"]
    assert review.get("args_schema") == full["arguments"]
