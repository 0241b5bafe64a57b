"""Which changes of a workflow a run can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.plan_document import PLAN_SCHEMA, PlanDocument, PlannedTask
from state.upgrade import before, carrying_problems, compare

IDS = "abcdef"


def task(id_: str, needs: Sequence[str] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "id": id_,
        "agent": "clerk",
        "capability": None,
        "input": {},
        "timeout_seconds": None,
        "retry": None,
        "needs": list(needs),
        "upstream": list(needs),
        "condition": None,
        "approval": None,
        **more,
    }


def plan(*tasks: dict[str, Any], strategy: str = "sequential", **more: Any) -> PlanDocument:  # noqa: ANN401
    document = {
        "schema": PLAN_SCHEMA,
        "run_id": "r",
        "strategy": strategy,
        "order": [each["id"] for each in tasks],
        "tasks": {each["id"]: each for each in tasks},
        "on_failure": {"kind": "fail_fast", "needed": 0},
        "aggregate": None,
        "router": None,
        "router_input": None,
        **more,
    }
    return cast("PlanDocument", document)


OLD = plan(task("a"), task("b"), task("c"))
RETRY = {"max_attempts": 3}
CHANGES: dict[str, tuple[PlanDocument, PlanDocument, str, str, bool]] = {
    "added at the end": (
        OLD,
        plan(task("a"), task("b"), task("c"), task("d")),
        "ab",
        "+ task 'd': added after what has begun",
        True,
    ),
    "added right after the frontier": (
        OLD,
        plan(task("a"), task("b"), task("d"), task("c")),
        "ab",
        "+ task 'd': added after what has begun",
        True,
    ),
    "added before the frontier": (
        OLD,
        plan(task("a"), task("d"), task("b"), task("c")),
        "ab",
        "+ task 'd': added before 'b', which has begun",
        False,
    ),
    "removed, pending": (
        OLD,
        plan(task("a"), task("b")),
        "a",
        "- task 'c': removed; it would never be done",
        False,
    ),
    "removed, begun": (
        OLD,
        plan(task("b"), task("c")),
        "a",
        "- task 'a': removed; it has begun, so its result would have no place",
        False,
    ),
    "retries": (
        OLD,
        plan(task("a"), task("b"), task("c", retry=RETRY)),
        "a",
        "~ task 'c': its retries: none → {\"max_attempts\": 3}",
        True,
    ),
    "timeout": (
        OLD,
        plan(task("a"), task("b"), task("c", timeout_seconds=5.0)),
        "abc",
        "~ task 'c': its timeout: none → 5.0",
        True,
    ),
    "agent": (
        OLD,
        plan(task("a"), task("b"), task("c", agent="boss")),
        "a",
        '~ task \'c\': its agent: "clerk" → "boss"',
        False,
    ),
    "how it is undone": (
        OLD,
        plan(task("a", compensate=task("a")), task("b"), task("c")),
        "a",
        "~ task 'a': how it is undone: none → ",
        False,
    ),
    "strategy": (
        OLD,
        plan(task("a"), task("b"), task("c"), strategy="conditional"),
        "a",
        '~ the strategy: "sequential" → "conditional"',
        False,
    ),
    "aggregation": (
        OLD,
        plan(task("a"), task("b"), task("c"), aggregate={"kind": "merge"}),
        "a",
        "~ the aggregation: none → ",
        True,
    ),
    "order beside each other": (
        plan(task("a"), task("b"), strategy="parallel"),
        plan(task("b"), task("a"), strategy="parallel"),
        "a",
        "~ the order of the tasks: a, b → b, a",
        True,
    ),
    "an edge more": (
        plan(task("a"), task("b"), strategy="parallel"),
        plan(task("a"), task("b", "a"), strategy="parallel"),
        "",
        "~ task 'b': it comes after a now",
        False,
    ),
    "an edge less": (
        plan(task("a"), task("b", "a"), strategy="parallel"),
        plan(task("a"), task("b"), strategy="parallel"),
        "",
        "~ task 'b': it does not come after a any more",
        False,
    ),
    "a task between two that have not begun": (
        plan(task("a"), task("b", "a"), strategy="parallel"),
        plan(task("a"), task("n", "a"), task("b", "n"), strategy="parallel"),
        "a",
        "+ task 'n': added after what has begun",
        True,
    ),
    "inside what has begun": (
        plan(task("a", body=plan(task("x")))),
        plan(task("a", body=plan(task("x"), task("y")))),
        "a",
        "+ task 'a/y': added inside a task that has begun",
        False,
    ),
    "inside what has not begun": (
        plan(task("a", body=plan(task("x")))),
        plan(task("a", body=plan(task("x"), task("y")))),
        "",
        "+ task 'a/y': added after what has begun",
        True,
    ),
    "a task instead of what is inside": (
        plan(task("a", body=plan(task("x")))),
        plan(task("a")),
        "",
        "~ task 'a': what is inside it",
        False,
    ),
}


@pytest.mark.parametrize("label", CHANGES)
def test_a_change_is_said_and_judged(label: str) -> None:
    old, new, begun, words, fits = CHANGES[label]
    upgrade = compare(old, new, begun)
    assert words in str(upgrade.differences[0])
    assert upgrade.is_compatible is fits


@pytest.mark.parametrize("begun", ["", "a", "abc"])
def test_the_same_differs_in_nothing(begun: str) -> None:
    upgrade = compare(OLD, OLD, begun)
    assert upgrade.differences == ()
    assert upgrade.is_compatible


def test_a_plain_yes_to_approval_is_the_policy_it_means() -> None:
    old = plan(task("a", approval=True))
    policy = {
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
    }
    assert compare(old, plan(task("a", approval=policy)), "").differences == ()


# -- for any two plans ------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> PlanDocument:
    """A plan of some of six tasks; parallel ones need only what comes before."""
    order = draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1))
    strategy = draw(st.sampled_from(["sequential", "parallel"]))
    tasks = []
    for place, id_ in enumerate(order):
        needs: list[str] = []
        if strategy == "parallel" and place:
            needs = draw(st.lists(st.sampled_from(order[:place]), unique=True, max_size=3))
        approval, agent = draw(st.booleans()), draw(st.sampled_from(["clerk", "clerk", "boss"]))
        tasks.append(task(id_, needs, approval=approval, agent=agent))
    return plan(*tasks, strategy=strategy)


@st.composite
def frontiers(draw: st.DrawFn, document: PlanDocument) -> frozenset[str]:
    """What may have begun: with every task, all that come before it."""
    chosen = draw(st.lists(st.sampled_from(document["order"]), unique=True))
    return frozenset(chosen).union(*(before(document, id_) for id_ in chosen))


@st.composite
def runs(draw: st.DrawFn) -> tuple[PlanDocument, PlanDocument, frozenset[str]]:
    old = draw(plans())
    return old, draw(plans()), draw(frontiers(old))


@given(runs())
def test_a_compatible_change_drops_nothing(
    case: tuple[PlanDocument, PlanDocument, frozenset[str]],
) -> None:
    old, new, begun = case
    if not compare(old, new, begun).is_compatible:
        return
    assert set(old["order"]) <= set(new["order"]), "every begun and every pending task is kept"
    for id_ in old["order"]:
        assert before(old, id_) <= before(new, id_), "nobody goes before whom it waited for"
        assert new["tasks"][id_]["agent"] == old["tasks"][id_]["agent"]
    for id_ in begun:
        assert before(new, id_) == before(old, id_), "what has begun had all that it needs"


@given(runs())
def test_whatever_differs_is_said(
    case: tuple[PlanDocument, PlanDocument, frozenset[str]],
) -> None:
    old, new, begun = case
    upgrade = compare(old, new, begun)
    said = {(each.sign, each.path) for each in upgrade.differences}
    assert {path for sign, path in said if sign == "-"} == set(old["order"]) - set(new["order"])
    assert {path for sign, path in said if sign == "+"} == set(new["order"]) - set(old["order"])
    assert (not upgrade.differences) == (
        old["strategy"] == new["strategy"]
        and [*old["order"]] == [*new["order"]]
        and all(
            old["tasks"][id_]["agent"] == new["tasks"][id_]["agent"]
            and old["tasks"][id_]["approval"] == new["tasks"][id_]["approval"]
            and before(old, id_) == before(new, id_)
            for id_ in old["order"]
        )
    )


@given(plans(), st.data())
def test_what_is_added_after_the_frontier_fits(old: PlanDocument, data: st.DataObject) -> None:
    begun = data.draw(frontiers(old))
    tasks = cast("Mapping[str, dict[str, Any]]", old["tasks"])
    needs = data.draw(st.lists(st.sampled_from(old["order"]), unique=True))
    last = task("new", needs if old["strategy"] == "parallel" else ())
    new = plan(*(tasks[id_] for id_ in old["order"]), last, strategy=old["strategy"])
    upgrade = compare(old, new, begun)
    assert upgrade.is_compatible
    assert [str(each) for each in upgrade.differences] == [
        "+ task 'new': added after what has begun"
    ]


# -- what a person says becomes of what -------------------------------------------------

DONE = {"a": {"status": "succeeded", "attempts": 1}}
TASKS = cast("Mapping[str, PlannedTask]", OLD["tasks"])


@pytest.mark.parametrize(
    ("given_names", "words"),
    [
        ({"b": "b"}, "'a' has begun and is not mentioned"),
        ({"a": "a", "b": "b", "c": "c"}, "'c' has not begun"),
        ({"a": "z", "b": "b"}, "'z' is no task of the new version"),
        ({"a": "b", "b": "b"}, "'b' is named twice"),
        ({"a": "a", "b": "c"}, "'b' is not finished"),
    ],
)
def test_a_mapping_that_does_not_fit_is_told_why(
    given_names: dict[str, str | None], words: str
) -> None:
    problems = carrying_problems(cast("Any", DONE), "ab", TASKS, given_names)
    assert [each for each in problems if words in each], problems


@pytest.mark.parametrize("given_names", [{"a": "a", "b": "b"}, {"a": "c", "b": None}])
def test_a_mapping_that_fits_has_no_problems(given_names: dict[str, str | None]) -> None:
    assert carrying_problems(cast("Any", DONE), "ab", TASKS, given_names) == []
