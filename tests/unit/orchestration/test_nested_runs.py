"""Nested and cyclic runs from outside: events, questions, stopping, forks, templates."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentSpec,
    AgentTask,
    ApprovalPolicy,
    DrainedError,
    ForEach,
    ForkError,
    NotAllowedError,
    Repeat,
    SubWorkflow,
    TaskStatus,
    Workflow,
    WorkflowResult,
    WorkflowStatus,
)
from orchestration.cli.tables import results, verdict
from orchestration.cli.words import event_line

if TYPE_CHECKING:
    from state.task import Task
    from tests.unit.orchestration.conftest import Office

Input = dict[str, Any]


def hire(office: Office, agent_id: str, handler: object) -> None:
    office.agents.register(AgentSpec(agent_id, handler=handler))


def do(agent: str = "tickets", **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask(agent, **terms)


def within(id_: str, *tasks: Task, **terms: Any) -> SubWorkflow:  # noqa: ANN401
    return SubWorkflow(Workflow(id_, tasks=tasks, **terms), task_id=id_)


class Gate:
    """An agent that says when it begins, and waits until it may end."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.keys: list[str] = []

    async def __call__(self, _input: Input, context: AgentContext) -> Input:
        self.keys.append(context.idempotency_key)
        self.begun.set()
        await self.may_end.wait()
        return {"done": True}


class Passing:
    """Hands over to the other until it was called so often; notes its keys."""

    def __init__(self, other: str, *, times: int) -> None:
        self.other, self.times = other, times
        self.keys: list[str] = []
        self.inputs: list[Input] = []

    async def __call__(self, given: Input, context: AgentContext) -> Input:
        self.keys.append(context.idempotency_key)
        self.inputs.append(given)
        if len(self.keys) == self.times:
            return {"agreed": True}
        return {"handoff_to": self.other, "message": f"no {len(self.keys)}", "reason": "too dear"}


def negotiation(office: Office, *, times: int = 2) -> tuple[Passing, Passing]:
    buyer, seller = Passing("seller", times=99), Passing("buyer", times=times)
    hire(office, "buyer", buyer)
    hire(office, "seller", seller)
    return buyer, seller


AGREED = "has(outputs.seller) && has(outputs.seller.agreed)"


# -- events ---------------------------------------------------------------------------------


async def told(office: Office, *tasks: Task, **options: Any) -> list[str]:  # noqa: ANN401
    """What the command line prints of a run, without times."""
    hire(office, "dice", dice)
    lines = [event_line(event) async for event in office.coordinator.stream(tasks, **options)]
    return [line[0].partition(" in ")[0] for line in lines if line]


async def dice(_given: Input, context: AgentContext) -> Input:
    if context.attempt == 1 and "#2" in context.run_id:
        raise AgentRefusedError("no")
    return {"ok": True}


async def test_what_happens_inside_is_told_by_path(office: Office) -> None:
    assert await told(office, do(), within("buy", do("finance"), do("mail"))) == [
        "→ tickets started",
        "✓ tickets succeeded",
        "→ buy started",
        "→ buy/finance started",
        "✓ buy/finance succeeded",
        "→ buy/mail started",
        "✓ buy/mail succeeded",
        "✓ buy succeeded",
    ]


async def test_each_turn_of_a_loop_is_told_anew(office: Office) -> None:
    loop = Repeat([do("dice"), do("mail")], until="false", task_id="loop")
    assert await told(office, loop) == [
        "→ loop started",
        "↻ loop: turn 1",
        "→ loop#1/dice started",
        "✓ loop#1/dice succeeded",
        "→ loop#1/mail started",
        "✓ loop#1/mail succeeded",
        "↻ loop: turn 2",
        "→ loop#2/dice started",
        "✗ loop#2/dice failed",
        "→ loop#2/mail started",
        "- loop#2/mail skipped: 'dice' did not succeed (failed)",
        "✗ loop failed",
    ]


async def test_items_are_told_by_number(office: Office) -> None:
    lines = await told(office, ForEach([1, 2], do(), task_id="all"))
    assert lines[0] == "→ all started"
    assert sorted(lines[1:5]) == [
        "→ all/0/tickets started",
        "→ all/1/tickets started",
        "✓ all/0/tickets succeeded",
        "✓ all/1/tickets succeeded",
    ]
    assert lines[5:] == ["✓ all succeeded"]
    lines = await told(office, ForEach([1, 2], [do(), do("mail")], task_id="all"))
    assert {"✓ all/0 succeeded", "✓ all/1 succeeded"} <= {*lines}


async def test_who_hands_over_to_whom_is_told_with_the_turn(office: Office) -> None:
    negotiation(office)
    tasks = [do("buyer"), do("seller")]
    lines = await told(office, *tasks, strategy="cyclic", until=AGREED)
    assert lines == [
        "↻ turn 1: buyer begins",
        "→ buyer started",
        "✓ buyer succeeded",
        "↻ turn 2: buyer hands over to seller: no 1",
        "→ seller started",
        "✓ seller succeeded",
        "↻ turn 3: seller hands over to buyer: no 1",
        "→ buyer started",
        "✓ buyer succeeded",
        "↻ turn 4: buyer hands over to seller: no 2",
        "→ seller started",
        "✓ seller succeeded",
        "· after turn 4 its end is reached",
    ]


async def test_the_turn_is_in_the_data_of_what_happens_in_it(office: Office) -> None:
    negotiation(office)
    talk = within("talk", do("buyer"), do("seller"), strategy="cyclic", until=AGREED)
    seen = [
        (event.kind, event.task_id, event.data["turn"], event.data.get("reason"))
        async for event in office.coordinator.stream([talk])
        if "turn" in event.data and event.kind != "task_started"
    ]
    assert seen[:4] == [
        ("turn_started", "talk/buyer", 1, ""),
        ("task_finished", "talk/buyer", 1, ""),
        ("turn_started", "talk/seller", 2, "too dear"),
        ("task_finished", "talk/seller", 2, ""),
    ]
    assert seen[-1] == ("turns_ended", "talk", 4, "")


async def test_undoing_inside_is_told_by_path(office: Office) -> None:
    async def refuse(_given: Input) -> Input:
        raise AgentRefusedError("no")

    hire(office, "refusing", refuse)
    undone = do(task_id="seat", compensate={"undo": True})
    lines = await told(office, within("trip", undone), do("refusing"))
    assert lines[-2:] == [
        "← undoing trip/seat",
        '✓ trip/seat undone: {"by": "tickets", "undo": true}',
    ]


# -- questions ------------------------------------------------------------------------------

BOSS = ApprovalPolicy(roles=("boss",))


async def test_the_policy_is_that_of_the_task_inside(office: Office) -> None:
    loop = Repeat([do(task_id="pay", requires_approval=BOSS)], until="true", task_id="loop")
    thread = (await office.coordinator.execute_sequential([within("buy", loop)])).thread_id
    asked = await office.asked()
    assert (asked.task_id, asked.kind, asked.policy["roles"]) == (
        "buy/loop#1/pay",
        "approval",
        ["boss"],
    )
    with pytest.raises(NotAllowedError):
        await office.coordinator.resume(thread, {"buy/loop#1/pay": "approve"}, by="ann")
    result = await office.coordinator.resume(
        thread, {asked.request_id: "approve"}, by="bob", roles=["boss"]
    )
    assert result.status == WorkflowStatus.COMPLETED


async def test_open_questions_of_branches_and_items_are_answered_in_any_order(
    office: Office,
) -> None:
    items = ForEach(["x", "y"], do(task_id="pay", requires_approval=True), task_id="all")
    branch = within("buy", do("finance", task_id="pay", requires_approval=BOSS), do("mail"))
    result = await office.coordinator.execute_parallel([items, branch])
    waiting = {each.task_id: each for each in await office.inbox.list_pending()}
    assert waiting.keys() == {"all/0/pay", "all/1/pay", "buy/pay"}
    thread = result.thread_id
    await office.inbox.decide(waiting["all/1/pay"].request_id, "approve", by="ann")
    await office.coordinator.resume(thread, {"buy/pay": "approve"}, by="bob", roles=["boss"])
    assert office.called() == ["tickets", "finance", "mail"]
    result = await office.coordinator.resume(thread, {"all/0/pay": "reject"}, by="ann")
    assert result.status == WorkflowStatus.REJECTED
    assert [str(each.status) for each in result["all"].tasks] == ["rejected", "succeeded"]


class Asked(TypedDict, total=False):
    question: Any
    answer: Any


async def ask(state: Asked) -> Asked:
    return {"answer": interrupt(state["question"])}


@pytest.mark.parametrize(
    ("path", "roles"),
    [
        ("buy/pay", ["boss"]),
        ("buy#1/pay", ["boss"]),
        ("all/0/pay", ["boss"]),
        ("all/9/pay", ["boss"]),
        ("buy", []),
        ("buy/pay/more", []),
        ("elsewhere", []),
    ],
)
async def test_an_agent_that_asks_for_a_task_gets_no_laxer_policy_than_that_task(
    office: Office, path: str, roles: list[str]
) -> None:
    graph = StateGraph(Asked)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    hire(office, "asking", graph.compile())
    question = {"task_id": path, "action_requests": [{"name": "pay", "args": {}}]}
    asking = AgentTask("asking", {"question": question})
    guarded = do(task_id="pay", requires_approval=BOSS)
    tasks = [within("deep", asking), within("buy", guarded), ForEach([1], guarded, task_id="all")]
    await office.coordinator.execute_sequential(tasks)
    assert [*(await office.asked()).policy["roles"]] == roles


async def test_agents_that_are_graphs_may_ask_inside_items_and_turns(office: Office) -> None:
    graph = StateGraph(Asked)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    hire(office, "asking", graph.compile())
    one = AgentTask("asking", input_from={"question": "item"}, task_id="one")
    loop = Repeat([ForEach([1, 2], one, task_id="all")], until="turn == 2", task_id="loop")
    result = await office.coordinator.execute_sequential([loop])
    answers = 0
    while result.interrupts:
        asked = result.interrupts[0]
        answers += 1
        said = {asked.interrupt_id: f"answer {answers} to {asked.value}"}
        result = await office.coordinator.resume(result.thread_id, said)
    assert answers == 4, "each item in each turn"
    items: Any = result["loop"].output["all"]
    assert [each["answer"].rpartition(" ")[2] for each in items["items"]] == ["1", "2"]


class Chosen(TypedDict, total=False):
    turn: int
    next: str


async def choose(state: Chosen) -> Chosen:
    return {"next": interrupt(f"who, after turn {state['turn']}?")}


async def test_a_supervisor_that_is_a_graph_may_ask_a_person_who_is_next(office: Office) -> None:
    graph = StateGraph(Chosen)
    graph.add_node("choose", choose)
    graph.add_edge(START, "choose")
    hire(office, "chief", graph.compile())
    result = await office.coordinator.execute_cyclic(
        [do(), do("mail")], supervisor=AgentTask("chief")
    )
    for name in ("mail", "tickets", "finish"):
        (asked,) = result.interrupts
        result = await office.coordinator.resume(result.thread_id, {asked.interrupt_id: name})
    assert result.status == WorkflowStatus.COMPLETED
    assert office.called() == ["mail", "tickets"]


# -- stopping -------------------------------------------------------------------------------


async def run_to(
    gate: Gate, run: Coroutine[Any, Any, WorkflowResult]
) -> asyncio.Future[WorkflowResult]:
    running = asyncio.ensure_future(run)
    async with asyncio.timeout(30):
        await gate.begun.wait()
    return running


async def test_a_cancelled_loop_ends_after_the_call_under_way(office: Office) -> None:
    gate = Gate()
    hire(office, "gate", gate)
    loop = Repeat([do("gate")], until="false", task_id="loop")
    run = office.coordinator.execute_sequential([loop], thread_id="t")
    running = await run_to(gate, run)
    await office.coordinator.cancel("t", by="ann")
    gate.may_end.set()
    result = await running
    assert result.status == WorkflowStatus.CANCELLED
    assert (result["loop"].status, result["loop"].turns) == ("cancelled", 1)
    assert "ann" in result["loop"].reason
    assert len(gate.keys) == 1


async def test_a_cancelled_cycle_ends_though_everybody_had_a_turn(office: Office) -> None:
    gate = Gate()
    hire(office, "gate", gate)
    run = office.coordinator.execute_cyclic(
        [do("gate")], supervisor="'gate'", thread_id="t", max_turns=9
    )
    running = await run_to(gate, run)
    await office.coordinator.cancel("t", by="ann")
    gate.may_end.set()
    result = await running
    assert result.status == WorkflowStatus.CANCELLED
    assert result.error is not None
    assert result.error["code"] == "cancelled"
    assert len(gate.keys) == 1


async def test_a_router_in_a_loop_is_cancelled_in_its_turn(office: Office) -> None:
    gate = Gate()
    hire(office, "gate", gate)
    pick = within("pick", do("mail"), strategy="conditional", router="'mail'")
    loop = Repeat([pick, do("gate")], until="false", task_id="loop")
    running = await run_to(gate, office.coordinator.execute_sequential([loop], thread_id="t"))
    await office.coordinator.cancel("t")
    gate.may_end.set()
    assert (await running).status == WorkflowStatus.CANCELLED


async def test_what_waits_inside_lapses_when_its_run_is_cancelled(office: Office) -> None:
    pay = do(task_id="pay", requires_approval=True)
    tasks = [ForEach([1, 2], pay, task_id="all"), within("buy", do())]
    paused = await office.coordinator.execute_sequential(tasks)
    result = await office.coordinator.cancel(paused.thread_id, by="ann")
    assert result is not None
    assert result.status == WorkflowStatus.CANCELLED
    assert await office.inbox.list_pending() == []
    assert [str(each.status) for each in result["all"].tasks] == ["cancelled", "cancelled"]
    assert result["buy"].status == TaskStatus.CANCELLED
    assert office.called() == []


@pytest.mark.parametrize("kind", ["sub-workflow", "loop", "items", "cycle"])
async def test_a_drained_run_goes_on_elsewhere_where_it_stood(
    durable_office: Office, kind: str
) -> None:
    office, gate = durable_office, Gate()
    hire(office, "gate", gate)
    body: list[Task] = [do(task_id="before"), do("gate"), do("mail")]
    options: dict[str, Any] = {"thread_id": "t", "strategy": "sequential"}
    tasks: list[Task]
    match kind:
        case "sub-workflow":
            tasks = [within("buy", *body)]
        case "loop":
            tasks = [Repeat(body, until="turn == 2", task_id="loop")]
        case "items":
            tasks = [ForEach([1], body, task_id="all")]
        case _:
            tasks = body
            options |= {
                "strategy": "cyclic",
                "supervisor": {
                    "turn == 0": "before",
                    "turn == 1": "gate",
                    "turn == 2": "mail",
                    "true": "finish",
                },
            }
    running = await run_to(gate, office.coordinator.execute_workflow(tasks, **options))
    office.coordinator.drain()
    gate.may_end.set()
    with pytest.raises(DrainedError):
        await running
    assert office.called() == ["tickets"]
    _, known = await office.coordinator.inspect("t")
    assert known.status == WorkflowStatus.INTERRUPTED
    other = office.open()
    result = await other.resume("t")
    other.close()
    assert result.status == WorkflowStatus.COMPLETED
    assert len(gate.keys) == len(set(gate.keys)) == (2 if kind == "loop" else 1)


def shown(result: WorkflowResult) -> list[str]:
    """What the command line's table of results says of each task."""
    table = results(result.as_json())
    paths, sayings = ([*map(str, table.columns[number].cells)] for number in (0, -1))
    return [f"{path}: {saying}" for path, saying in zip(paths, sayings, strict=True)]


# -- looking back ---------------------------------------------------------------------------


async def test_a_thread_inside_a_nested_plan_can_be_looked_at(office: Office) -> None:
    inner = within("buy", do(), do("finance", requires_approval=True))
    paused = await office.coordinator.execute_sequential([inner, do("mail")])
    record, known = await office.coordinator.inspect(paused.thread_id)
    assert record.status == WorkflowStatus.INTERRUPTED
    assert known["buy"].status == TaskStatus.PENDING
    assert [(task.task_id, str(task.status)) for task in known["buy"].tasks] == [
        ("tickets", "succeeded"),
        ("finance", "pending"),
    ]
    assert shown(known)[:4] == [
        "buy: 1 of 2 inside succeeded",
        'buy/tickets: {"by": "tickets"}',
        "buy/finance: ",
        "mail: ",
    ]
    moments = await office.coordinator.timeline(paused.thread_id)
    assert moments[0].asks == ("buy/finance",)
    assert [each.thread_id for each in await office.coordinator.threads()] == [paused.thread_id]


async def test_the_innermost_of_a_run_under_way_is_found_from_outside(office: Office) -> None:
    gate = Gate()
    hire(office, "gate", gate)
    loop = Repeat([do("gate")], until="true", task_id="loop")
    tasks = [within("buy", ForEach([1], [do(), loop], task_id="all"))]
    running = await run_to(gate, office.coordinator.execute_sequential(tasks, thread_id="t"))
    _, known = await office.coordinator.inspect("t")
    gate.may_end.set()
    await running
    assert [line.partition(": ")[0] for line in shown(known)] == [
        "buy",
        "buy/all",
        "buy/all/0",
        "buy/all/0/tickets",
        "buy/all/0/loop",
        "buy/all/0/loop/gate",
    ]


async def test_the_verdict_says_why_a_cycle_ended(office: Office) -> None:
    result = await office.coordinator.execute_cyclic([do()], supervisor="'tickets'", max_turns=1)
    assert "1 turns were taken, as many as allowed" in str(verdict(result.as_json()))


async def test_a_fork_keeps_whole_tasks_and_does_the_others_anew(office: Office) -> None:
    first = within("first", do(task_id="a"))
    second = within("second", do(task_id="b"), do("finance", requires_approval=True))
    paused = await office.coordinator.execute_sequential([first, second])
    await office.coordinator.resume(paused.thread_id, {"second/finance": "reject"}, by="ann")
    with pytest.raises(ForkError, match="made of others"):
        await office.coordinator.fork(paused.thread_id, inputs={"second": {}}, user="ann")
    made = await office.coordinator.fork(paused.thread_id)
    again = await office.coordinator.resume(made)
    assert [each.task_id for each in again.interrupts] == ["second/finance"], "asked anew"
    result = await office.coordinator.resume(made, {"second/finance": "approve"}, by="ann")
    assert result.status == WorkflowStatus.COMPLETED
    assert office.called() == ["tickets", "tickets", "tickets", "finance"]


async def test_what_was_undone_inside_does_not_stand_in_a_fork(office: Office) -> None:
    async def refuse(_given: Input) -> Input:
        raise AgentRefusedError("no")

    hire(office, "refusing", refuse)
    trip = within("trip", do(compensate={"undo": True}))
    failed = await office.coordinator.execute_sequential([trip, do("refusing")])
    assert failed["trip"].status == TaskStatus.COMPENSATED
    before = next(
        moment
        for moment in await office.coordinator.timeline(failed.thread_id)
        if moment.outcomes.get("trip") == "succeeded"
    )
    made = await office.coordinator.fork(failed.thread_id, checkpoint_id=before.checkpoint_id)
    await office.coordinator.resume(made)
    bought = [given for agent, given in office.done if agent == "tickets" and not given]
    assert len(bought) == 2, "it is bought again, as it was given back"


async def test_a_fork_of_a_cycle_goes_on_with_its_turn_and_what_was_handed_over(
    office: Office,
) -> None:
    buyer, seller = negotiation(office)
    tasks = [do("buyer"), do("seller")]
    done = await office.coordinator.execute_cyclic(tasks, until=AGREED)
    third = next(
        moment
        for moment in reversed(await office.coordinator.timeline(done.thread_id))
        if moment.next == ("buyer",) and "seller" in moment.outcomes
    )
    made = await office.coordinator.fork(done.thread_id, checkpoint_id=third.checkpoint_id)
    seller.keys.clear()
    result = await office.coordinator.resume(made)
    assert buyer.inputs[2]["handoff"] == buyer.inputs[1]["handoff"]
    assert [each["turn"] for each in result.turns][:3] == [1, 2, 3]
    assert [key.partition(":")[2] for key in buyer.keys[:4]] == [
        "buyer#1",
        "buyer#3",
        "buyer#3",
        "buyer#5",
    ]
    assert len(set(buyer.keys)) == len(buyer.keys), "its keys are its own"
    assert result.status == WorkflowStatus.COMPLETED


async def test_a_cycle_that_needs_a_callable_in_any_turn_cannot_be_forked(office: Office) -> None:
    negotiation(office)
    tasks = [do("buyer", condition=lambda: True), do("seller")]
    done = await office.coordinator.execute_cyclic(tasks, until=AGREED)
    with pytest.raises(ForkError, match="the condition of task 'buyer'"):
        await office.coordinator.fork(done.thread_id)


NOTHING: Any = {}

# -- the graph itself -----------------------------------------------------------------------


async def test_a_nested_template_runs_bare_twice_and_asks(office: Office) -> None:
    inner = within("buy", do(), do("finance", requires_approval=True))
    items = ForEach("[1, 2, 3]", do("mail"), max_concurrency=2, task_id="all")
    graph = office.coordinator.compile([inner, Repeat([items], until="turn == 2", task_id="loop")])
    graph.checkpointer = MemorySaver()
    keys = set()
    for thread in ("one", "two", "one"):
        config: Any = {"configurable": {"thread_id": thread}}
        paused = await graph.ainvoke(NOTHING, config)
        (asked,) = paused["__interrupt__"]
        assert asked.value["task_id"] == "buy/finance"
        answer: Any = Command(resume={asked.id: {"decisions": [{"type": "approve"}]}})
        values = await graph.ainvoke(answer, config)
        assert {id_: each["status"] for id_, each in values["outcomes"].items()} == {
            "buy": "succeeded",
            "loop": "succeeded",
        }
        keys.add(values["outcomes"]["loop"]["turns"])
    assert keys == {2}
    assert office.called().count("mail") == 3 * 2 * 3


async def test_a_cyclic_template_runs_bare_twice(office: Office) -> None:
    _, seller = negotiation(office)
    tasks = [do("buyer"), do("seller")]
    graph = office.coordinator.compile(tasks, strategy="cyclic", until=AGREED)
    graph.checkpointer = MemorySaver()
    config: Any = {"configurable": {"thread_id": "one"}}
    for _ in range(2):
        seller.keys.clear()
        values = await graph.ainvoke(NOTHING, config)
        assert values["outcomes"]["seller"]["output"] == {"agreed": True}
        assert [each["turn"] for each in values["turns"]] == [1, 2, 3, 4, 4]
