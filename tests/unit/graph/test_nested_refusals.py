"""What the planner refuses of nested tasks and cycles: all at once, each with its path."""

from __future__ import annotations

from typing import Any

import pytest

from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec, ApprovalPolicy, FailureMode
from state.errors import PlanError
from state.failure_mode import quorum
from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Task
from state.workflow import Workflow


def do(id_: str = "x", **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("crew", task_id=id_, **terms)


def problems(*tasks: Task, **wishes: Any) -> list[tuple[str, str | None, str]]:  # noqa: ANN401
    agents = AgentRegistry()
    agents.register(AgentSpec("crew", handler=dict))
    with pytest.raises(PlanError) as refused:
        plan(PlanRequest(tasks=tasks, **wishes), agents=agents, run_id="r")
    return [(each.code, each.task_id, each.message) for each in refused.value.problems]


def test_every_problem_at_any_depth_is_told_at_once_with_its_path() -> None:
    deep = SubWorkflow(
        Workflow("w", tasks=[AgentTask("ghost", task_id="a"), do("b", timeout=-1), do("b")]),
        task_id="deep",
    )
    found = problems(
        Repeat([deep, do(condition="1 +")], until="turm > 1", max_turns=0, task_id="loop"),
        ForEach("itms", do(input_from={"y": "itm"}), max_concurrency=0, task_id="each"),
    )
    assert {(code, path) for code, path, _ in found} == {
        ("unknown_agent", "loop/deep/a"),
        ("bad_timeout", "loop/deep/b"),
        ("duplicate_task", "loop/deep/b"),
        ("bad_expression", "loop/x"),
        ("bad_expression", "loop"),
        ("bad_turns", "loop"),
        ("bad_expression", "each"),
        ("bad_expression", "each/x"),
        ("bad_concurrency", "each"),
    }
    assert any(message.startswith("in 'loop/deep': ") for _, _, message in found)


@pytest.mark.parametrize(
    ("task", "code", "words"),
    [
        (SubWorkflow("w"), "bad_task", "give a Workflow"),  # type: ignore[arg-type]
        (Repeat([], until="true"), "no_tasks", "give at least one"),
        (Repeat([do()], until=5), "bad_expression", "is a int"),  # type: ignore[arg-type]
        (Repeat([do()], until="item == 1"), "bad_expression", "item"),
        (Repeat([do()], until="true", max_turns=True), "bad_turns", "1 to 1000"),
        (
            Repeat(Workflow("w", tasks=[do()], strategy="cyclic"), until="true"),
            "bad_repeat",
            "SubWorkflow",
        ),
        (ForEach({"a": 1}, do()), "bad_items", "give a list"),  # type: ignore[arg-type]
        (ForEach(b"ab", do()), "bad_items", "give a list"),
        (ForEach([object()], do()), "input_not_json", "items"),
        (ForEach(list(range(10_001)), do()), "bad_items", "10,000"),
        (ForEach([1], do(), on_failure="sometimes"), "bad_failure_mode", "sometimes"),
        (ForEach([1], do(), on_failure=quorum(2)), "bad_failure_mode", "quorum(2) of 1 items"),
        (ForEach([1], do(), on_failure=FailureMode("quorum", 0)), "bad_failure_mode", "quorum"),
        (ForEach([1], "x"), "bad_task", "give a Workflow, or tasks"),  # type: ignore[arg-type]
        (SubWorkflow(Workflow("w", tasks=[do(condition="turn")])), "bad_expression", "turn"),
        (
            SubWorkflow(
                Workflow("w", tasks=[do()]),
                requires_approval=ApprovalPolicy(allowed=("edit", "reject")),
            ),
            "bad_approval",
            "no input to edit",
        ),
        (do(input_from=[1]), "bad_expression", "map names"),
        (do(input_from={"a": "nope"}), "bad_expression", "nope"),
    ],
)
def test_a_field_that_cannot_be_is_refused(task: Task, code: str, words: str) -> None:
    ((found, _, message),) = problems(task)
    assert found == code
    assert words in message


def test_tasks_inside_tasks_have_an_end() -> None:
    workflow = Workflow("w", tasks=[do()])
    for _ in range(9):
        workflow = Workflow("w", tasks=[SubWorkflow(workflow)])
    ((code, path, _),) = problems(SubWorkflow(workflow))
    assert code == "too_deep"
    assert path == "/".join(["w"] * 9)


@pytest.mark.parametrize(
    ("wishes", "code", "words"),
    [
        ({"supervisor": "'x'"}, "needless_supervisor", "use 'cyclic'"),
        ({"max_turns": 3}, "needless_supervisor", "max_turns"),
        ({"strategy": "cyclic", "start": "y"}, "unknown_target", "'y'"),
        ({"strategy": "cyclic", "max_turns": 0}, "bad_turns", "the cycle"),
        ({"strategy": "cyclic", "until": "x >"}, "bad_expression", "the end of the cycle"),
        ({"strategy": "cyclic", "supervisor": {"true": "y"}}, "unknown_target", "'y'"),
        ({"strategy": "cyclic", "supervisor": AgentTask("no")}, "unknown_agent", "the supervisor"),
        (
            {"strategy": "cyclic", "supervisor": AgentTask("crew", requires_approval=True)},
            "bad_supervisor",
            "requires_approval",
        ),
        ({"strategy": "cyclic", "router": "'x'"}, "needless_router", "conditional"),
        ({"strategy": "cyclic", "on_failure": quorum(1)}, "bad_failure_mode", "parallel"),
    ],
)
def test_what_a_cycle_cannot_be_led_by_is_refused(
    wishes: dict[str, Any], code: str, words: str
) -> None:
    ((found, _, message),) = problems(do(), **wishes)
    assert found == code
    assert words in message


def test_members_of_a_cycle_do_not_wait_for_each_other() -> None:
    ((code, path, _),) = problems(do("a"), do("b", depends_on=["a"]), strategy="cyclic")
    assert (code, path) == ("needless_dependency", "b")


def test_a_task_cannot_be_called_what_a_supervisor_says_at_the_end() -> None:
    ((code, path, _),) = problems(do("finish"), strategy="cyclic", supervisor="'finish'")
    assert (code, path) == ("bad_task_id", "finish")
    for id_ in ("supervisor", "handoff"):
        assert ("bad_task_id", id_) in {each[:2] for each in problems(do(id_), strategy="cyclic")}
