"""Cyclic plans: who is next, why, and what ends it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nodes.concurrency import ConcurrencyLimit
from orchestration import AgentContext, AgentRefusedError
from orchestration.engines.local_parts import LocalParts
from state.errors import CallableLostError
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask, ForEach, SubWorkflow
from state.workflow import Workflow

if TYPE_CHECKING:
    from state.result import WorkflowResult
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
CYCLIC = "cyclic"


class Script:
    """An agent that answers with what is written, line by line, and notes what it got."""

    def __init__(self, *lines: Input | Exception) -> None:
        self.lines = list(lines)
        self.inputs: list[Input] = []
        self.contexts: list[AgentContext] = []

    async def __call__(self, given: Input, context: AgentContext) -> Input:
        self.inputs.append(given)
        self.contexts.append(context)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        return line

    @property
    def keys(self) -> list[str]:
        return [context.idempotency_key for context in self.contexts]


def to(target: str, message: str = "", reason: str = "") -> Input:
    return {"handoff_to": target, "message": message, "reason": reason}


def turns(result: WorkflowResult) -> list[tuple[int, str | None, str]]:
    return [(each["turn"], each["task"], each["by"]) for each in result.turns]


BUYER, SELLER = AgentTask("buyer"), AgentTask("seller", {"messages": [{"role": "system"}]})


async def test_two_negotiate_until_they_agree(bench: Bench) -> None:
    buyer = Script(to("seller", "80?", "to open"), {**to("seller", "90?"), "price": 90})
    seller = Script(to("buyer", "100!"), {"agreed": True})
    bench.hire(buyer=buyer, seller=seller)
    result = await bench.run(
        BUYER, SELLER, strategy=CYCLIC, until="has(outputs.seller) && has(outputs.seller.agreed)"
    )
    assert result.status == WorkflowStatus.COMPLETED
    assert turns(result) == [
        (1, "buyer", "start"),
        (2, "seller", "handoff"),
        (3, "buyer", "handoff"),
        (4, "seller", "handoff"),
        (4, None, "until"),
    ]
    assert seller.inputs[0] == {
        "messages": [{"role": "system"}, {"role": "user", "content": "80?"}],
        "handoff": {"from": "buyer", "message": "80?", "reason": "to open"},
    }
    assert "handoff" not in buyer.inputs[0]
    assert buyer.keys == ["run:buyer#1", "run:buyer#3"]
    assert dict(seller.contexts[1].upstream)["buyer"]["price"] == 90


async def test_turns_run_out_and_what_was_achieved_is_kept(bench: Bench) -> None:
    bench.hire(buyer=Script(to("seller")), seller=Script(to("buyer")))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, max_turns=3)
    assert result.status == WorkflowStatus.PARTIAL
    assert result.error is not None
    assert result.error["code"] == "out_of_turns"
    assert "3 turns" in result.error["message"]
    assert "'seller'" in result.error["message"]
    assert turns(result)[-1] == (3, None, "max_turns")
    assert result["buyer"].output == to("seller")


async def test_a_task_hands_over_to_itself_a_capability_or_an_agent(bench: Bench) -> None:
    buyer = Script(to("buyer"), to("price_quote"))
    bench.hire(buyer=buyer)
    seller = Script(to("boss"))
    bench.agents.register(_spec("seller", ["price_quote"], seller))
    boss = Script({"done": True})
    bench.hire(boss=boss)
    tasks = [
        BUYER,
        AgentTask(capability="price_quote", task_id="quote"),
        AgentTask("boss", task_id="last"),
    ]
    result = await bench.run(*tasks, strategy=CYCLIC)
    assert [each[1] for each in turns(result)] == ["buyer", "buyer", "quote", "last", None]
    assert result.turns[-1]["by"] == "end", "nobody is next"
    assert result.status == WorkflowStatus.COMPLETED


def _spec(agent_id: str, capabilities: list[str], handler: object) -> Any:  # noqa: ANN401
    from orchestration import AgentSpec  # noqa: PLC0415

    return AgentSpec(agent_id, capabilities, handler=handler)


@pytest.mark.parametrize("target", ["nobody", 7, ["seller"], ""])
async def test_a_handoff_to_nobody_here_ends_it_with_an_error(bench: Bench, target: object) -> None:
    bench.hire(buyer=Script({"handoff_to": target}), seller=Script({}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC)
    assert result.status == WorkflowStatus.PARTIAL
    assert result.error is not None
    assert result.error["code"] == "bad_handoff"
    assert "'seller'" in result.error["message"]
    assert result["seller"].status == TaskStatus.SKIPPED


async def test_a_failure_ends_it_unless_it_may_go_on(bench: Bench) -> None:
    bench.hire(buyer=Script(AgentRefusedError("no")), seller=Script({"done": True}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor="'seller'")
    assert result["buyer"].status == TaskStatus.SKIPPED
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC)
    assert result.status == WorkflowStatus.FAILED
    assert turns(result)[-1][2] == "failure"
    result = await bench.run(
        BUYER,
        SELLER,
        strategy=CYCLIC,
        on_failure="continue",
        start="buyer",
        supervisor={"outcomes.buyer.status == 'failed' && turn == 1": "seller", "true": "finish"},
    )
    assert [each[1] for each in turns(result)] == ["buyer", "seller", None]
    assert result.status == WorkflowStatus.PARTIAL


async def test_an_end_that_cannot_be_told_is_an_error(bench: Bench) -> None:
    bench.hire(buyer=Script({}), seller=Script({}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, until="outputs.buyer.price > 1")
    assert result.error is not None
    assert result.error["code"] == "condition_failed"
    assert "price" in result.error["message"]


@pytest.mark.parametrize(
    "supervisor",
    [
        {"turn == 0": "buyer", "turn == 1": "seller", "true": "finish"},
        "turn == 0 ? 'buyer' : turn == 1 ? 'seller' : 'FINISH'",
        lambda outcomes: ["buyer", "seller", None][len(outcomes)],
        lambda outcomes: ["buyer", "seller", "finish"][len(outcomes)],
    ],
    ids=["map", "CEL", "callable that says nothing", "callable"],
)
async def test_a_supervisor_picks_who_is_next(bench: Bench, supervisor: Any) -> None:  # noqa: ANN401
    buyer = Script({"x": 1})
    bench.hire(buyer=buyer, seller=Script({"x": 2}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=supervisor)
    assert turns(result) == [
        (1, "buyer", "supervisor"),
        (2, "seller", "supervisor"),
        (2, None, "supervisor"),
    ]
    assert result.status == WorkflowStatus.COMPLETED


@pytest.mark.parametrize("supervisor", ["'nobody'", "turn", {"turn == 0": "buyer"}])
async def test_a_supervisor_that_names_nobody_here_is_an_error(
    bench: Bench,
    supervisor: Any,  # noqa: ANN401
) -> None:
    bench.hire(buyer=Script({"x": 1}), seller=Script({"x": 2}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=supervisor)
    assert result.error is not None
    assert result.error["code"] in {"supervisor_failed", "condition_failed"}


async def test_an_agent_supervises_and_is_told_how_things_stand(bench: Bench) -> None:
    chief = Script(
        {"next": "buyer", "message": "buy", "reason": "first"}, {"next": "seller"}, {"finish": True}
    )
    buyer = Script({"x": 1})
    bench.hire(chief=chief, buyer=buyer, seller=Script({"x": 2}))
    supervisor = AgentTask("chief", {"goal": "a deal"})
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=supervisor)
    assert result.status == WorkflowStatus.COMPLETED
    assert chief.keys == [f"run:supervisor#{turn}" for turn in (0, 1, 2)]
    told = chief.inputs[1]
    assert told["goal"] == "a deal"
    assert told["turn"] == 1
    assert told["tasks"]["buyer"]["status"] == "succeeded"
    assert told["turns"][0]["reason"] == "first"
    assert dict(chief.contexts[1].upstream) == {"buyer": {"x": 1}}
    assert buyer.inputs[0]["handoff"]["from"] == "supervisor"


@pytest.mark.parametrize("reply", [{}, {"next": None}, {"next": "finish"}, {"next": "Finish"}])
async def test_a_supervising_agent_that_names_nobody_is_done(bench: Bench, reply: Input) -> None:
    bench.hire(chief=Script({"next": "buyer"}, reply), buyer=Script({}), seller=Script({}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=AgentTask("chief"))
    assert result.status == WorkflowStatus.COMPLETED
    assert result["seller"].status == TaskStatus.SKIPPED


@pytest.mark.parametrize(
    "reply", [{"next": "nobody"}, {"next": 7}, AgentRefusedError("tired"), RuntimeError("broken")]
)
async def test_a_supervising_agent_that_fails_is_an_error(bench: Bench, reply: Any) -> None:  # noqa: ANN401
    bench.hire(chief=Script({"next": "buyer"}, reply), buyer=Script({"x": 1}), seller=Script({}))
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=AgentTask("chief"))
    assert result.status == WorkflowStatus.PARTIAL
    assert result.error is not None
    assert result.error["code"] == "supervisor_failed"
    assert result["buyer"].output == {"x": 1}


async def test_a_supervising_agent_that_hangs_is_given_up(bench: Bench) -> None:
    async def hang(_given: Input) -> Input:
        await asyncio.Event().wait()
        return {}

    bench.hire(chief=hang, buyer=Script({"x": 1}), seller=Script({}))
    supervisor = AgentTask("chief", timeout=0.01)
    result = await bench.run(BUYER, SELLER, strategy=CYCLIC, supervisor=supervisor, start="buyer")
    assert result.error is not None
    assert "did not answer within" in result.error["message"]


async def test_supervisors_count_among_the_calls_at_once(bench: Bench) -> None:
    running, most = 0, 0

    async def count(_given: Input) -> Input:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return {"next": "finish"}

    bench.hire(chief=count, buyer=Script({}))
    bench.slots = ConcurrencyLimit(2)
    talk = Workflow("talk", tasks=[BUYER], strategy=CYCLIC, supervisor=AgentTask("chief"))
    await bench.run(ForEach([*range(8)], talk, task_id="all"))
    assert most == 2


async def test_each_turn_is_approved_and_tried_for_itself(bench: Bench) -> None:
    patient = RetryPolicy(max_attempts=2, initial_delay=timedelta(seconds=1), jitter=False)
    buyer = Script(RuntimeError("x"), to("buyer"), RuntimeError("x"), {"done": True})
    bench.hire(buyer=buyer)
    task = AgentTask("buyer", requires_approval=True, retry=patient)
    paused = await bench.run(task, strategy=CYCLIC)
    assert [each.task_id for each in paused.interrupts] == ["buyer"]
    first = paused.interrupts[0].interrupt_id
    paused = await bench.answer(buyer="approve")
    assert len(buyer.contexts) == 2
    assert [each.interrupt_id == first for each in paused.interrupts] == [False]
    result = await bench.answer(buyer="approve")
    assert result.status == WorkflowStatus.COMPLETED
    assert [(each.idempotency_key, each.attempt) for each in buyer.contexts] == [
        ("run:buyer#1", 1),
        ("run:buyer#1", 2),
        ("run:buyer#2", 1),
        ("run:buyer#2", 2),
    ]


async def test_a_rejected_turn_ends_it(bench: Bench) -> None:
    bench.hire(buyer=Script(to("seller")), seller=Script(to("buyer")))
    task = AgentTask("seller", requires_approval=True)
    await bench.run(BUYER, task, strategy=CYCLIC, on_failure="continue")
    result = await bench.answer(seller="reject")
    assert result.status == WorkflowStatus.REJECTED
    assert result["buyer"].succeeded


async def test_a_whole_workflow_may_have_turns(bench: Bench) -> None:
    step = Script({"n": 1})
    bench.hire(buyer=Script(to("work"), to("work"), {"done": True}), step=step)
    work = SubWorkflow(Workflow("w", tasks=[AgentTask("step")]), task_id="work")
    result = await bench.run(
        BUYER,
        work,
        strategy=CYCLIC,
        supervisor="'buyer'",
        until="has(outputs.buyer.done)",
    )
    assert step.keys == ["run/work#2:step", "run/work#4:step"]
    assert result["work"].output == {"step": {"n": 1}}
    assert result["work"].turns == 4


async def test_callables_of_a_cycle_are_missed_elsewhere_in_any_turn(bench: Bench) -> None:
    bench.hire(buyer=Script(to("seller")), seller=Script({}))
    task = AgentTask("seller", requires_approval=True)
    paused = await bench.run(
        AgentTask("buyer", condition=lambda: True),
        task,
        strategy=CYCLIC,
        until=lambda: False,
        supervisor=lambda outcomes: "finish" if "buyer" in outcomes else "buyer",
    )
    (asked,) = paused.interrupts
    with pytest.raises(CallableLostError) as lost:
        await bench.engine.matched("thread", {asked.task_id: "approve"}, LocalParts())
    for use in ("the condition of task 'buyer'", "the supervisor", "the end of the cycle"):
        assert use in str(lost.value)
    result = await bench.answer(seller="approve")
    assert result.status == WorkflowStatus.COMPLETED
