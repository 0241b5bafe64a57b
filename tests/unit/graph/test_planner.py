from __future__ import annotations

import enum
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.plan_request import Planned, PlanRequest
from graph.planner import TASK_ID, plan
from orchestration import AgentRegistry, AgentSpec
from state.approval import DEFAULT_POLICY
from state.failure_mode import quorum
from state.retry import RetryPolicy
from state.task import AgentTask

A = AgentTask


def agents() -> AgentRegistry:
    registry = AgentRegistry()
    for name in ("ticketing", "finance", "sales", "plan"):
        registry.register(AgentSpec(name, [f"{name}_work"], handler=dict))
    return registry


def planned(*tasks: AgentTask, run_id: str = "run-1", **wishes: Any) -> Planned:  # noqa: ANN401
    return plan(PlanRequest(tasks=tasks, **wishes), agents=agents(), run_id=run_id)


def document(*tasks: AgentTask, **wishes: Any) -> Any:  # noqa: ANN401
    return planned(*tasks, **wishes).plan.document


def impurities(value: object, at: str = "plan") -> list[str]:
    """Where the value holds something else than plain JSON types."""
    if type(value) is dict:
        bad = [f"{at} key {key!r}" for key in value if type(key) is not str]
        return bad + [x for key, item in value.items() for x in impurities(item, f"{at}.{key}")]
    if type(value) is list:
        return [x for i, item in enumerate(value) for x in impurities(item, f"{at}[{i}]")]
    return [] if type(value) in {str, int, float, bool, type(None)} else [f"{at}: {type(value)}"]


def test_ids_default_to_agents_and_are_made_unique() -> None:
    tasks = [A("ticketing"), A("finance"), A("ticketing"), A("ticketing")]
    assert document(*tasks)["order"] == ["ticketing", "finance", "ticketing_2", "ticketing_3"]


def test_default_ids_make_way_for_chosen_ones() -> None:
    tasks = [
        A("ticketing"),
        A("ticketing", task_id="ticketing"),
        A("finance", task_id="ticketing_2"),
    ]
    assert document(*tasks)["order"] == ["ticketing_3", "ticketing", "ticketing_2"]


def test_default_ids_avoid_the_names_of_other_nodes() -> None:
    assert document(A("plan"), A("plan"))["order"] == ["plan_2", "plan_3"]


def test_ids_made_of_names_that_cannot_be_ids_can_be_ids() -> None:
    registry = AgentRegistry()
    odd = ["a.b", "x" * 64, "__init", "__init.v2"]
    for name in odd:
        registry.register(AgentSpec(name, handler=dict))
    tasks = [A(name) for name in [*odd, *odd]]
    order = plan(PlanRequest(tasks=tasks), agents=registry, run_id="run").plan.document["order"]
    assert len(set(order)) == len(tasks)
    assert [id_ for id_ in order if not TASK_ID.fullmatch(id_)] == []


def test_a_task_for_a_capability_is_named_after_it() -> None:
    (task,) = document(A(capability="Finance-Work"))["tasks"].values()
    assert task["agent"] is None
    assert task["id"] == "Finance-Work"


@given(st.lists(st.sampled_from(["ticketing", "finance", "plan"]), min_size=1, max_size=12))
def test_every_task_has_its_own_id_in_the_order_given(names: list[str]) -> None:
    made = document(*[A(name) for name in names])
    assert len(set(made["order"])) == len(names)
    assert [made["tasks"][id_]["agent"] for id_ in made["order"]] == names
    assert list(made["tasks"]) == made["order"]


def test_dependencies_are_resolved_whatever_the_order() -> None:
    made = document(
        A("finance", depends_on=["ticketing", "buy", "ticketing"]),
        A("ticketing"),
        A("sales", task_id="buy", depends_on="ticketing"),
        strategy="parallel",
    )
    assert made["tasks"]["finance"]["needs"] == ["ticketing", "buy"]
    assert made["tasks"]["finance"]["upstream"] == ["ticketing", "buy"]
    assert made["tasks"]["buy"]["needs"] == ["ticketing"]
    assert made["layout"]["kind"] == "series"


def test_in_a_sequence_each_gets_all_before_it_and_needs_the_last() -> None:
    made = document(A("ticketing"), A("finance"), A("sales", depends_on=["ticketing"]))
    assert [task["upstream"] for task in made["tasks"].values()] == [
        [],
        ["ticketing"],
        ["ticketing", "finance"],
    ]
    assert made["tasks"]["sales"]["needs"] == ["ticketing", "finance"]
    assert made["on_failure"] == {"kind": "fail_fast", "needed": 0}


def test_a_sequence_that_continues_needs_only_what_it_says() -> None:
    made = document(
        A("ticketing"), A("finance", depends_on=["ticketing"]), A("sales"), on_failure="continue"
    )
    assert [task["needs"] for task in made["tasks"].values()] == [[], ["ticketing"], []]


def test_a_parallel_plan_collects_and_continues_by_default() -> None:
    made = document(A("ticketing"), strategy="parallel")
    assert (made["aggregate"], made["on_failure"]["kind"]) == ({"kind": "collect"}, "continue")
    assert document(A("ticketing"))["aggregate"] is None


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(2, 2.0), (0.5, 0.5), (timedelta(minutes=1), 60.0)]
)
def test_timeouts_are_seconds(timeout: float | timedelta, seconds: float) -> None:
    assert document(A("sales", timeout=timeout))["tasks"]["sales"]["timeout_seconds"] == seconds


def test_one_attempt_is_no_retry() -> None:
    task = document(A("sales", retry=RetryPolicy(max_attempts=1)))["tasks"]["sales"]
    assert task["retry"] is None


@pytest.mark.parametrize(
    "task",
    [A("sales", requires_approval=True), A("sales", {"requires_approval": True, "amount": 1})],
)
def test_approval_is_asked_for_in_two_ways(task: AgentTask) -> None:
    assert document(task)["tasks"]["sales"]["approval"] == DEFAULT_POLICY


def test_a_plan_is_plain_json() -> None:
    made = document(
        A(
            "ticketing",
            {"n": (1, 2.5, None, True)},
            timeout=timedelta(seconds=1),
            retry=RetryPolicy(),
        ),
        A("finance", condition="outputs.ticketing.n > 1", depends_on=("ticketing",)),
        A("sales", condition=lambda: True, requires_approval=True),
        A(capability="plan_work", depends_on=("finance", "sales")),
        strategy="parallel",
        on_failure=quorum(2),
        aggregate=len,
        tenant="acme",
        user="ann",
    )
    assert impurities(made) == []
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_conditional_plan_is_plain_json() -> None:
    router = {"input.x > 1": "sales", "true": "finance"}
    made = document(
        A("sales"), A("finance"), strategy="conditional", router=router, router_input={"x": 1}
    )
    assert impurities(made) == []
    assert made["router"]["cases"] == [["input.x > 1", "sales"], ["true", "finance"]]
    assert made["router_input"] == {"x": 1}


def test_a_plan_does_not_change_with_its_request() -> None:
    data: dict[str, Any] = {"items": [1]}
    made = document(A("sales", data))
    data["items"].append(2)
    assert made["tasks"]["sales"]["input"] == {"items": [1]}


def test_callables_are_kept_beside_the_plan_under_their_keys() -> None:
    def pick(_data: dict[str, Any]) -> str:
        return "sales"

    made = planned(A("sales", condition=bool), strategy="conditional", router=pick, aggregate=len)
    assert dict(made.callables) == {"condition/sales": bool, "router": pick, "aggregate": len}
    assert {found["key"] for _, found in made.plan.callables()} == set(made.callables)


@pytest.mark.parametrize(
    ("condition", "takes_argument"),
    [
        (lambda: True, False),
        (lambda outcomes: outcomes, True),
        (lambda kept=5: kept, False),
        (lambda *rest: rest, False),
    ],
)
def test_a_condition_is_asked_with_or_without_outcomes(
    condition: Callable[..., object], *, takes_argument: bool
) -> None:
    task = document(A("sales", condition=condition))["tasks"]["sales"]
    assert task["condition"]["takes_argument"] is takes_argument


class Name(enum.StrEnum):
    SALES = "sales"
    MINE = "mine"


@pytest.mark.parametrize(
    ("task", "wishes"),
    [
        (A(Name.SALES), {}),
        (A("sales", task_id=Name.MINE), {}),
        (A("sales"), {"tenant": Name.MINE}),
        (A("sales", timeout=5), {}),
        (A("sales", retry=RetryPolicy(max_attempts=2, jitter=Name.MINE)), {}),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_a_plan_is_plain_json_whatever_subclasses_are_given(task: AgentTask, wishes: Any) -> None:  # noqa: ANN401
    made = document(task, **wishes)
    assert impurities(made) == []
    json.dumps(made, allow_nan=False)


def test_a_router_gets_its_input_though_its_parameter_has_a_default() -> None:
    def router(input_data: dict[str, Any] | None = None) -> str:
        return "sales" if input_data else "finance"

    made = document(A("sales"), A("finance"), strategy="conditional", router=router)
    assert made["router"]["takes_argument"]
