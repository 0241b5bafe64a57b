"""Tasks made of others: what goes in, what comes out, and what a failure inside means outside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nodes.concurrency import ConcurrencyLimit
from orchestration import AgentContext, AgentRefusedError, CallableLostError
from orchestration.engines.local_parts import LocalParts
from state.failure_mode import quorum
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Task
from state.workflow import Workflow

if TYPE_CHECKING:
    from state.result import TaskResult
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
PATIENT = RetryPolicy(max_attempts=3, initial_delay=timedelta(seconds=10), jitter=False)
RUN = "run"


class Crew:
    """Agents that note each call; they fail, refuse or count as they are told."""

    def __init__(self) -> None:
        self.contexts: list[AgentContext] = []
        self.inputs: list[Input] = []
        self.running = self.most = 0

    async def __call__(self, given: Input, context: AgentContext) -> Input:
        self.contexts.append(context)
        self.inputs.append(given)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            if context.attempt <= given.get("fails", 0):
                raise RuntimeError("broken")
            if given.get("refuses"):
                raise AgentRefusedError("not today")
            if given.get("hangs"):
                await asyncio.Event().wait()
        finally:
            self.running -= 1
        seen: Any = context.upstream.get(context.task_id, {}).get("count", 0)
        return {"task": context.task_id, "count": seen + 1, "seen": sorted(context.upstream)}

    @property
    def keys(self) -> list[str]:
        return [context.idempotency_key for context in self.contexts]

    def called(self, task_id: str) -> list[AgentContext]:
        return [context for context in self.contexts if context.task_id == task_id]


def do(id_: str, given: Input | None = None, **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("crew", given or {}, task_id=id_, **terms)


def within(id_: str, *tasks: Task, **terms: Any) -> SubWorkflow:  # noqa: ANN401
    return SubWorkflow(Workflow(id_, tasks=tasks, **terms), task_id=id_)


def beside(*tasks: Task, **terms: Any) -> Workflow:  # noqa: ANN401
    return Workflow("beside", tasks=tasks, strategy="parallel", **terms)


def said(task: TaskResult) -> Any:  # noqa: ANN401
    return task.output


@pytest.fixture
def crew(bench: Bench) -> Crew:
    hired = Crew()
    bench.hire(crew=hired)
    return hired


# -- sub-workflows --------------------------------------------------------------------------


async def test_a_sub_workflow_is_one_task_with_its_tasks_inside(bench: Bench, crew: Crew) -> None:
    result = await bench.run(do("first"), within("buy", do("a"), do("b")), do("last"))
    assert result.status == WorkflowStatus.COMPLETED
    assert crew.keys == [f"{RUN}:first", f"{RUN}/buy:a", f"{RUN}/buy:b", f"{RUN}:last"]
    assert [task.task_id for task in result["buy"].tasks] == ["a", "b"]
    assert said(result["buy"])["b"]["seen"] == ["a", "first"], "it sees what is around it"
    assert said(result["last"])["seen"] == ["buy", "first"], "but nobody sees inside it"


async def test_a_task_inside_hides_one_of_the_same_name_outside(bench: Bench, crew: Crew) -> None:
    inner = within("buy", do("x"), do("y", condition="!has(outputs.x.marker)"))
    result = await bench.run(do("x"), inner, strategy="sequential")
    assert result.status == WorkflowStatus.COMPLETED
    (outer_x, inner_x) = crew.called("x")
    assert not dict(inner_x.upstream), "the outer x is hidden, and the inner one not yet done"
    assert (outer_x.idempotency_key, inner_x.idempotency_key) == (f"{RUN}:x", f"{RUN}/buy:x")
    assert dict(crew.called("y")[0].upstream)["x"]["task"] == "x"


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [("fail_fast", "failed", "bad: not today"), ("continue", "failed", "bad: not today")],
)
async def test_a_sub_workflow_that_fails_keeps_what_it_achieved(
    bench: Bench, crew: Crew, mode: str, status: str, error: str
) -> None:
    inner = within("buy", do("good"), do("bad", {"refuses": True}), do("after"), on_failure=mode)
    result = await bench.run(inner, do("next"))
    assert result["buy"].status == status
    assert result["buy"].error is not None
    assert result["buy"].error["message"] == error
    assert said(result["buy"])["good"]["task"] == "good"
    assert result["next"].status == TaskStatus.SKIPPED
    assert len(crew.called("after")) == (mode == "continue")


async def test_a_rejection_inside_rejects_the_task_and_the_workflow(
    bench: Bench, crew: Crew
) -> None:
    inner = within("buy", do("a"), do("pay", requires_approval=True))
    paused = await bench.run(inner, do("next"))
    assert [each.task_id for each in paused.interrupts] == ["buy/pay"]
    result = await bench.answer(**{"buy/pay": {"decisions": [{"type": "reject", "message": "no"}]}})
    assert result.status == WorkflowStatus.REJECTED
    assert (result["buy"].status, result["buy"].reason) == ("rejected", "pay: no")
    assert crew.keys == [f"{RUN}/buy:a"]


async def test_what_an_outer_quorum_ends_is_cancelled_not_failed(bench: Bench, crew: Crew) -> None:
    hanging = within("slow", do("never", {"hangs": True}), do("after"))
    result = await bench.run(do("a"), do("b"), hanging, strategy="parallel", on_failure=quorum(2))
    assert result.status == WorkflowStatus.COMPLETED
    assert result["slow"].status == TaskStatus.CANCELLED
    assert "the quorum of 2 was reached" in result["slow"].reason
    assert not crew.called("after")


async def test_failures_around_do_not_end_a_plan_inside(bench: Bench, crew: Crew) -> None:
    """What shows through from outside is no task of the inner plan, so nobody counts it."""
    bad = do("bad", {"refuses": True})
    inner = SubWorkflow(beside(do("x"), do("y"), on_failure="fail_fast"), task_id="inner")
    result = await bench.run(bad, inner, on_failure="continue")
    assert result["inner"].status == TaskStatus.SUCCEEDED
    assert result.status == WorkflowStatus.PARTIAL
    enough = SubWorkflow(beside(do("p"), do("q"), on_failure=quorum(2)), task_id="enough")
    result = await bench.run(do("one"), do("two"), enough)
    assert said(result["enough"]).keys() == {"p", "q"}
    assert len(crew.called("p")) == 1


async def test_a_whole_workflow_may_be_chosen_asked_about_and_left_out(
    bench: Bench, crew: Crew
) -> None:
    work = Workflow("work", tasks=[do("a")])
    asked = SubWorkflow(work, task_id="asked", requires_approval=True)
    paused = await bench.run(
        do("other"), asked, strategy="conditional", router="'asked'", tenant="acme"
    )
    (question,) = paused.interrupts
    config: Any = question.value
    assert config["review_configs"][0]["allowed_decisions"] == ["approve", "reject", "respond"]
    result = await bench.answer(asked="approve")
    assert result.status == WorkflowStatus.COMPLETED
    assert crew.contexts[0].tenant == "acme"
    unwanted = SubWorkflow(work, task_id="unwanted", condition="false")
    result = await bench.run(unwanted, do("next"))
    assert result["unwanted"].status == TaskStatus.SKIPPED
    assert result["next"].succeeded


async def test_a_whole_workflow_may_stand_in_a_chain_beside_others(
    bench: Bench, crew: Crew
) -> None:
    items = ForEach([1, 2], do("one", retry=PATIENT), task_id="items", depends_on=["first"])
    result = await bench.run(
        do("first"),
        items,
        do("after", depends_on=["items"], requires_approval=True),
        do("x"),
        do("y", depends_on=["x"]),
        do("join", depends_on=["after", "y"]),
        strategy="parallel",
    )
    assert [each.task_id for each in result.interrupts] == ["after"]
    result = await bench.answer(after="approve")
    assert result.status == WorkflowStatus.COMPLETED
    assert sorted(result.outputs) == ["after", "first", "items", "join", "x", "y"]
    assert len(crew.keys) == len(set(crew.keys)) == 7


# -- loops ----------------------------------------------------------------------------------


async def test_a_loop_goes_on_until_it_holds_each_turn_under_keys_of_its_own(
    bench: Bench, crew: Crew
) -> None:
    loop = Repeat([do("step")], until="outputs.step.count >= 3 && turn == 3", task_id="loop")
    result = await bench.run(loop)
    assert result.status == WorkflowStatus.COMPLETED
    assert crew.keys == [f"{RUN}/loop#1:step", f"{RUN}/loop#2:step", f"{RUN}/loop#3:step"]
    assert (result["loop"].turns, said(result["loop"])["step"]["count"]) == (3, 3)


async def test_a_loop_without_end_fails_after_its_turns_and_keeps_the_last(
    bench: Bench, crew: Crew
) -> None:
    loop = Repeat([do("step")], until="false", max_turns=2, task_id="loop")
    result = await bench.run(loop, do("next"))
    error = result["loop"].error
    assert error is not None
    assert error["code"] == "out_of_turns"
    assert "2 turns" in error["message"]
    assert said(result["loop"])["step"]["count"] == 2
    assert len(crew.contexts) == 2
    assert result["next"].status == TaskStatus.SKIPPED


@pytest.mark.parametrize(
    ("until", "message"),
    [("outputs.step.missing > 1", "missing"), ("outputs.step.count", "true or false")],
)
async def test_an_end_that_cannot_be_told_fails_the_loop(
    bench: Bench, crew: Crew, until: str, message: str
) -> None:
    result = await bench.run(Repeat([do("step")], until=until, task_id="loop"))
    error = result["loop"].error
    assert error is not None
    assert message in error["message"]
    assert len(crew.contexts) == 1


async def test_a_failure_in_a_turn_ends_the_loop(bench: Bench, crew: Crew) -> None:
    loop = Repeat([do("step", {"refuses": True}), do("after")], until="turn == 3", task_id="loop")
    result = await bench.run(loop)
    assert result["loop"].status == TaskStatus.FAILED
    assert len(crew.contexts) == 1


async def test_what_one_turn_achieved_does_not_decide_the_next(bench: Bench, crew: Crew) -> None:
    """A quorum of turn 1 is none of turn 2, and one cancelled by it ends no loop."""
    body = beside(do("a"), do("b"), do("never", {"hangs": True}), on_failure=quorum(2))
    result = await bench.run(Repeat(body, until="turn == 3", task_id="loop"))
    assert result["loop"].status == TaskStatus.SUCCEEDED
    assert result["loop"].turns == 3
    assert len(crew.called("a")) == len(crew.called("b")) == 3


async def test_a_conditional_body_chooses_anew_in_each_turn(bench: Bench, crew: Crew) -> None:
    body = Workflow(
        "pick",
        tasks=[do("odd"), do("even")],
        strategy="conditional",
        router={"turn % 2 == 1": "odd", "true": "even"},
    )
    result = await bench.run(Repeat(body, until="turn == 4", task_id="loop"))
    assert result["loop"].turns == 4
    assert [context.task_id for context in crew.contexts] == ["odd", "even", "odd", "even"]
    assert [str(task.status) for task in result["loop"].tasks] == ["skipped", "succeeded"]


async def test_a_parallel_body_joins_in_each_turn(bench: Bench, crew: Crew) -> None:
    body = beside(
        do("a"), do("b", retry=PATIENT), do("c", depends_on=["a", "b"]), aggregate="merge"
    )
    result = await bench.run(Repeat(body, until="turn == 2", task_id="loop"))
    assert result["loop"].turns == 2
    ids = [context.task_id for context in crew.contexts]
    assert sorted(ids[:2]) == sorted(ids[3:5]) == ["a", "b"]
    assert ids[2] == ids[5] == "c"
    assert said(result["loop"])["task"] == "c", "the output is what the body aggregates"


async def test_an_attempt_is_counted_within_its_turn(bench: Bench, crew: Crew) -> None:
    loop = Repeat([do("step", {"fails": 1}, retry=PATIENT)], until="turn == 2", task_id="loop")
    result = await bench.run(loop)
    assert result["loop"].status == TaskStatus.SUCCEEDED
    assert [context.attempt for context in crew.contexts] == [1, 2, 1, 2]
    assert crew.keys == [f"{RUN}/loop#1:step"] * 2 + [f"{RUN}/loop#2:step"] * 2


async def test_a_loop_in_a_loop_counts_its_own_turns(bench: Bench, crew: Crew) -> None:
    inner = Repeat([do("step")], until="turn == 2", max_turns=2, task_id="inner")
    result = await bench.run(Repeat([inner], until="turn == 2", max_turns=2, task_id="outer"))
    assert result["outer"].status == TaskStatus.SUCCEEDED
    assert crew.keys == [
        f"{RUN}/outer#{outer}/inner#{turn}:step" for outer in (1, 2) for turn in (1, 2)
    ]
    assert result["outer"].tasks[0].turns == 2


async def test_a_cycle_in_a_loop_counts_its_own_turns(bench: Bench, crew: Crew) -> None:
    talk = SubWorkflow(
        Workflow(
            "talk",
            tasks=[do("a"), do("b")],
            strategy="cyclic",
            supervisor="turn % 2 == 0 ? 'a' : 'b'",
            until="turn == 2",
            max_turns=2,
        ),
        task_id="talk",
    )
    result = await bench.run(Repeat([talk], until="turn == 3", task_id="loop"))
    assert result["loop"].status == TaskStatus.SUCCEEDED
    assert crew.keys == [
        f"{RUN}/loop#{turn}/talk:{each}" for turn in (1, 2, 3) for each in ("a#1", "b#2")
    ]
    assert result["loop"].tasks[0].turns == 2


async def test_an_approval_counts_in_its_turn_only(bench: Bench, crew: Crew) -> None:
    loop = Repeat([do("pay", requires_approval=True)], until="turn == 2", task_id="loop")
    paused = await bench.run(loop)
    assert [each.task_id for each in paused.interrupts] == ["loop#1/pay"]
    again = await bench.answer(**{"loop#1/pay": "approve"})
    assert [each.task_id for each in again.interrupts] == ["loop#2/pay"]
    assert len(crew.contexts) == 1
    result = await bench.answer(**{"loop#2/pay": "reject"})
    assert result["loop"].status == TaskStatus.REJECTED
    assert len(crew.contexts) == 1


# -- items ----------------------------------------------------------------------------------


async def test_each_item_has_its_own_keys_and_output_in_order(bench: Bench, crew: Crew) -> None:
    price = do("price", input_from={"what": "item", "place": "index"})
    result = await bench.run(ForEach(["x", "y", "z"], price, task_id="offers"))
    assert sorted(crew.keys) == [f"{RUN}/offers/{number}:price" for number in range(3)]
    assert [(each["what"], each["place"]) for each in crew.inputs] == [("x", 0), ("y", 1), ("z", 2)]
    assert [each["task"] for each in said(result["offers"])["items"]] == ["price"] * 3
    assert [task.task_id for task in result["offers"].tasks] == ["0", "1", "2"]


async def test_no_items_are_soon_done(bench: Bench, crew: Crew) -> None:
    result = await bench.run(ForEach("[]", do("price"), task_id="offers"), do("next"))
    assert result.status == WorkflowStatus.COMPLETED
    assert said(result["offers"]) == {"items": []}
    assert [context.task_id for context in crew.contexts] == ["next"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("outputs.search.hits", "hits"),
        ("outputs.search", "must give a list"),
        ("parameters.n / 0", "n"),
    ],
)
async def test_items_that_cannot_be_told_fail_the_task(
    bench: Bench, crew: Crew, items: str, message: str
) -> None:
    result = await bench.run(do("search"), ForEach(items, do("price"), task_id="offers"))
    assert result["offers"].status == TaskStatus.FAILED
    error = result["offers"].error
    assert error is not None
    assert message in error["message"]
    assert not crew.called("price")


BAD = [{"refuses": number == 1} for number in range(10)]


def for_all(mode: object, items: list[Input] = BAD, **terms: Any) -> ForEach:  # noqa: ANN401
    one = do("one", input_from={"refuses": "item.refuses"})
    return ForEach(items, one, on_failure=mode, task_id="all", **terms)  # type: ignore[arg-type]


async def test_a_failed_item_leaves_the_others_alone(bench: Bench, crew: Crew) -> None:
    result = await bench.run(for_all("continue"))
    assert result["all"].status == TaskStatus.FAILED
    assert [each is None for each in said(result["all"])["items"]] == [
        number == 1 for number in range(10)
    ]
    assert len(crew.contexts) == 10
    assert result["all"].error is not None
    assert result["all"].error["message"].startswith("1: one: not today")


async def test_a_failed_item_ends_the_others_where_that_is_wanted(bench: Bench, crew: Crew) -> None:
    result = await bench.run(for_all("fail_fast", max_concurrency=1))
    assert result["all"].status == TaskStatus.FAILED
    assert len(crew.contexts) <= 4, "the others never began"


async def test_a_quorum_of_items_is_enough(bench: Bench, crew: Crew) -> None:
    result = await bench.run(for_all(quorum(2), max_concurrency=1), do("next"))
    assert result.status == WorkflowStatus.COMPLETED
    assert result["all"].status == TaskStatus.SUCCEEDED
    assert len(crew.called("one")) <= 5, "the others were not needed any more"
    result = await bench.run(for_all(quorum(10), max_concurrency=1))
    assert result["all"].status == TaskStatus.FAILED


async def test_items_are_done_at_most_so_many_at_once(bench: Bench, crew: Crew) -> None:
    result = await bench.run(ForEach(list(range(30)), do("one"), max_concurrency=4, task_id="all"))
    assert result.status == WorkflowStatus.COMPLETED
    assert crew.most == 4


async def test_bounds_within_bounds_hold_together(bench: Bench, crew: Crew) -> None:
    bench.slots = ConcurrencyLimit(3)
    inner = ForEach("[1, 2, 3, 4, 5]", do("one"), max_concurrency=2, task_id="inner")
    async with asyncio.timeout(30):
        result = await bench.run(
            ForEach([1, 2, 3], inner, max_concurrency=5, task_id="left"),
            ForEach([1, 2, 3], inner, max_concurrency=5, task_id="right"),
            strategy="parallel",
        )
    assert result.status == WorkflowStatus.COMPLETED
    assert len(crew.contexts) == 30
    assert crew.most == 3


async def test_a_thousand_items(bench: Bench, crew: Crew) -> None:
    result = await bench.run(ForEach(list(range(1000)), do("one"), task_id="all"))
    assert result.status == WorkflowStatus.COMPLETED
    assert len(set(crew.keys)) == 1000
    assert len(said(result["all"])["items"]) == 1000


async def test_an_item_is_tried_again_alone(bench: Bench, crew: Crew) -> None:
    one = do("one", input_from={"fails": "item"}, retry=PATIENT)
    result = await bench.run(ForEach([0, 2, 1], one, task_id="all"))
    assert result.status == WorkflowStatus.COMPLETED
    attempts = [(each.run_id[-1], each.attempt) for each in crew.contexts]
    assert sorted(attempts) == [("0", 1), ("1", 1), ("1", 2), ("1", 3), ("2", 1), ("2", 2)]
    assert len(set(crew.keys)) == 3


async def test_a_loop_in_an_item_in_a_sub_workflow_in_a_parallel_plan(
    bench: Bench, crew: Crew
) -> None:
    loop = Repeat(
        [do("step", input_from={"what": "item"})],
        until="outputs.step.count == 2",
        task_id="loop",
    )
    part = within("part", ForEach("[1, 2]", [do("begin"), loop], task_id="items"))
    result = await bench.run(part, do("beside"), strategy="parallel")
    assert result.status == WorkflowStatus.COMPLETED
    steps = [key for key in crew.keys if key.endswith(":step")]
    assert sorted(steps) == [
        f"{RUN}/part/items/{item}/loop#{turn}:step" for item in (0, 1) for turn in (1, 2)
    ]
    items = said(result["part"])["items"]["items"]
    assert [each["loop"]["step"]["count"] for each in items] == [2, 2]
    assert {tuple(each.upstream) for each in crew.called("step")} == {("begin",), ("begin", "step")}


async def test_several_questions_of_items_are_answered_in_any_order(
    bench: Bench, crew: Crew
) -> None:
    one = do("one", input_from={"what": "item"}, requires_approval=True)
    paused = await bench.run(ForEach(["x", "y", "z"], one, task_id="all"), do("next"))
    assert {each.task_id for each in paused.interrupts} == {f"all/{n}/one" for n in range(3)}
    paused = await bench.answer(**{"all/2/one": "approve"})
    assert [each["what"] for each in crew.inputs] == ["z"]
    paused = await bench.answer(**{"all/0/one": "reject"})
    assert [each.task_id for each in paused.interrupts] == ["all/1/one"]
    result = await bench.answer(**{"all/1/one": "approve"})
    assert [each["what"] for each in crew.inputs] == ["z", "y"]
    assert [str(task.status) for task in result["all"].tasks] == [
        "rejected",
        "succeeded",
        "succeeded",
    ]


async def test_nobody_is_asked_any_more_once_the_items_have_come_to_nothing(
    bench: Bench, crew: Crew
) -> None:
    one = do("one", condition="index == 0", requires_approval=True)
    other = do("other", {"refuses": True}, condition="index == 1")
    both = ForEach([1, 2], [one, other], on_failure="fail_fast", task_id="all")
    result = await bench.run(both)
    assert result.status == WorkflowStatus.FAILED
    assert result["all"].tasks[0].status in {TaskStatus.CANCELLED, TaskStatus.SKIPPED}
    assert len(crew.contexts) == 1


async def test_items_in_a_turn_are_counted_in_that_turn_also_after_a_pause(
    bench: Bench, crew: Crew
) -> None:
    one = do("one", requires_approval=True)
    items = ForEach([1, 2, 3], one, on_failure=quorum(2), task_id="all")
    await bench.run(Repeat([items], until="turn == 2", task_id="loop"))
    for turn in (1, 2):
        await bench.answer(**{f"loop#{turn}/all/0/one": "approve"})
        result = await bench.answer(**{f"loop#{turn}/all/1/one": "approve"})
    assert result.status == WorkflowStatus.COMPLETED
    assert len(crew.contexts) == 4


# -- callables ------------------------------------------------------------------------------


async def test_callables_work_inside_and_are_missed_by_name_elsewhere(
    bench: Bench, crew: Crew
) -> None:
    loop = Repeat(
        [do("step", condition=lambda: True), do("pay", requires_approval=True)],
        until=lambda outcomes: outcomes["pay"]["status"] == "succeeded",
        task_id="loop",
    )
    paused = await bench.run(within("buy", loop))
    (asked,) = paused.interrupts
    with pytest.raises(CallableLostError) as lost:
        await bench.engine.matched("thread", {asked.task_id: "approve"}, LocalParts())
    assert "the condition of task 'buy/loop/step'" in str(lost.value)
    assert "the end of the loop 'buy/loop'" in str(lost.value)
    result = await bench.answer(**{asked.task_id: "approve"})
    assert result.status == WorkflowStatus.COMPLETED
    assert result["buy"].tasks[0].turns == 1
    assert len(crew.contexts) == 2
