from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.compiler import Compiler
from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from state.approval import ApprovalPolicy
from state.failure_mode import quorum
from state.plan import Plan
from state.retry import RetryPolicy
from state.task import AgentTask

A = AgentTask


def make(
    *tasks: AgentTask,
    run_id: str = "run-0001",
    strategy: str = "parallel",
    **wishes: Any,  # noqa: ANN401
) -> Plan:
    agents = AgentRegistry()
    for name in "abcd":
        agents.register(AgentSpec(name, handler=dict))
    request = PlanRequest(tasks=tasks, strategy=strategy, **wishes)
    return plan(request, agents=agents, run_id=run_id).plan


def chain(**wishes: Any) -> Plan:  # noqa: ANN401
    return make(A("a"), A("b", depends_on=["a"]), **wishes)


def n_shape(*extra: AgentTask, c_needs: list[str]) -> Plan:
    return make(A("a"), A("b"), A("c", depends_on=c_needs), A("d", depends_on=["a", "b"]), *extra)


SAME_SHAPE: dict[str, Callable[[], Plan]] = {
    "another run": lambda: chain(run_id="run-0002"),
    "another tenant": lambda: chain(tenant="acme"),
    "another input": lambda: make(A("a", {"x": 1}), A("b", depends_on=["a"])),
    "another agent": lambda: make(A("c", task_id="a"), A("d", task_id="b", depends_on=["a"])),
    "a timeout": lambda: make(A("a", timeout=5), A("b", depends_on=["a"])),
    "another mode": lambda: chain(on_failure="fail_fast"),
    "another aggregation": lambda: chain(aggregate="merge"),
    "a condition": lambda: make(A("a", condition="true"), A("b", depends_on=["a"])),
}
OTHER_SHAPE: dict[str, Callable[[], Plan]] = {
    "a sequence": lambda: chain(strategy="sequential"),
    "no order": lambda: make(A("a"), A("b")),
    "the other order": lambda: make(A("a", depends_on=["b"]), A("b")),
    "another id": lambda: make(A("a", task_id="x"), A("b", depends_on=["x"])),
    "a third task": lambda: make(A("a"), A("b", depends_on=["a"]), A("c")),
    "an approval": lambda: make(A("a", requires_approval=True), A("b", depends_on=["a"])),
    "a retry": lambda: make(A("a", retry=RetryPolicy()), A("b", depends_on=["a"])),
    "a compensation": lambda: make(A("a", compensate={}), A("b", depends_on=["a"])),
}


def test_what_is_found_out_before_asking_has_a_node_of_its_own() -> None:
    threshold = ApprovalPolicy(when="input.amount > 5")
    shapes = [
        make(A("a", requires_approval=True)).shape(),
        make(A("a", requires_approval=True, condition="true")).shape(),
        make(A("a", requires_approval=threshold)).shape(),
    ]
    assert shapes[0] != shapes[1] == shapes[2]


@pytest.mark.parametrize("difference", SAME_SHAPE)
def test_plans_of_equal_shape_share_one_compiled_graph(difference: str) -> None:
    compiler, other = Compiler(), SAME_SHAPE[difference]()
    assert other.shape() == chain().shape()
    assert compiler.compile(other) is compiler.compile(chain())


@pytest.mark.parametrize("difference", OTHER_SHAPE)
def test_plans_of_another_shape_do_not(difference: str) -> None:
    compiler, other = Compiler(), OTHER_SHAPE[difference]()
    assert other.shape() != chain().shape()
    assert compiler.compile(other) is not compiler.compile(chain())


def test_of_compensations_only_whether_there_is_any_shapes_the_graph() -> None:
    one = make(A("a", compensate={}), A("b"))
    other = make(A("a"), A("b", compensate=A("c", {"x": 1}, retry=RetryPolicy())))
    assert one.shape() == other.shape()
    assert one.signature() != other.signature()
    assert not one.is_plain()


def test_two_meshes_over_the_same_tasks_differ() -> None:
    assert n_shape(c_needs=["a"]).shape() != n_shape(c_needs=["b"]).shape()
    assert n_shape(c_needs=["a"]).shape() == n_shape(c_needs=["a"]).shape()


def test_a_sequence_without_aggregation_differs_from_one_with() -> None:
    one, other = (chain(strategy="sequential", aggregate=kind) for kind in (None, "collect"))
    assert one.shape() != other.shape()


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    ids = "abcd"[: draw(st.integers(1, 4))]
    tasks = [
        A(
            id_,
            depends_on=[x for x in ids[:i] if draw(st.booleans())],
            requires_approval=draw(st.booleans()),
            condition=draw(st.sampled_from([None, "true", "false"])),
            retry=draw(st.sampled_from([None, RetryPolicy()])),
        )
        for i, id_ in enumerate(ids)
    ]
    return make(*tasks)


@settings(max_examples=30)
@given(plans(), plans())
def test_equal_shapes_are_equal_graphs(one: Plan, other: Plan) -> None:
    graphs = [Compiler().compile(each).get_graph(xray=True) for each in (one, other)]
    drawn = [(sorted(graph.nodes), sorted(graph.edges)) for graph in graphs]
    if one.shape() == other.shape():
        assert drawn[0] == drawn[1]
    elif drawn[0] != drawn[1]:
        assert one.shape() != other.shape()


@given(st.text(max_size=5), st.text(max_size=5), st.none() | st.text(max_size=5))
def test_the_signature_is_that_of_the_definition(one: str, other: str, tenant: str | None) -> None:
    first = chain(run_id=f"run-{one}-1", tenant=tenant, user=tenant)
    assert first.signature() == chain(run_id=f"run-{other}-2").signature()


def test_the_signature_does_not_tell_runs_with_callables_apart() -> None:
    tasks = [A("a", condition=bool)]
    one, other = (make(*tasks, run_id=id_, aggregate=len) for id_ in ("3f9c0001", "3f9c0002"))
    assert one.signature() == other.signature()


@pytest.mark.parametrize(
    "other",
    [
        *(SAME_SHAPE[name] for name in list(SAME_SHAPE)[2:]),
        *OTHER_SHAPE.values(),
        lambda: make(A("a"), A("b", depends_on=["a"]), on_failure=quorum(1)),
    ],
)
def test_the_signature_changes_with_what_is_done(other: Callable[[], Plan]) -> None:
    assert other().signature() != chain().signature()


def test_the_signature_is_the_same_in_another_process() -> None:
    here = make(A("a", {"z": 1, "y": [True, None, 0.5]}), A("b", depends_on=["a"])).signature()
    program = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("identity", {__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
A = module.AgentTask
print(module.make(A("a", {{"y": [True, None, 0.5], "z": 1}}), A("b", depends_on=["a"])).signature())
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here


def test_a_short_run_id_takes_nothing_from_the_definition() -> None:
    one, other = (make(A("a", {"x": text}), run_id="1") for text in ("21", "2"))
    assert one.signature() != other.signature()
