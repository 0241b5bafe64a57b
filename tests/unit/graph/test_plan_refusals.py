from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec, SimpleCoordinator
from state.errors import PlanError
from state.failure_mode import FailureMode, quorum
from state.retry import RetryPolicy
from state.task import AgentTask

A = AgentTask
CALLS: list[str] = []


def agents() -> AgentRegistry:
    registry = AgentRegistry()
    for name in ("a", "b", "c"):
        registry.register(AgentSpec(name, [f"can_{name}"], handler=CALLS.append))
    registry.register(AgentSpec("far", endpoint="https://far.example/agent"))
    registry.register(AgentSpec("off", ["can_rest"], handler=CALLS.append, enabled=False))
    return registry


def refusal(*tasks: AgentTask, **wishes: Any) -> PlanError:  # noqa: ANN401
    with pytest.raises(PlanError) as caught:
        plan(PlanRequest(tasks=tasks, **wishes), agents=agents(), run_id="r")
    return caught.value


def codes(*tasks: AgentTask, **wishes: Any) -> list[str]:  # noqa: ANN401
    return [problem.code for problem in refusal(*tasks, **wishes).problems]


def two_arguments(_first: object, _second: object) -> str:
    return "a"


CONDITIONAL = {"strategy": "conditional"}
PARALLEL = {"strategy": "parallel"}
BAD_PLANS: dict[str, tuple[list[AgentTask], dict[str, Any], list[str], str]] = {
    "no budget": ([A("a")], {"retry_budget": -1}, ["bad_retry_budget"], "a whole number from 0 on"),
    "no tasks": ([], {}, ["no_tasks"], "at least one"),
    "unknown agent": ([A("nobody")], {}, ["unknown_agent"], "'nobody'"),
    "disabled agent": ([A("off")], {}, ["unknown_agent"], "'off'"),
    "unreachable agent": ([A("far")], {}, ["agent_unavailable"], "cannot call that kind"),
    "unknown capability": ([A(capability="fly")], {}, ["unknown_capability"], "'fly'"),
    "disabled capability": ([A(capability="can_rest")], {}, ["unknown_capability"], "can_rest"),
    "nobody named": ([A()], {}, ["no_agent"], "either agent_id or capability"),
    "both named": ([A("a", capability="can_a")], {}, ["no_agent"], "not both"),
    "duplicate ids": ([A("a", task_id="x"), A("b", task_id="x")], {},
        ["duplicate_task"], "2 times"),
    "id with a dot": ([A("a", task_id="x.y")], {}, ["bad_task_id"], "'x.y'"),
    "empty id": ([A("a", task_id="")], {}, ["bad_task_id"], "''"),
    "long id": ([A("a", task_id="x" * 65)], {}, ["bad_task_id"], "1 to 64"),
    "id of the compensations": ([A("a", task_id="compensate")], {},
        ["bad_task_id"], "'compensate'"),
    "a compensation that is none": ([A("a", compensate="b")], {},  # type: ignore[arg-type]
        ["bad_compensation"], "give an AgentTask, or a mapping"),
    "a compensation that is no JSON": ([A("a", compensate={"x": {1}})], {},
        ["input_not_json"], "compensate.x"),
    "a compensation that asks first": ([A("a", compensate={"requires_approval": True})], {},
        ["bad_compensation"], "requires_approval of its own"),
    "a compensation by nobody": ([A("a", compensate=A("nobody"))], {},
        ["unknown_agent"], "the compensation of task 'a': "),
    "a compensation out of bounds": (
        [A("a", compensate=A("b", timeout=0, retry=RetryPolicy(max_attempts=0)))], {},
        ["bad_timeout", "bad_retry"], "the compensation of task 'a': timeout"),
    "a compensation with a place in the plan": (
        [A("a", compensate=A("b", task_id="x", depends_on=["a"], condition="true",
            requires_approval=True, compensate={}))], {}, ["bad_compensation"],
        "task_id, depends_on, condition, requires_approval, compensate of its own"),
    "id of another node": ([A("a", task_id="router")], {}, ["bad_task_id"], "'router'"),
    "cycle": (
        [A("a", depends_on=["b"]), A("b", depends_on=["a"])], PARALLEL, ["cycle"], "a -> b -> a",
    ),
    "needs itself": ([A("a", depends_on=["a"])], PARALLEL, ["cycle"], "a -> a"),
    "later in a sequence": (
        [A("a", depends_on=["b"]), A("b")], {}, ["later_dependency"], "does not come before",
    ),
    "unknown dependency": ([A("a", depends_on=["z"])], PARALLEL, ["unknown_dependency"], "'z'"),
    "input not JSON": ([A("a", {"x": {1}})], {}, ["input_not_json"], "input_data.x is a set"),
    "no input": ([A("a", None)], {}, ["input_not_json"], "must be a dict"),  # type: ignore[arg-type]  # on purpose
    "timeout zero": ([A("a", timeout=0)], {}, ["bad_timeout"], "timeout is 0"),
    "timeout negative": ([A("a", timeout=timedelta(-1))], {}, ["bad_timeout"], "positive"),
    "timeout nan": ([A("a", timeout=float("nan"))], {}, ["bad_timeout"], "nan"),
    "timeout true": ([A("a", timeout=True)], {}, ["bad_timeout"], "True"),
    "bad retry": ([A("a", retry=RetryPolicy(max_attempts=0))], {}, ["bad_retry"], "whole number"),
    "bad CEL": ([A("a", condition="outputs.a >")], {}, ["bad_expression"], "not valid CEL"),
    "unknown name in CEL": ([A("a", condition="output.b")], {}, ["bad_expression"], "['output']"),
    "condition no condition": ([A("a", condition=5)], {}, ["bad_expression"], "is a int"),  # type: ignore[arg-type]  # on purpose
    "greedy condition": ([A("a", condition=two_arguments)], {}, ["bad_expression"], "2 arguments"),  # type: ignore[arg-type]  # on purpose
    "bad strategy": ([A("a")], {"strategy": "zigzag"}, ["unknown_strategy"], "'zigzag'"),
    "bad mode": ([A("a")], {"on_failure": "panic"}, ["bad_failure_mode"], "'panic'"),
    "bare quorum": ([A("a")], {"on_failure": "quorum", **PARALLEL},
        ["bad_failure_mode"], "quorum(n)"),
    "large quorum": (
        [A("a"), A("b")], {"on_failure": quorum(3), **PARALLEL},
        ["bad_failure_mode"], "quorum(3) of 2",
    ),
    "empty quorum": ([A("a")], {"on_failure": quorum(0), **PARALLEL},
        ["bad_failure_mode"], "1 to 1"),
    "quorum in a row": ([A("a")], {"on_failure": quorum(1)}, ["bad_failure_mode"], "parallel"),
    "bad aggregation": ([A("a")], {"aggregate": "sum"}, ["bad_aggregation"], "'sum'"),
    "no router": ([A("a")], CONDITIONAL, ["no_router"], "needs a router"),
    "empty router": ([A("a")], {"router": {}, **CONDITIONAL}, ["no_router"], "is empty"),
    "needless router": ([A("a")], {"router": "'a'"}, ["needless_router"], "'sequential'"),
    "bad router map": (
        [A("a")], {"router": {"input.": "a", "(": "a"}, **CONDITIONAL},
        ["bad_expression"] * 2, "case",
    ),
    "bad router": ([A("a")], {"router": "1 +", **CONDITIONAL}, ["bad_expression"], "the router"),
    "router no router": ([A("a")], {"router": 5, **CONDITIONAL}, ["bad_expression"], "is a int"),
    "router input": (
        [A("a")], {"router": "'a'", "router_input": {"x": object()}, **CONDITIONAL},
        ["input_not_json"], "the router's input_data.x",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_bad_plan_gives_one_error_that_says_what_is_wrong(name: str) -> None:
    tasks, wishes, expected, words = BAD_PLANS[name]
    error = refusal(*tasks, **wishes)
    assert [problem.code for problem in error.problems] == expected
    assert words in str(error)


def test_every_problem_is_named_at_once_and_no_agent_is_called() -> None:
    CALLS.clear()
    tasks = [
        A("nobody", {"x": object()}, task_id="x", timeout=-1),
        A(capability="fly", task_id="x", condition="1 +", depends_on=["z"]),
        A("a", retry=RetryPolicy(max_attempts=0, backoff=0)),
    ]
    found = codes(*tasks, strategy="parallel", on_failure=quorum(9), aggregate="sum", router="'a'")
    assert sorted(found) == sorted(
        [
            "bad_failure_mode", "duplicate_task", "unknown_dependency", "unknown_agent",
            "input_not_json", "bad_timeout", "unknown_capability", "bad_expression",
            "bad_retry", "bad_retry", "needless_router", "bad_aggregation",
        ]
    )  # fmt: skip
    assert CALLS == []


@pytest.mark.parametrize("name", BAD_PLANS)
async def test_a_bad_plan_calls_no_agent_and_leaves_no_thread(name: str) -> None:
    tasks, wishes, _, _ = BAD_PLANS[name]
    options = {**wishes}
    if "router_input" in options:
        options["input_data"] = options.pop("router_input")
    CALLS.clear()
    async with SimpleCoordinator(registry=agents(), database_url="memory://") as coordinator:
        with pytest.raises(PlanError):
            await coordinator.execute_workflow(tasks, **options)
        assert await coordinator.threads() == []
    assert CALLS == []


def test_a_problem_names_its_task() -> None:
    (problem,) = refusal(A("a"), A("b", timeout=0)).problems
    assert problem.task_id == "b"


def case(task: Callable[[], AgentTask], **wishes: Any) -> Any:  # noqa: ANN401
    return pytest.param(task, wishes)


@pytest.mark.parametrize(
    ("task", "wishes"),
    [
        pytest.param(A("a", task_id="__start__"), {}, id="LangGraph's first node"),
        pytest.param(A("a", task_id="__end__"), {}, id="LangGraph's last node"),
        pytest.param(A("a", task_id="__input__"), {}, id="LangGraph's input"),
        pytest.param(A("a", task_id="__interrupt__"), {}, id="LangGraph's interrupts"),
        pytest.param(A("a", task_id=5), {}, id="a number as id"),  # type: ignore[arg-type]  # on purpose
        pytest.param(A(capability=""), {}, id="empty capability"),
        pytest.param(A("a", timeout=float("inf")), {}, id="endless timeout"),
        pytest.param(A("a", timeout=10**400), {}, id="huge timeout"),
        pytest.param(A("a", retry=3), {}, id="a number as retry"),  # type: ignore[arg-type]  # on purpose
        pytest.param(A("a", retry=RetryPolicy(max_delay=5)), {}, id="a number as delay"),  # type: ignore[arg-type]  # on purpose
        pytest.param(A("a", depends_on=None), {}, id="no list of dependencies"),  # type: ignore[arg-type]  # on purpose
        pytest.param(A("a", {"\ud800": 1}), {}, id="a key that UTF-8 cannot hold"),
        pytest.param(A("a"), {"aggregate": 5}, id="a number as aggregation"),
        pytest.param(A("a"), {"aggregate": lambda: 1}, id="an aggregation without parameter"),
        pytest.param(A("a"), {"on_failure": 5}, id="a number as mode"),
        pytest.param(A("a"), {"on_failure": FailureMode("panic")}, id="an unknown mode"),  # type: ignore[arg-type]  # on purpose
        pytest.param(A("a"), {"on_failure": quorum(True), **PARALLEL}, id="quorum(True)"),  # noqa: FBT003
        pytest.param(A("a"), {"router": {5: "a"}, **CONDITIONAL}, id="a number as case"),
        pytest.param(A("a"), {"router": {"true": 5}, **CONDITIONAL}, id="a number as target"),
        pytest.param(A("a"), {"router": {"true": "z"}, **CONDITIONAL}, id="an unknown target"),
        pytest.param(A("a"), {"tenant": object()}, id="an object as tenant"),
    ],
)
def test_a_plan_that_cannot_run_is_refused(task: AgentTask, wishes: dict[str, Any]) -> None:
    refusal(task, **wishes)


def test_every_cycle_is_named() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    tasks = [A("a", task_id=one, depends_on=[other]) for one, other in pairs]
    assert codes(*tasks, strategy="parallel") == ["cycle", "cycle"]
