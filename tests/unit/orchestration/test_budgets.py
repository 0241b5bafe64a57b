"""A run that has used up its budget stops or pauses before the next call, and says so."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict, cast

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from checkpoints.spending import Charged
from checkpoints.sqlite_spending import SqliteSpending
from orchestration import (
    AgentContext,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    ApprovalPolicy,
    Budget,
    CoordinationStrategy,
    ForEach,
    NotAllowedError,
    PlanError,
    Repeat,
    RetryPolicy,
    SimpleCoordinator,
    SubWorkflow,
    Workflow,
    WorkflowResult,
)
from state.task import Task
from tests.unit.orchestration.conftest import Wall

AT_ONCE = RetryPolicy(max_attempts=5, initial_delay=timedelta(0), jitter=False)


class Asked(TypedDict, total=False):
    answer: str


class Office:
    """A coordinator with agents that each use ten tokens and half a coin, and count calls."""

    def __init__(self, url: str) -> None:
        self.wall, self.calls, self.failures, self.seconds = Wall(), list[str](), 0, 0.0
        self.agents = AgentRegistry(clock=self.wall)
        for agent_id in ("clerk", "mail", "bank"):
            spec = AgentSpec(agent_id, handler=self.work, cost=0.5)
            self.agents.register(spec)
        self.url = url
        self.runs = self.open()

    def open(self) -> SimpleCoordinator:
        return SimpleCoordinator(registry=self.agents, database_url=self.url, clock=self.wall)

    def another(self) -> SimpleCoordinator:
        """As in another process, where the database outlives one."""
        return self.runs if self.url == "memory://" else self.open()

    async def work(self, _input: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.calls.append(context.task_id)
        self.wall.now += self.seconds
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the line is dead")
        return {
            "content": "done",
            "n": len(self.calls),
            "usage": {"input_tokens": 7, "output_tokens": 3},
        }


@pytest.fixture(params=["memory", "sqlite"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'a.db'}")


def three() -> list[AgentTask]:
    return [AgentTask("clerk"), AgentTask("mail"), AgentTask("bank")]


def spent_in(result: WorkflowResult) -> dict[str, float]:
    value: Any = result.interrupts[0].value
    return cast("dict[str, float]", value["budget"]["spent"])


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(attempts=2), "the run has used 2 of 2 calls"),
        (Budget(tokens=15), "the run has used 20 of 15 tokens"),
        (Budget(cost=1), "the run has used 1 of 1 money"),
        (Budget(time=timedelta(seconds=5)), "the run has used 6 of 5 seconds of work"),
    ],
    ids=["attempts", "tokens", "cost", "time"],
)
async def test_a_run_stops_before_the_call_that_its_budget_does_not_allow(
    office: Office, budget: Budget, told: str
) -> None:
    office.seconds = 3
    result = await office.runs.execute_sequential(three(), budget=budget)
    assert office.calls == ["clerk", "mail"]
    assert result.status == "failed"
    error = result["bank"].error
    assert error is not None
    assert error["code"] == "budget_exceeded"
    assert told in error["message"]
    assert result["bank"].attempts == 1


async def test_a_run_pauses_with_what_was_spent_and_goes_on_once_somebody_agrees(
    office: Office,
) -> None:
    budget = Budget(tokens=20, on_exceeded="pause")
    result = await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    assert result.status == "interrupted"
    assert office.calls == ["clerk", "mail"]
    assert spent_in(result) == {"tokens": 20, "cost": 1, "seconds": 0, "attempts": 2}
    (request,) = await office.runs.approvals.list_pending()
    assert (request.kind, request.action, request.task_id) == ("approval", "budget", "bank")
    assert request.arguments == {"tokens": 20}

    result = await office.another().resume("t", {"bank": "approve"})
    assert result.status == "completed"
    assert office.calls == ["clerk", "mail", "bank"]


async def test_who_says_no_ends_the_run(office: Office) -> None:
    budget = Budget(attempts=1, on_exceeded="pause")
    await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    result = await office.runs.resume("t", {"mail": "reject"})
    assert result.status == "rejected"
    assert office.calls == ["clerk"]
    assert "budget is used up" in (result["mail"].reason or "")


async def test_an_edit_grants_other_amounts_and_too_little_is_asked_about_again(
    office: Office,
) -> None:
    budget = Budget(tokens=10, on_exceeded="pause")
    await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    little = {
        "decisions": [{"type": "edit", "edited_action": {"name": "budget", "args": {"tokens": 1}}}]
    }
    result = await office.runs.resume("t", {"mail": little})  # 10 of 11: one more call
    assert result.status == "interrupted"
    assert office.calls == ["clerk", "mail"]
    result = await office.runs.resume("t", {"bank": little})  # 20 of 12: still nothing
    assert result.status == "interrupted"
    assert office.calls == ["clerk", "mail"]
    result = await office.runs.resume("t", {"bank": "approve"})
    assert result.status == "completed"


async def test_an_edit_that_is_no_amount_is_refused_before_anything_happens(
    office: Office,
) -> None:
    budget = Budget(attempts=1, on_exceeded="pause")
    await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    wrong = {
        "decisions": [
            {"type": "edit", "edited_action": {"name": "budget", "args": {"attempts": -3}}}
        ]
    }
    with pytest.raises(Exception, match="attempts"):
        await office.runs.resume("t", {"mail": wrong})
    assert (await office.runs.get_state("t")).status == "interrupted"


async def test_what_was_spent_stands_beside_the_error_of_a_call_that_is_refused(
    office: Office,
) -> None:
    result = await office.runs.execute_sequential(three(), budget=Budget(tokens=15))
    assert result["bank"].status == "failed"
    verdict: Any = result["bank"].middleware["budget"]
    (told,) = verdict["budgets"]
    assert (verdict["verdict"], told["used_up"], told["limits"]) == (
        "exceeded",
        ["tokens"],
        {"tokens": 15},
    )
    assert (told["spent"]["tokens"], told["spent"]["attempts"]) == (20, 2)


async def test_the_question_says_how_much_would_be_granted(office: Office) -> None:
    budget = Budget(tokens=15, cost=0.75, on_exceeded="pause")
    result = await office.runs.execute_sequential(three(), budget=budget)
    asked: Any = result.interrupts[0].value
    words = asked["action_requests"][0]["description"]
    assert words.startswith("the run has used 20 of 15 tokens, 1 of 0.75 money. ")
    assert words.endswith("May it use up 15 tokens, 0.75 money more, from task 'bank' on?")
    result = await office.runs.execute_sequential(
        three(), budget=Budget(attempts=1, on_exceeded="pause")
    )
    asked = result.interrupts[0].value
    assert "May it use up 1 call more," in asked["action_requests"][0]["description"]


async def test_only_who_may_can_grant_more(office: Office) -> None:
    policy = ApprovalPolicy(roles=["controller"])
    budget = Budget(attempts=1, on_exceeded="pause", approval=policy)
    await office.runs.execute_sequential(three(), budget=budget, thread_id="t", user="ann")
    for who, roles in (("bob", []), ("ann", ["controller"])):
        with pytest.raises(NotAllowedError):
            await office.runs.resume("t", {"mail": "approve"}, by=who, roles=roles)
    result = await office.runs.resume("t", {"mail": "approve"}, by="eve", roles=["controller"])
    assert result.status == "interrupted"  # its limit once more is one call
    assert office.calls == ["clerk", "mail"]


async def test_what_is_granted_to_one_run_leaves_others_to_be_asked_about_themselves(
    office: Office,
) -> None:
    budget = Budget(tokens=20, on_exceeded="pause")
    for thread_id in ("t", "u", "t"):
        paused = await office.runs.execute_sequential(three(), budget=budget, thread_id=thread_id)
        assert paused.status == "interrupted"
        done = await office.runs.resume(thread_id, {"bank": "approve"})
        assert done.status == "completed"


async def test_an_answer_is_about_the_budget_that_was_asked_about(office: Office) -> None:
    policy = ApprovalPolicy(roles=["controller"])
    tenant = Budget(tokens=50, per="tenant", on_exceeded="pause", approval=policy)
    own = Budget(tokens=20, on_exceeded="pause")
    await office.runs.execute_sequential(
        three(), budget=[tenant, own], thread_id="t", tenant="acme"
    )
    await office.runs.execute_sequential(three(), tenant="acme", budget=Budget(tokens=99))
    result = await office.runs.resume("t", {"bank": "approve"})
    (asked,) = result.interrupts
    value: Any = asked.value
    assert value["budget"]["per"] == "tenant"
    assert value["budget"]["limits"] == {"tokens": 50}, "nobody who may has granted any"
    with pytest.raises(NotAllowedError):
        await office.runs.resume("t", {"bank": "approve"}, by="ann")
    result = await office.runs.resume("t", {"bank": "approve"}, by="eve", roles=["controller"])
    assert result.status == "completed"


async def test_who_said_no_is_heard_though_the_budget_has_come_back_meanwhile(
    office: Office,
) -> None:
    window = timedelta(hours=1)
    budget = Budget(attempts=1, per="thread", window=window, on_exceeded="pause")
    await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    office.wall.now += 3601
    result = await office.another().resume("t", {"mail": "reject"})
    assert result.status == "rejected"
    assert office.calls == ["clerk"]


async def test_a_budget_that_is_refused_undoes_what_was_done(office: Office) -> None:
    tasks = [AgentTask("clerk", compensate={"action": "undo"}), AgentTask("mail")]
    budget = Budget(attempts=1, on_exceeded="pause")
    await office.runs.execute_sequential(tasks, budget=budget, thread_id="t")
    result = await office.runs.resume("t", {"mail": "reject"})
    assert result["clerk"].status == "compensated"
    assert office.calls == ["clerk", "clerk"]


async def test_a_clock_may_begin_at_nothing(office: Office) -> None:
    office.wall.now = 0.0
    await office.runs.execute_sequential(three(), budget=Budget(attempts=1))
    assert office.calls == ["clerk"]


async def test_a_call_that_was_under_way_when_its_run_ended_is_found_out(office: Office) -> None:
    begun = asyncio.Event()

    async def hang(_: dict[str, Any]) -> dict[str, Any]:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return {"order": 17}

    office.agents.register(AgentSpec("shop", handler=hang))
    tasks, budget = [AgentTask("shop"), AgentTask("mail")], Budget(attempts=1)
    run = asyncio.ensure_future(office.runs.execute_sequential(tasks, thread_id="t", budget=budget))
    await begun.wait()
    run.cancel()
    await asyncio.wait([run])
    result = await office.runs.resume("t")
    assert result["shop"].output == {"order": 17}
    assert result["mail"].status == "failed"
    assert office.calls == []


async def test_ten_times_a_tenth_is_a_whole(office: Office) -> None:
    office.agents.register(AgentSpec("cheap", handler=office.work, cost=0.1))
    tasks = [AgentTask("cheap", task_id=f"t{number}") for number in range(12)]
    await office.runs.execute_sequential(tasks, budget=Budget(cost=1))
    assert len(office.calls) == 10


async def test_an_agent_that_asks_and_is_answered_makes_one_call(office: Office) -> None:
    async def ask(state: Asked) -> Asked:
        return {"answer": interrupt({"which": "one?", **state})}

    graph: StateGraph[Asked, None, Asked, Asked] = StateGraph(Asked)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    office.agents.register(AgentSpec("asks", handler=graph.compile()))
    tasks = [AgentTask("asks"), AgentTask("mail")]
    options: Any = {"budget": Budget(attempts=1), "thread_id": "t"}
    paused = await office.runs.execute_sequential(tasks, **options)
    result = await office.runs.resume("t", {paused.interrupts[0].interrupt_id: "this one"})
    assert result["asks"].output == {"answer": "this one"}
    error = result["mail"].error
    assert error is not None
    assert error["code"] == "budget_exceeded"


async def test_what_was_done_is_not_lost_where_it_cannot_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def locked(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    office = Office(f"sqlite:///{tmp_path / 'a.db'}")
    monkeypatch.setattr(SqliteSpending, "end", locked)
    tasks = [AgentTask("clerk", retry=AT_ONCE)]
    result = await office.runs.execute_sequential(tasks, budget=Budget(tokens=5))
    assert result.status == "completed"
    assert office.calls == ["clerk"]
    verdict: Any = result["clerk"].middleware["budget"]
    assert verdict["verdict"] == "uncounted"
    assert "database is locked" in verdict["uncounted"]
    assert "database is locked" in caplog.text


@pytest.mark.parametrize("ends", ["timeout", "failure of another"])
async def test_an_answer_in_time_counts_though_counting_it_takes_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    over, counting = asyncio.Event(), asyncio.Event()

    async def slow(_: object, charged: Charged, _used: object) -> None:
        if ":clerk@" in charged.key:
            counting.set()
            await over.wait()

    async def fail(_: dict[str, Any]) -> dict[str, Any]:
        await counting.wait()
        raise ConnectionError("no")

    office = Office(f"sqlite:///{tmp_path / 'a.db'}")
    office.agents.register(AgentSpec("fails", handler=fail))
    monkeypatch.setattr(SqliteSpending, "end", slow)
    options: Any = {"budget": Budget(attempts=9)}
    if ends == "timeout":
        tasks = [AgentTask("clerk", timeout=timedelta(seconds=0.2))]
        result = await office.runs.execute_sequential(tasks, **options)
    else:
        tasks = [AgentTask("clerk"), AgentTask("fails")]
        result = await office.runs.execute_parallel(tasks, on_failure="fail_fast", **options)
    assert result["clerk"].status == "succeeded"
    assert office.calls == ["clerk"]
    over.set()


async def test_an_audit_only_notes_it(office: Office) -> None:
    budget = Budget(attempts=1, on_exceeded="audit")
    result = await office.runs.execute_sequential(three(), budget=budget)
    assert result.status == "completed"
    assert "budget" not in result["clerk"].middleware
    verdict: Any = result["mail"].middleware["budget"]
    assert verdict["verdict"] == "exceeded"
    assert verdict["budgets"][0]["spent"]["attempts"] == 1


async def test_retries_count_and_pause_too(office: Office) -> None:
    office.failures = 3
    budget = Budget(attempts=2, on_exceeded="pause")
    tasks = [AgentTask("clerk", retry=AT_ONCE)]
    result = await office.runs.execute_sequential(tasks, budget=budget, thread_id="t")
    assert result.status == "interrupted"
    assert len(office.calls) == 2
    result = await office.runs.resume("t", {"clerk": "approve"})
    assert result.status == "completed"
    assert len(office.calls) == 4
    assert result["clerk"].attempts == 4


async def test_a_budget_is_never_exceeded_by_a_retry_of_a_call_it_refused(office: Office) -> None:
    tasks = [AgentTask("clerk"), AgentTask("mail", retry=AT_ONCE)]
    result = await office.runs.execute_sequential(tasks, budget=Budget(attempts=1))
    assert result["mail"].attempts == 1
    assert office.calls == ["clerk"]


async def test_calls_beside_each_other_cannot_take_the_same_attempt_twice(
    office: Office,
) -> None:
    tasks = [AgentTask("clerk", task_id=f"t{number}") for number in range(8)]
    result = await office.runs.execute_parallel(tasks, budget=Budget(attempts=3))
    assert len(office.calls) == 3
    assert result.status == "partial"


async def test_branches_beside_each_other_can_each_be_asked_about(office: Office) -> None:
    tasks = [
        AgentTask("clerk", task_id="a"),
        AgentTask("mail", task_id="b"),
        AgentTask("bank", task_id="c", depends_on=["a"]),
        AgentTask("bank", task_id="d", depends_on=["b"]),
    ]
    budget = Budget(attempts=2, on_exceeded="pause")
    result = await office.runs.execute_parallel(tasks, budget=budget, thread_id="t")
    assert {each.task_id for each in result.interrupts} == {"c", "d"}
    result = await office.runs.resume("t", {"c": "approve", "d": "approve"})
    assert result.status == "completed"
    assert sorted(office.calls) == ["a", "b", "c", "d"]


async def test_nobody_has_to_answer_once_the_budget_has_come_back(office: Office) -> None:
    tasks = [AgentTask("clerk", task_id="a")]
    tasks += [AgentTask("mail", task_id=id_, depends_on=["a"]) for id_ in ("b", "c")]
    window = timedelta(hours=1)
    budget = Budget(tokens=10, per="thread", window=window, on_exceeded="pause")
    result = await office.runs.execute_parallel(tasks, budget=budget, thread_id="t")
    assert {each.task_id for each in result.interrupts} == {"b", "c"}
    office.wall.now += 3601
    result = await office.another().resume("t", {"b": "approve"})
    assert result.status == "completed"
    assert await office.runs.approvals.list_pending() == []


async def test_turns_of_loops_and_items_of_lists_count(office: Office) -> None:
    loop = Repeat([AgentTask("clerk")], until="false", max_turns=9)
    result = await office.runs.execute_sequential([loop], budget=Budget(attempts=4))
    assert len(office.calls) == 4
    assert result.status == "failed"
    items = ForEach([1, 2, 3, 4, 5, 6], AgentTask("mail"))
    await office.runs.execute_sequential([items], budget=Budget(attempts=5))
    assert len(office.calls) == 9


async def test_a_loop_pauses_in_the_middle_and_goes_on_there(office: Office) -> None:
    loop = Repeat([AgentTask("clerk", task_id="x")], until="turn >= 4", max_turns=9, task_id="l")
    budget = Budget(attempts=2, on_exceeded="pause")
    result = await office.runs.execute_sequential([loop], budget=budget, thread_id="t")
    assert result.status == "interrupted"
    (asked,) = result.interrupts
    assert asked.task_id == "l#3/x"
    result = await office.runs.resume("t", {"l#3/x": "approve"})
    assert (result.status, len(office.calls)) == ("completed", 4)


async def test_turns_of_a_cycle_count_and_pause(office: Office) -> None:
    budget = Budget(attempts=2, on_exceeded="pause")
    result = await office.runs.execute_workflow(
        three(),
        strategy=CoordinationStrategy.CYCLIC,
        supervisor="outputs.size() < 3 ? ['clerk', 'mail', 'bank'][outputs.size()] : 'finish'",
        budget=budget,
        thread_id="t",
    )
    assert result.status == "interrupted"
    result = await office.runs.resume("t", {"bank": "approve"})
    assert (result.status, office.calls) == ("completed", ["clerk", "mail", "bank"])


async def test_a_task_whose_condition_is_false_is_not_asked_about(office: Office) -> None:
    tasks = [AgentTask("clerk"), AgentTask("mail", condition="false"), AgentTask("bank")]
    budget = Budget(attempts=1, on_exceeded="pause")
    result = await office.runs.execute_sequential(tasks, budget=budget, thread_id="t")
    assert [each.task_id for each in result.interrupts] == ["bank"]


async def test_an_approval_and_a_budget_of_one_task_are_asked_one_after_the_other(
    office: Office,
) -> None:
    tasks = [AgentTask("clerk"), AgentTask("mail", requires_approval=True)]
    budget = Budget(attempts=1, on_exceeded="pause")
    result = await office.runs.execute_sequential(tasks, budget=budget, thread_id="t")
    assert (result.interrupts[0].task_id, office.calls) == ("mail", ["clerk"])
    first: Any = result.interrupts[0].value
    assert "budget" not in first
    result = await office.runs.resume("t", {"mail": "approve"})
    assert spent_in(result)["attempts"] == 1
    result = await office.runs.resume("t", {"mail": "approve"})
    assert (result.status, office.calls) == ("completed", ["clerk", "mail"])


async def test_a_thread_has_one_budget_over_its_runs(office: Office) -> None:
    budget = Budget(attempts=4, per="thread")
    first = await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    assert first.status == "completed"
    second = await office.runs.execute_sequential(three(), budget=budget, thread_id="t")
    assert second.status == "failed"
    assert len(office.calls) == 4
    other = await office.runs.execute_sequential(three(), budget=budget, thread_id="u")
    assert other.status == "completed"


async def test_a_tenants_budget_counts_over_threads_and_comes_back_with_its_window(
    office: Office,
) -> None:
    budget = Budget(cost=2, per="tenant", window=timedelta(days=1))
    ours = {"budget": budget, "tenant": "acme"}
    await office.runs.execute_sequential(three(), **ours)  # type: ignore[arg-type]  # options
    result = await office.another().execute_sequential(three(), **ours)  # type: ignore[arg-type]
    assert (result.status, len(office.calls)) == ("failed", 4)
    other = await office.runs.execute_sequential(three(), budget=budget, tenant="globex")
    assert other.status == "completed"
    office.wall.now += 86_401
    again = await office.runs.execute_sequential(three(), **ours)  # type: ignore[arg-type]
    assert again.status == "completed"


async def test_what_was_granted_to_one_run_is_granted_to_no_other(office: Office) -> None:
    budget = Budget(attempts=2, on_exceeded="pause")
    for thread_id in ("t", "u"):
        asked = await office.runs.execute_sequential(three(), budget=budget, thread_id=thread_id)
        assert asked.status == "interrupted"
        result = await office.runs.resume(thread_id, {"bank": "approve"})
        assert result.status == "completed"


@pytest.mark.parametrize("tokens", [2**63 - 1, 10**30, 10**400], ids=["64 bits", "more", "huge"])
async def test_an_agent_that_claims_any_number_of_tokens_is_counted_and_stops_the_run(
    office: Office, tokens: int
) -> None:
    async def boast(_input: dict[str, Any]) -> dict[str, Any]:
        return {"content": "done", "usage": {"input_tokens": tokens, "output_tokens": tokens}}

    office.agents.register(AgentSpec("boaster", handler=boast))
    tasks = [AgentTask("boaster"), AgentTask("mail")]
    result = await office.runs.execute_sequential(
        tasks, budget=Budget(tokens=10**9), on_failure="continue"
    )
    assert office.calls == []
    error = result["mail"].error
    assert error is not None
    assert error["code"] == "budget_exceeded"


async def test_undoing_needs_no_budget(office: Office) -> None:
    tasks = [
        AgentTask("clerk", compensate={"action": "undo"}),
        AgentTask("mail"),
        AgentTask("bank"),
    ]
    result = await office.runs.execute_sequential(tasks, budget=Budget(attempts=2))
    assert result["clerk"].status == "compensated"
    assert len(office.calls) == 3


async def test_a_compiled_graph_counts_in_its_own_process(office: Office) -> None:
    graph = office.runs.compile(three(), budget=Budget(attempts=2))
    done: Any = await graph.ainvoke({})  # type: ignore[call-overload]  # it brings its plan
    assert done["outcomes"]["bank"]["error"]["code"] == "budget_exceeded"
    assert office.calls == ["clerk", "mail"]


async def test_several_budgets_all_count(office: Office) -> None:
    budgets = [Budget(attempts=100), Budget(tokens=10, per="thread")]
    result = await office.runs.execute_sequential(three(), budget=budgets)
    assert office.calls == ["clerk"]
    error = result["mail"].error
    assert error is not None
    assert "the thread has used 10 of 10 tokens" in error["message"]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(), "limits nothing"),
        (Budget(tokens=0), "tokens is 0"),
        (Budget(cost=float("nan")), "cost is nan"),
        (Budget(attempts=True), "attempts is True"),
        (Budget(time=timedelta(0)), "time is"),
        (Budget(tokens=1, per="week"), "per is 'week'"),  # type: ignore[arg-type]
        (Budget(tokens=1, on_exceeded="cry"), "on_exceeded is 'cry'"),  # type: ignore[arg-type]
        (Budget(tokens=1, window=timedelta(days=1)), "a run has no window"),
        (Budget(tokens=1, per="tenant"), "no tenant"),
        (Budget(tokens=1, approval=ApprovalPolicy(allowed=["reject"])), "somebody must say yes"),
        (7, "budget is 7"),
        ([Budget(tokens=1), "x"], "'x' is none"),
    ],
)
async def test_a_budget_that_cannot_be_is_refused_before_anything_happens(
    office: Office,
    budget: Any,  # noqa: ANN401  what nobody should give
    words: str,
) -> None:
    with pytest.raises(PlanError, match=words):
        await office.runs.execute_sequential(three(), budget=budget)
    assert office.calls == []


async def test_an_option_that_nobody_knows_is_refused_and_not_left_out(office: Office) -> None:
    misspelt: Any = {"budgets": Budget(tokens=1)}
    with pytest.raises(PlanError, match="'budgets' is unknown; did you mean 'budget'"):
        await office.runs.execute_sequential(three(), **misspelt)
    with pytest.raises(PlanError, match="'budgets' is unknown"):
        await office.runs.execute_many([three()], **misspelt)
    with pytest.raises(PlanError, match=r"'zzz' is unknown; use one of \['aggregate', 'budget'"):
        await office.runs.execute_parallel(three(), zzz=1)  # type: ignore[call-arg]
    assert office.calls == []


INNER = Workflow("inner", tasks=[AgentTask("clerk")], budgets=[Budget(attempts=1)])


@pytest.mark.parametrize(
    "task", [SubWorkflow(INNER), ForEach([1, 2], INNER), Repeat(INNER, until="true")]
)
async def test_budgets_inside_another_workflow_are_refused_and_not_left_out(
    office: Office, task: Task
) -> None:
    with pytest.raises(PlanError, match="'inner', which it includes, has budgets"):
        await office.runs.execute_sequential([task])
    assert office.calls == []


async def test_time_of_calls_beside_each_other_counts_once() -> None:
    from nodes.budgeting import WorkingTime  # noqa: PLC0415

    wall = Wall()

    class Clock:
        def now(self) -> float:
            return wall.now

        async def sleep(self, _seconds: float) -> None:
            await asyncio.sleep(0)

    working = WorkingTime(Clock())
    working.begin()
    wall.now += 2
    working.begin()
    wall.now += 3
    assert working.end() == 5
    wall.now += 1
    assert working.uncharged == 1
    assert working.end() == 1
    wall.now += 100
    assert working.uncharged == 0


@pytest.mark.parametrize("limit", [None, 1])
async def test_tasks_beside_each_other_pause_before_the_call_that_is_one_too_many(
    office: Office, limit: int | None
) -> None:
    items = ForEach(range(8), AgentTask("clerk"), max_concurrency=limit)
    budget = Budget(attempts=2, on_exceeded="pause")
    result = await office.runs.execute_sequential([items], budget=budget, thread_id="t")
    assert (result.status, len(office.calls)) == ("interrupted", 2)
    asked = 0
    while result.status == "interrupted":
        asked += 1
        answers = {each.interrupt_id: "approve" for each in result.interrupts[:1]}
        result = await office.runs.resume("t", answers)
        assert len(office.calls) <= 2 + 2 * asked
    assert (result.status, len(office.calls)) == ("completed", 8)


async def test_parallel_tasks_with_retries_pause_too(office: Office) -> None:
    office.failures = 2
    tasks = [AgentTask("clerk", task_id=f"t{n}", retry=AT_ONCE) for n in range(4)]
    budget = Budget(attempts=3, on_exceeded="pause")
    result = await office.runs.execute_parallel(tasks, budget=budget, thread_id="t")
    assert (result.status, len(office.calls)) == ("interrupted", 3)
    while result.status == "interrupted":
        result = await office.runs.resume("t", {result.interrupts[0].interrupt_id: "approve"})
    assert (result.status, len(office.calls)) == ("completed", 6)


async def test_a_deleted_thread_leaves_its_spending_to_its_tenant_only(office: Office) -> None:
    budgets = [Budget(attempts=4, per="thread"), Budget(attempts=7, per="tenant")]
    ours: Any = {"budget": budgets, "tenant": "acme", "thread_id": "t"}
    for status in ("completed", "completed", "failed"):
        result = await office.runs.execute_sequential(three(), **ours)
        assert result.status == status
        engine = await office.runs._engine()
        await engine._database.retention.delete("t")
    assert len(office.calls) == 7
