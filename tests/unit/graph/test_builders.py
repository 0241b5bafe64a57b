from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.graph.state import CompiledStateGraph

from graph.compiler import build
from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from state.retry import RetryPolicy
from state.task import AgentTask, Repeat, SubWorkflow, Task
from state.workflow import Workflow

A = AgentTask


def compiled(*tasks: Task, **wishes: Any) -> CompiledStateGraph[Any, Any, Any, Any]:  # noqa: ANN401
    agents = AgentRegistry()
    for name in ("buy", "pay", "tell"):
        agents.register(AgentSpec(name, handler=dict))
    request = PlanRequest(tasks=tasks, **wishes)
    return build(plan(request, agents=agents, run_id="r").plan).compile()


def drawing(*tasks: Task, **wishes: Any) -> str:  # noqa: ANN401
    text: str = compiled(*tasks, **wishes).get_graph(xray=True).draw_mermaid(with_styles=False)
    for code, letter in (("\\2e", "."), ("\\3a", ":")):
        text = text.replace(code, letter)
    return text.replace("\t", "  ").strip()


SNAPSHOTS: dict[str, tuple[list[Task], dict[str, Any], str]] = {
    "a sequence is flat": (
        [A("buy"), A("pay"), A("tell")],
        {},
        """
        graph TD;
          __start__ --> buy;
          buy --> pay;
          pay --> tell;
          tell --> __end__;
        """,
    ),
    "a sequence may aggregate": (
        [A("buy"), A("pay")],
        {"aggregate": "merge"},
        """
        graph TD;
          __start__ --> buy;
          buy --> pay;
          pay --> aggregate;
          aggregate --> __end__;
        """,
    ),
    "compensations come last and return to themselves": (
        [A("buy", compensate={}), A("pay")],
        {},
        """
        graph TD;
          __start__ --> buy;
          buy --> pay;
          pay --> compensate;
          compensate -.-> __end__;
          compensate -.-> compensate;
        """,
    ),
    "compensations come before the aggregate": (
        [A("buy", compensate={}), A("pay", retry=RetryPolicy())],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy;
          __start__ --> pay:__start__;
          buy --> compensate;
          compensate -.-> aggregate;
          pay:__end__ --> compensate;
          aggregate --> __end__;
          compensate -.-> compensate;
          subgraph pay
          pay:__start__ --> pay:pay;
          pay:pay -.-> pay:__end__;
          pay:pay -.-> pay:pay;
          end
        """,
    ),
    "parallel tasks meet in the aggregate": (
        [A("buy"), A("pay")],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy;
          __start__ --> pay;
          buy --> aggregate;
          pay --> aggregate;
          aggregate --> __end__;
        """,
    ),
    "a router goes to one task or to the end": (
        [A("buy"), A("pay")],
        {"strategy": "conditional", "router": "'pay'"},
        """
        graph TD;
          __start__ --> router;
          router -.-> __end__;
          router -.-> buy;
          router -.-> pay;
          buy --> __end__;
          pay --> __end__;
        """,
    ),
    "a chain beside others is a subgraph": (
        [A("buy"), A("pay", depends_on=["buy"]), A("tell")],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy..pay:buy;
          __start__ --> tell;
          buy..pay:pay --> aggregate;
          tell --> aggregate;
          aggregate --> __end__;
          subgraph buy..pay
          buy..pay:buy --> buy..pay:pay;
          end
        """,
    ),
    "a chain alone is flat": (
        [A("buy"), A("pay", depends_on=["buy"])],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy;
          buy --> pay;
          pay --> aggregate;
          aggregate --> __end__;
        """,
    ),
    "a retry is a loop": (
        [A("buy", retry=RetryPolicy()), A("pay")],
        {},
        """
        graph TD;
          __start__ --> buy;
          buy -.-> buy;
          buy -.-> pay;
          pay --> __end__;
        """,
    ),
    "a retry beside others loops in a subgraph": (
        [A("buy", retry=RetryPolicy()), A("pay")],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy:__start__;
          __start__ --> pay;
          buy:__end__ --> aggregate;
          pay --> aggregate;
          aggregate --> __end__;
          subgraph buy
          buy:__start__ --> buy:buy;
          buy:buy -.-> buy:__end__;
          buy:buy -.-> buy:buy;
          end
        """,
    ),
    "condition and approval come before the task": (
        [A("buy", requires_approval=True), A("pay", requires_approval=True, condition="true")],
        {},
        """
        graph TD;
          __start__ --> buy.approval;
          buy --> pay.condition;
          buy.approval --> buy;
          pay.approval --> pay;
          pay.condition --> pay.approval;
          pay --> __end__;
        """,
    ),
    "an approval beside others is in a subgraph": (
        [A("buy", requires_approval=True), A("pay")],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> buy:buy.approval;
          __start__ --> pay;
          buy:buy --> aggregate;
          pay --> aggregate;
          aggregate --> __end__;
          subgraph buy
          buy:buy.approval --> buy:buy;
          end
        """,
    ),
    "a whole workflow is a subgraph that is entered and left": (
        [SubWorkflow(Workflow("w", tasks=[A("buy"), A("pay")]))],
        {},
        """
        graph TD;
          __start__ --> w:w.enter;
          w:__end__ --> __end__;
          subgraph w
          w:buy --> w:pay;
          w:pay --> w:w.leave;
          w:w.enter -.-> w:__end__;
          w:w.enter -.-> w:buy;
          w:w.leave --> w:__end__;
          end
        """,
    ),
    "a loop goes on from a join": (
        [
            Repeat(
                Workflow("w", tasks=[A("buy"), A("pay")], strategy="parallel"),
                until="true",
                task_id="r",
            )
        ],
        {},
        """
        graph TD;
          __start__ --> r:r.enter;
          r:__end__ --> __end__;
          subgraph r
          r:aggregate --> r:r.leave;
          r:buy --> r:r.again;
          r:pay --> r:r.again;
          r:r.again -. &nbsp;done&nbsp; .-> r:aggregate;
          r:r.again -. &nbsp;next turn&nbsp; .-> r:buy;
          r:r.again -. &nbsp;next turn&nbsp; .-> r:pay;
          r:r.enter -.-> r:__end__;
          r:r.enter -.-> r:buy;
          r:r.enter -.-> r:pay;
          r:r.leave --> r:__end__;
          end
        """,
    ),
    "agents hand over by one node": (
        [A("buy"), A("pay", requires_approval=True)],
        {"strategy": "cyclic"},
        """
        graph TD;
          __start__ --> handoff;
          buy --> handoff;
          handoff -.-> __end__;
          handoff -.-> buy;
          handoff -.-> pay.approval;
          pay --> handoff;
          pay.approval --> pay;
        """,
    ),
    "an N is flat": (
        [
            A("buy", task_id="a"),
            A("buy", task_id="b"),
            A("buy", task_id="c", depends_on=["a"]),
            A("buy", task_id="d", depends_on=["a", "b"]),
        ],
        {"strategy": "parallel"},
        """
        graph TD;
          __start__ --> a;
          __start__ --> b;
          a --> c;
          a --> d;
          b --> d;
          c --> aggregate;
          d --> aggregate;
          aggregate --> __end__;
        """,
    ),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_graph_looks_as_described(name: str) -> None:
    tasks, wishes, expected = SNAPSHOTS[name]
    lines = dedent(expected).strip().splitlines()
    drawn = drawing(*tasks, **wishes).splitlines()
    assert sorted(drawn) == sorted(lines)  # LangGraph sorts edges its own way


@settings(max_examples=40)
@given(st.data())
def test_every_task_is_one_node_under_its_own_name(data: st.DataObject) -> None:
    ids = "abcdef"[: data.draw(st.integers(1, 6))]
    tasks = [
        A(
            "buy",
            task_id=id_,
            depends_on=[x for x in ids[:i] if data.draw(st.booleans())],
            requires_approval=data.draw(st.booleans()),
            retry=data.draw(st.sampled_from([None, RetryPolicy()])),
        )
        for i, id_ in enumerate(ids)
    ]
    nodes = compiled(*tasks, strategy="parallel").get_graph(xray=True).nodes
    names = [node.rpartition(":")[2] for node in nodes]
    assert all(names.count(id_) == 1 for id_ in ids)
    asking = {task.task_id for task in tasks if task.requires_approval}
    assert {
        name.removesuffix(".approval") for name in names if name.endswith(".approval")
    } == asking
