"""Approvals as people meet them: a workflow pauses, somebody answers, it goes on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langchain_core.messages import SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from checkpoints.approvals import APPLIED, DEADLINE, DECIDED, LAPSED, PENDING, Answer
from orchestration import (
    AgentTask,
    AlreadyDecidedError,
    ApprovalPolicy,
    DecisionError,
    NotAllowedError,
    PlanError,
    RequestNotFoundError,
    TaskStatus,
    ThreadBusyError,
    ThreadPendingError,
    WorkflowResult,
    WorkflowStatus,
)
from orchestration import approvals as inbox_functions
from state.decision import Decider

if TYPE_CHECKING:
    from tests.unit.orchestration.conftest import Office

COMPLETED, REJECTED = WorkflowStatus.COMPLETED, WorkflowStatus.REJECTED
INTERRUPTED = WorkflowStatus.INTERRUPTED
HOUR = 3600.0
HOURLY = ApprovalPolicy(deadline=timedelta(hours=1))


def purchase(policy: ApprovalPolicy | bool = True) -> list[AgentTask]:  # noqa: FBT001, FBT002  as tasks take it
    return [
        AgentTask("tickets", {"count": 10}),
        AgentTask("finance", {"amount": 900, "note": "client"}, requires_approval=policy),
    ]


def edit(**arguments: object) -> dict[str, object]:
    return {"type": "edit", "edited_action": {"name": "finance", "args": arguments}}


async def pause(
    office: Office,
    policy: ApprovalPolicy | bool = True,  # noqa: FBT001, FBT002  as tasks take it
    user: str | None = None,
) -> WorkflowResult:
    paused = await office.coordinator.execute_sequential(purchase(policy), thread_id="t", user=user)
    assert paused.status == INTERRUPTED
    return paused


# -- answers ----------------------------------------------------------------------------


async def test_a_yes_lets_the_run_go_on(office: Office) -> None:
    paused = await pause(office)
    request = await office.asked()
    assert request.interrupt_id == paused.interrupts[0].interrupt_id
    assert (request.task_id, request.action, request.thread_id) == ("finance", "finance", "t")
    assert request.payload == paused.interrupts[0].value
    decided = await office.inbox.decide(request.request_id, "approve", by="Ann", comment="fine")
    assert decided.result is not None
    assert (decided.result.status, office.called()) == (COMPLETED, ["tickets", "finance"])
    assert await office.inbox.list_pending() == []
    assert await office.events(request) == ["requested", "decided", "applied"]


async def test_the_agent_gets_edited_arguments(office: Office) -> None:
    await pause(office)
    request = await office.asked()
    decided = await office.inbox.decide(request.request_id, edit(amount=500, note=""), by="Ann")
    assert decided.result is not None
    assert decided.result["finance"].output == {"by": "finance", "amount": 500, "note": ""}
    assert office.done[1:] == [("finance", {"amount": 500, "note": ""})]


async def test_a_person_may_answer_in_the_agents_place(office: Office) -> None:
    await pause(office)
    respond = {"decisions": [{"type": "respond", "message": "paid by card"}]}
    result = await office.coordinator.resume("t", {"finance": respond}, by="Ann")
    assert (result.status, result["finance"].status) == (COMPLETED, TaskStatus.SUCCEEDED)
    assert result["finance"].output == {"content": "paid by card", "answered_by": "Ann"}
    assert office.called() == ["tickets"]


async def test_a_no_stops_the_task_and_keeps_the_reason(office: Office) -> None:
    await pause(office)
    no = {"type": "reject", "message": "too dear"}
    result = await office.coordinator.resume("t", {"finance": no}, by="Ann")
    assert (result.status, result["finance"].status) == (REJECTED, TaskStatus.REJECTED)
    assert (result["finance"].reason, office.called()) == ("too dear", ["tickets"])


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        "",
        "perhaps",
        edit(amount="much"),
        edit(amout=5),
        {"type": "edit", "edited_action": {"name": "tickets", "args": {}}},
        {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    ],
    ids=repr,
)
async def test_what_is_no_answer_is_refused_and_the_question_stays(
    office: Office, answer: object
) -> None:
    await pause(office)
    request = await office.asked()
    for refused in (
        office.inbox.decide(request.request_id, answer, by="Ann"),
        office.coordinator.resume("t", {"finance": answer}, by="Ann"),
    ):
        with pytest.raises(DecisionError):
            await refused
    assert await office.asked() == request
    assert (await office.coordinator.resume("t")).status == INTERRUPTED
    assert office.called() == ["tickets"]
    assert await office.events(request) == ["requested"]


async def test_an_unknown_id_is_refused(office: Office) -> None:
    await pause(office)
    with pytest.raises(RequestNotFoundError):
        await office.inbox.decide("unknown", "approve", by="Ann")
    with pytest.raises(DecisionError, match=r"nothing waits under 'unknown'.*\['finance'\]"):
        await office.coordinator.resume("t", {"unknown": "approve"})
    assert (await office.asked()).status == PENDING


async def test_who_comes_second_learns_who_was_first(office: Office) -> None:
    await pause(office)
    request = await office.asked()
    await office.inbox.decide(request.request_id, "reject", by="Ann")
    with pytest.raises(AlreadyDecidedError, match="by Ann at 2027-01-15 08:00:00 UTC: reject"):
        await office.inbox.decide(request.request_id, "approve", by="Bob")
    with pytest.raises(AlreadyDecidedError) as lost:
        await office.coordinator.resume("t", {"finance": "approve"}, by="Bob")
    assert (lost.value.decided_by, lost.value.decision) == ("Ann", "reject")
    assert office.called() == ["tickets"]


async def test_of_two_at_once_one_wins_and_the_agent_is_called_once(office: Office) -> None:
    await pause(office)
    request = await office.asked()
    said = await asyncio.gather(
        *[office.inbox.decide(request.request_id, "approve", by=each) for each in "abcdefgh"],
        return_exceptions=True,
    )
    assert sum(isinstance(each, AlreadyDecidedError) for each in said) == 7
    assert (await office.coordinator.resume("t")).status == COMPLETED
    assert office.called() == ["tickets", "finance"]


async def test_new_input_to_a_paused_thread_is_refused_and_the_question_stays(
    office: Office,
) -> None:
    await pause(office)
    request = await office.asked()
    with pytest.raises(ThreadPendingError):
        await office.coordinator.execute_sequential([AgentTask("mail")], thread_id="t")
    assert await office.asked() == request
    assert (await office.coordinator.resume("t", {"finance": "approve"})).status == COMPLETED


async def test_after_its_end_a_thread_asks_anew_in_its_next_run(office: Office) -> None:
    await pause(office)
    first = await office.asked()
    await office.coordinator.resume("t", {"finance": "approve"}, by="Ann")
    await pause(office)
    assert (await office.asked()).request_id != first.request_id
    await office.coordinator.resume("t", {"finance": "reject"}, by="Ann")
    assert office.called() == ["tickets", "finance", "tickets"]


# -- policies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "asked"),
    [
        ("input.amount > 1000", False),
        ("input.amount > 500", True),
        ("outputs.tickets.count > 9", True),
        ("outputs.tickets.count > 10", False),
        ("outputs.nobody.price > 10", True),
        ("input.amount", True),
    ],
)
async def test_only_what_reaches_the_threshold_is_asked_about(
    office: Office, when: str, *, asked: bool
) -> None:
    tasks = purchase(ApprovalPolicy(when=when))
    result = await office.coordinator.execute_sequential(tasks, thread_id="t")
    assert result.status == (INTERRUPTED if asked else COMPLETED)
    assert len(await office.inbox.list_pending()) == asked
    assert office.called() == ["tickets"] if asked else ["tickets", "finance"]


async def test_two_people_have_to_agree_where_the_policy_says_so(office: Office) -> None:
    await pause(office, ApprovalPolicy(quorum=2))
    request = await office.asked()
    first = await office.inbox.decide(request.request_id, edit(amount=1), by="Ann")
    assert (first.result, first.request.votes) == (None, 1)
    assert "more people" in first.waits_for
    with pytest.raises(NotAllowedError, match="has answered already"):
        await office.inbox.decide(request.request_id, edit(amount=1), by=" ann")
    assert (await office.coordinator.resume("t")).status == INTERRUPTED
    second = await office.inbox.decide(request.request_id, edit(amount=1), by="Bob")
    assert second.result is not None
    assert second.result.status == COMPLETED
    assert office.done[1:] == [("finance", {"amount": 1})]


async def test_who_asked_may_not_decide(office: Office) -> None:
    await pause(office, user="Rita")
    request = await office.asked()
    assert request.requester == "Rita"
    with pytest.raises(NotAllowedError) as refused:
        await office.inbox.decide(request.request_id, "approve", by=" RITA ")
    assert refused.value.reason == "requester"
    with pytest.raises(NotAllowedError) as refused:
        await office.coordinator.resume("t", {"finance": "approve"})
    assert refused.value.reason == "nobody"
    result = await office.coordinator.resume("t", {"finance": "approve"}, by="Ann")
    assert result.status == COMPLETED


async def test_who_asked_may_decide_where_the_policy_says_so(office: Office) -> None:
    await pause(office, ApprovalPolicy(separation_of_duties=False), user="Rita")
    result = await office.coordinator.resume("t", {"finance": "approve"}, by="Rita")
    assert result.status == COMPLETED


async def test_only_a_role_of_the_policy_decides(office: Office) -> None:
    await pause(office, ApprovalPolicy(roles=["cfo"]))
    request = await office.asked()
    assert await office.inbox.list_pending(role="clerk") == []
    assert await office.inbox.list_pending(role="cfo") == [request]
    with pytest.raises(NotAllowedError, match=r"has the roles \['clerk'\].*\['cfo'\]") as refused:
        await office.inbox.decide(request.request_id, "approve", by="Ann", roles=["clerk"])
    assert refused.value.reason == "wrong_role"
    decided = await office.inbox.decide(request.request_id, "approve", by="Ann", roles=["cfo"])
    assert decided.result is not None
    assert decided.result.status == COMPLETED


async def test_a_policy_that_cannot_be_is_refused_before_anything_runs(office: Office) -> None:
    with pytest.raises(PlanError, match="quorum is 0"):
        await office.coordinator.execute_sequential(purchase(ApprovalPolicy(quorum=0)))
    assert office.done == []


# -- the clock --------------------------------------------------------------------------


async def test_after_the_deadline_an_answer_is_late_and_a_sweep_says_no(office: Office) -> None:
    await pause(office, HOURLY)
    request = await office.asked()
    office.wall.now += HOUR
    for late in (
        office.inbox.decide(request.request_id, "approve", by="Ann"),
        office.coordinator.resume("t", {"finance": "approve"}, by="Ann"),
    ):
        with pytest.raises(NotAllowedError, match="deadline has passed"):
            await late
    assert await office.asked() == request
    swept = await office.inbox.sweep()
    assert [due.event for due in swept.due] == ["expired"]
    assert [(each.thread_id, each.status) for each in swept.resumed] == [("t", REJECTED)]
    assert swept.resumed[0]["finance"].reason == "nobody decided before the deadline"
    assert await office.events(request) == ["requested", "expired", "applied"]
    assert office.called() == ["tickets"]
    with pytest.raises(AlreadyDecidedError, match=f"by {DEADLINE}"):
        await office.inbox.decide(request.request_id, "approve", by="Ann")


async def test_just_before_the_deadline_an_answer_counts(office: Office) -> None:
    await pause(office, HOURLY)
    office.wall.now += HOUR - 0.001
    assert (await office.coordinator.resume("t", {"finance": "approve"})).status == COMPLETED


@pytest.mark.parametrize("how", ["sweep", "sweeping", "resume"])
async def test_a_deadline_that_passed_while_no_process_ran_is_applied_at_the_next_start(
    durable_office: Office, how: str
) -> None:
    office = durable_office
    await pause(office, HOURLY)
    request = await office.asked()
    office.coordinator.close()
    office.wall.now += 90 * 24 * HOUR
    async with office.open() as later:
        if how == "resume":
            result = await later.resume("t")
        elif how == "sweep":
            (result,) = (await later.approvals.sweep()).resumed
        else:
            async with later.approvals.sweeping(every_seconds=HOUR), asyncio.timeout(30):
                while (await later.inspect("t"))[0].status == INTERRUPTED:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            result = await later.resume("t")
        assert (result.status, office.called()) == (REJECTED, ["tickets"])
        trail = await later.approvals.history(request.request_id)
        assert [(each.event, each.actor, each.decision) for each in trail[1:]] == [
            ("expired", DEADLINE, "reject"),
            ("applied", None, ""),
        ]
        assert trail[1].at == office.wall.now


async def test_a_sweep_tells_of_reminder_and_escalation_once(office: Office) -> None:
    await pause(
        office,
        ApprovalPolicy(
            roles=["manager"],
            reminder=timedelta(minutes=10),
            escalation=timedelta(minutes=20),
            escalate_to=["cfo"],
            deadline=timedelta(hours=1),
        ),
    )
    request = await office.asked()
    assert office.mailbox.told == [("requested", "finance")]
    office.wall.now += 600
    await asyncio.gather(office.inbox.sweep(), office.inbox.sweep())
    office.wall.now += 600
    await office.coordinator.resume("t")  # whoever comes by works it off, and tells of it
    await office.inbox.sweep()
    assert office.mailbox.told[1:] == [("reminded", "finance"), ("escalated", "finance")]
    decided = await office.inbox.decide(request.request_id, "approve", by="Cleo", roles=["cfo"])
    assert decided.result is not None
    assert decided.result.status == COMPLETED


# -- what else runs, ends or dies -------------------------------------------------------


def held_until(released: asyncio.Event, office: Office, agent_id: str) -> Callable[..., Any]:
    async def work(given: dict[str, Any]) -> dict[str, Any]:
        office.done.append((agent_id, given))
        async with asyncio.timeout(30):
            await released.wait()
        return {}

    return work


BESIDE = (
    AgentTask("finance", {"amount": 900}, requires_approval=True),
    AgentTask("tickets"),
    AgentTask("mail", depends_on=["tickets"]),
)


@pytest.mark.parametrize(
    ("answer", "status", "called"),
    [
        ("approve", COMPLETED, ["finance", "mail", "tickets"]),
        ("reject", REJECTED, ["mail", "tickets"]),
    ],
)
async def test_an_answer_beside_running_work_is_used_when_the_run_pauses(
    office: Office, answer: str, status: WorkflowStatus, called: list[str]
) -> None:
    released = asyncio.Event()
    office.hire("tickets", held_until(released, office, "tickets"))
    run = asyncio.create_task(office.coordinator.execute_parallel(BESIDE, thread_id="t"))
    request_id = (await office.mailbox.next()).request_id
    decided = await office.inbox.decide(request_id, answer, by="Ann")
    assert (decided.request.status, decided.result) == (DECIDED, None)
    assert "is running it" in decided.waits_for
    with pytest.raises(AlreadyDecidedError):
        await office.inbox.decide(request_id, "approve", by="Bob")
    released.set()
    result = await run
    assert (result.status, sorted(office.called())) == (status, called)
    assert (await office.inbox.get(request_id)).status == APPLIED


async def test_an_answer_by_resume_beside_running_work_is_recorded_too(office: Office) -> None:
    released = asyncio.Event()
    office.hire("tickets", held_until(released, office, "tickets"))
    run = asyncio.create_task(office.coordinator.execute_parallel(BESIDE, thread_id="t"))
    await office.mailbox.next()
    with pytest.raises(ThreadBusyError):
        await office.coordinator.resume("t", {"finance": "approve"}, by="Ann")
    released.set()
    assert (await run).status == COMPLETED
    assert sorted(office.called()) == ["finance", "mail", "tickets"]


async def test_a_cancelled_run_leaves_questions_and_answers_as_they_are(
    durable_office: Office,
) -> None:
    office, released = durable_office, asyncio.Event()
    office.hire("tickets", held_until(released, office, "tickets"))
    tasks = [*BESIDE, AgentTask("finance", task_id="second", requires_approval=True)]
    run = asyncio.create_task(office.coordinator.execute_parallel(tasks, thread_id="t"))
    waiting = [await office.mailbox.next() for _ in range(2)]
    first = next(each for each in waiting if each.task_id == "finance")
    await office.inbox.decide(first.request_id, "approve", by="Ann")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (await office.inbox.get(first.request_id)).status == DECIDED
    assert (await office.asked()).task_id == "second"
    released.set()
    (paused,) = (await office.inbox.sweep()).resumed
    assert (paused.status, [each.task_id for each in paused.interrupts]) == (
        INTERRUPTED, ["second"],
    )  # fmt: skip
    result = await office.coordinator.resume("t", {"second": "approve"}, by="Ann")
    assert result.status == COMPLETED
    assert sorted(office.called()) == ["finance", "finance", "mail", "tickets", "tickets"]


async def test_a_question_whose_run_ended_without_it_lapses(office: Office) -> None:
    released = asyncio.Event()

    async def fail(_given: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            await released.wait()
        raise RuntimeError("sold out")

    office.hire("tickets", fail)
    run = asyncio.create_task(
        office.coordinator.execute_parallel(BESIDE, thread_id="t", on_failure="fail_fast")
    )
    request_id = (await office.mailbox.next()).request_id
    released.set()
    assert (await run).status == WorkflowStatus.FAILED
    assert (await office.inbox.get(request_id)).status == LAPSED
    with pytest.raises(AlreadyDecidedError, match="lapsed"):
        await office.inbox.decide(request_id, "approve", by="Ann")
    assert "finance" not in office.called()


@pytest.mark.parametrize("answered", [False, True])
async def test_a_question_of_a_graph_lapses_with_its_run_too(
    office: Office, *, answered: bool
) -> None:
    released = asyncio.Event()

    async def fail(_given: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            await released.wait()
        raise RuntimeError("sold out")

    office.hire("tickets", seat_graph("which?"))
    office.hire("mail", fail)
    tasks = [AgentTask("tickets"), AgentTask("finance", requires_approval=True), AgentTask("mail")]
    run = asyncio.create_task(
        office.coordinator.execute_parallel(tasks, thread_id="t", on_failure="fail_fast")
    )
    both = [await office.mailbox.next() for _ in range(2)]
    question = next(each for each in both if each.kind == "question")
    if answered:
        await office.inbox.decide(question.request_id, "12A", by="Ann")
    released.set()
    assert (await run).status == WorkflowStatus.FAILED
    assert await office.inbox.list_pending() == []
    after = await office.inbox.get(question.request_id)
    assert after.status == (APPLIED if answered else LAPSED)


async def test_an_answer_recorded_by_a_process_that_died_is_taken_up_by_a_sweep(
    durable_office: Office,
) -> None:
    office = durable_office
    await pause(office)
    request = await office.asked()
    ledger = await office.coordinator.ledger()
    await ledger.decide([Answer(request.request_id, "approve")], Decider("Ann"))
    async with office.open() as later:
        (result,) = (await later.approvals.sweep()).resumed
        assert result.status == COMPLETED
        assert (await later.approvals.sweep()).resumed == []
    assert office.called() == ["tickets", "finance"]


@pytest.mark.parametrize("status", ["running", "interrupted"])
async def test_a_sweep_enters_what_a_dying_process_left_only_in_a_checkpoint(
    durable_office: Office, status: str
) -> None:
    office = durable_office
    await pause(office)
    office.coordinator.close()
    with closing(sqlite3.connect(office.database_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DELETE FROM orchestration_approvals")
        connection.execute(
            "UPDATE orchestration_threads SET status = ?, lease_holder = 'dead', "
            "lease_expires_at = 1",
            [status],
        )
        connection.commit()
    async with office.open() as later:
        assert await later.approvals.list_pending() == []
        assert (await later.approvals.sweep()).reconciled == ["t"]
        (request,) = await later.approvals.list_pending()
        assert (await later.approvals.sweep()).reconciled == []
        decided = await later.approvals.decide(request.request_id, "approve", by="Ann")
        assert decided.result is not None
        assert decided.result.status == COMPLETED
    assert office.called() == ["tickets", "finance"]


async def test_a_sweep_goes_on_where_one_thread_cannot(durable_office: Office) -> None:
    office = durable_office
    here = AgentTask("mail", condition=lambda: True)
    tasks = [AgentTask("finance", requires_approval=HOURLY), here]
    await office.coordinator.execute_sequential(tasks, thread_id="callable")
    await pause(office, HOURLY)
    office.coordinator.close()
    office.wall.now += HOUR
    async with office.open() as later:
        swept = await later.approvals.sweep()
        assert [each.thread_id for each in swept.resumed] == ["t"]
        ((thread_id, why),) = swept.left
        assert thread_id == "callable"
        assert "Python callable" in why


# -- questions of agents that are graphs ------------------------------------------------


class Booking(TypedDict, total=False):
    seats: list[str]


def seat_graph(*questions: object) -> Any:  # noqa: ANN401  LangGraph's type takes four parameters
    async def ask(state: Booking) -> Booking:
        return {"seats": [interrupt(question) for question in questions]}

    graph = StateGraph(Booking)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph.compile()


@pytest.mark.parametrize("questions", [("which?", "which else?"), ("which?", "which?")])
async def test_each_question_of_a_graph_is_answered_once(
    office: Office, questions: tuple[str, str]
) -> None:
    office.hire("tickets", seat_graph(*questions))
    paused = await office.coordinator.execute_sequential([AgentTask("tickets")], thread_id="t")
    assert paused.status == INTERRUPTED
    for question, seat in zip(questions, ("12A", "12B"), strict=True):
        request = await office.asked()
        assert (request.kind, request.payload) == ("question", question)
        decided = await office.inbox.decide(request.request_id, seat, by="Ann")
        with pytest.raises(AlreadyDecidedError):
            await office.inbox.decide(request.request_id, "1A", by="Bob")
    assert decided.result is not None
    assert decided.result.status == COMPLETED
    assert decided.result["tickets"].output == {"seats": ["12A", "12B"]}


@pytest.mark.parametrize("answer", [0, False, "", [], "12A", {"row": 12}, ["12A"]], ids=repr)
async def test_a_graph_gets_any_answer_as_it_is(office: Office, answer: object) -> None:
    office.hire("tickets", seat_graph("which?"))
    await office.coordinator.execute_sequential([AgentTask("tickets")], thread_id="t")
    decided = await office.inbox.decide((await office.asked()).request_id, answer, by="Ann")
    assert decided.result is not None
    assert decided.result.status == COMPLETED
    assert decided.result["tickets"].output == {"seats": [answer]}


@pytest.mark.parametrize("answer", [None, {}, object()], ids=["None", "{}", "object"])
async def test_a_graph_is_not_given_what_is_no_answer(office: Office, answer: object) -> None:
    office.hire("tickets", seat_graph("which?"))
    await office.coordinator.execute_sequential([AgentTask("tickets")], thread_id="t")
    with pytest.raises(DecisionError, match="no answer"):
        await office.inbox.decide((await office.asked()).request_id, answer, by="Ann")
    assert (await office.asked()).status == PENDING


@dataclass
class Seat:
    row: int
    taken: frozenset[str] = frozenset("AB")


class Flight(BaseModel):
    number: str
    day: date


@pytest.mark.parametrize(
    "question",
    [
        ("row", 12),
        {1: "a", "b": 2},
        {12, 13},
        timedelta(1),
        float("nan"),
        Seat(12),
        [Flight(number="LH1", day=date(2027, 1, 15))],
        SystemMessage("which?", id="1"),
    ],
    ids=lambda question: type(question).__name__,
)
async def test_a_graph_may_ask_with_more_than_json(office: Office, question: object) -> None:
    office.hire("tickets", seat_graph(question))
    await office.coordinator.execute_sequential([AgentTask("tickets")], thread_id="t")
    request = await office.asked()
    paused = await office.coordinator.resume("t")
    json.dumps(paused.as_json())
    assert await office.asked() == request
    decided = await office.inbox.decide(request.request_id, "12A", by="Ann")
    assert decided.result is not None
    assert decided.result["tickets"].output == {"seats": ["12A"]}


# -- the inbox without a coordinator ----------------------------------------------------


async def test_the_inbox_can_be_used_without_a_coordinator(durable_office: Office) -> None:
    office = durable_office
    await pause(office, replace(HOURLY, roles=["cfo"]), user="Rita")
    office.coordinator.close()
    url = office.database_url
    (request,) = await inbox_functions.list_pending(database_url=url, role="cfo")
    assert await inbox_functions.get(request.request_id, database_url=url) == request
    with pytest.raises(NotAllowedError):
        await inbox_functions.decide(request.request_id, "approve", by="Rita", database_url=url)
    decided = await inbox_functions.decide(
        request.request_id,
        "approve",
        by="Ann",
        roles=["cfo"],
        database_url=url,
        registry=office.agents,
    )
    assert decided.result is not None
    assert decided.result.status == COMPLETED
    trail = await inbox_functions.history(request.request_id, database_url=url)
    assert [each.event for each in trail] == ["requested", "decided", "applied"]
    swept = await inbox_functions.sweep(database_url=url, registry=office.agents)
    assert (swept.due, swept.resumed, swept.reconciled, swept.left) == ([], [], [], [])
