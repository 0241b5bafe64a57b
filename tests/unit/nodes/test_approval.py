from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nodes.approval import approval_record
from state.approval import DECISION_TYPES
from state.decision import read_answer
from state.errors import AlreadyDecidedError, DecisionError
from state.failure_mode import FailureMode, quorum
from state.retry import RetryPolicy
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]
APPROVE: dict[str, Any] = {"decisions": [{"type": "approve"}]}
REJECT: dict[str, Any] = {"decisions": [{"type": "reject", "message": "too dear"}]}
WAYS = ["sequential", "parallel"]
NO_ANSWERS: list[object] = [
    None,
    {},
    True,
    "yes",
    [],
    {"decisions": []},
    {"decisions": [{"type": "maybe"}]},
    {"decisions": [{"type": "edit", "args": {}}]},
    {"decisions": [{"type": "approve"}, {"type": "reject"}]},
    {"decisions": [{"type": "reject", "message": 5}]},
    {"decisions": {"type": "approve"}},
]


class Clerk:
    """Notes what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[Input] = []

    async def __call__(self, given: Input) -> Input:
        self.done.append(given)
        return {"price": 7}


def hire_clerks(bench: Bench) -> tuple[Clerk, Clerk]:
    buyer, payer = Clerk(), Clerk()
    bench.hire(buyer=buyer, payer=payer)
    return buyer, payer


PURCHASE = (
    AgentTask("buyer", {"n": 1}),
    AgentTask("payer", {"n": 2, "requires_approval": True}, depends_on=["buyer"]),
)


@pytest.mark.parametrize("strategy", WAYS)
async def test_the_run_pauses_with_the_question(bench: Bench, strategy: str) -> None:
    buyer, payer = hire_clerks(bench)
    result = await bench.run(*PURCHASE, strategy=strategy)
    assert result.status == WorkflowStatus.INTERRUPTED
    assert (len(buyer.done), len(payer.done)) == (1, 0)
    assert (result["buyer"].status, result["payer"].status) == (
        TaskStatus.SUCCEEDED, TaskStatus.PENDING,
    )  # fmt: skip
    (question,) = result.interrupts
    assert question.task_id == "payer"
    assert question.value == {
        "action_requests": [
            {
                "name": "payer",
                "args": {"n": 2, "requires_approval": True},
                "arguments": {"n": 2, "requires_approval": True},
                "description": "May payer do task 'payer'?",
            }
        ],
        "review_configs": [{"action_name": "payer", "allowed_decisions": [*DECISION_TYPES]}],
        "task_id": "payer",
        "upstream": {"buyer": {"price": 7}},
        "requester": None,
    }


@pytest.mark.parametrize("strategy", WAYS)
async def test_after_a_yes_it_goes_on_and_nothing_is_done_twice(
    bench: Bench, strategy: str
) -> None:
    buyer, payer = hire_clerks(bench)
    await bench.run(*PURCHASE, strategy=strategy)
    result = await bench.answer(payer=APPROVE)
    assert (result.status, result.interrupts) == (WorkflowStatus.COMPLETED, ())
    assert (len(buyer.done), len(payer.done)) == (1, 1)


@pytest.mark.parametrize("strategy", WAYS)
async def test_after_a_no_the_task_is_rejected_and_what_builds_on_it_skipped(
    bench: Bench, strategy: str
) -> None:
    _, payer = hire_clerks(bench)
    after = AgentTask("buyer", task_id="after", depends_on=["payer"])
    await bench.run(*PURCHASE, after, strategy=strategy)
    result = await bench.answer(payer=REJECT)
    assert result.status == WorkflowStatus.REJECTED
    assert (result["payer"].status, result["payer"].reason) == (TaskStatus.REJECTED, "too dear")
    assert result["after"].status == TaskStatus.SKIPPED
    assert payer.done == []


async def test_a_question_may_be_answered_by_its_id(bench: Bench) -> None:
    hire_clerks(bench)
    paused = await bench.run(*PURCHASE)
    result = await bench.answer(**{paused.interrupts[0].interrupt_id: APPROVE})
    assert result.status == WorkflowStatus.COMPLETED


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=repr)
async def test_what_is_no_answer_is_refused_and_the_question_stays(
    bench: Bench, answer: object
) -> None:
    _, payer = hire_clerks(bench)
    paused = await bench.run(*PURCHASE)
    with pytest.raises(DecisionError):
        await bench.answer(payer=answer)
    again = await bench.answer()
    assert (again.status, again.interrupts) == (WorkflowStatus.INTERRUPTED, paused.interrupts)
    assert payer.done == []
    assert (await bench.answer(payer=APPROVE)).status == WorkflowStatus.COMPLETED


async def test_an_answer_to_nothing_names_what_waits(bench: Bench) -> None:
    hire_clerks(bench)
    await bench.run(*PURCHASE)
    with pytest.raises(
        DecisionError, match=r"nothing waits under 'buyer'; waiting are \['payer'\]"
    ):
        await bench.answer(buyer=APPROVE)


async def test_a_finished_run_takes_no_second_answer(bench: Bench) -> None:
    _, payer = hire_clerks(bench)
    await bench.run(*PURCHASE)
    await bench.answer(payer=APPROVE)
    with pytest.raises(AlreadyDecidedError, match="nothing waits under 'payer' any more") as lost:
        await bench.answer(payer=REJECT)
    assert (lost.value.decision, lost.value.status) == ("approve", "applied")
    assert (await bench.answer()).status == WorkflowStatus.COMPLETED
    assert len(payer.done) == 1


@pytest.mark.parametrize(
    ("word", "status"),
    [("approve", WorkflowStatus.COMPLETED), ("reject", WorkflowStatus.REJECTED)],
)
async def test_a_word_is_an_answer_too(bench: Bench, word: str, status: WorkflowStatus) -> None:
    hire_clerks(bench)
    await bench.run(*PURCHASE)
    assert (await bench.answer(payer=word)).status == status


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=repr)
def test_an_unclear_answer_counts_as_no_if_it_comes_through(answer: object) -> None:
    assert isinstance(read_answer(answer), str)
    assert approval_record(answer)["decision"] == "reject"


@pytest.mark.parametrize("strategy", WAYS)
@pytest.mark.parametrize(
    ("condition", "status"), [("1 > 2", TaskStatus.SKIPPED), ("outputs.x.y", TaskStatus.FAILED)]
)
async def test_nobody_is_asked_about_what_will_not_run(
    bench: Bench, condition: str, status: TaskStatus, strategy: str
) -> None:
    _, payer = hire_clerks(bench)
    task = AgentTask("payer", condition=condition, requires_approval=True, retry=RetryPolicy())
    result = await bench.run(task, strategy=strategy)
    assert (result.interrupts, result["payer"].status) == ((), status)
    assert payer.done == []


async def test_nobody_is_asked_where_something_before_failed(bench: Bench) -> None:
    async def fail(_input: Input) -> Input:
        raise RuntimeError("broken")

    bench.hire(buyer=fail, payer=Clerk())
    result = await bench.run(*PURCHASE)
    assert (result.interrupts, result.status) == ((), WorkflowStatus.FAILED)


async def test_two_questions_are_answered_one_at_a_time(bench: Bench) -> None:
    buyer, payer = hire_clerks(bench)
    tasks = [AgentTask(id_, requires_approval=True) for id_ in ("buyer", "payer")]
    paused = await bench.run(*tasks, strategy="parallel")
    assert sorted(each.task_id for each in paused.interrupts) == ["buyer", "payer"]
    paused = await bench.answer(payer=APPROVE)
    assert [each.task_id for each in paused.interrupts] == ["buyer"]
    result = await bench.answer(buyer=REJECT)
    assert result.status == WorkflowStatus.REJECTED
    assert (len(buyer.done), len(payer.done)) == (0, 1)


async def test_work_beside_a_question_goes_on_and_is_kept(bench: Bench) -> None:
    buyer, _ = hire_clerks(bench)
    tasks = [
        AgentTask("payer", requires_approval=True),
        AgentTask("buyer"),
        AgentTask("buyer", task_id="more", depends_on=["buyer"]),
    ]
    paused = await bench.run(*tasks, strategy="parallel")
    assert len(buyer.done) == 2
    assert [task.task_id for task in paused if task.succeeded] == ["buyer", "more"]
    assert (await bench.answer(payer=APPROVE)).status == WorkflowStatus.COMPLETED
    assert len(buyer.done) == 2


@pytest.mark.parametrize("mode", [quorum(1), FailureMode("fail_fast")], ids=lambda mode: mode.kind)
async def test_a_question_lapses_when_the_run_ends_without_it(
    bench: Bench, mode: FailureMode
) -> None:
    asked = asyncio.Event()

    async def later(_input: Input) -> Input:
        async with asyncio.timeout(5):
            while not asked.is_set():  # noqa: ASYNC110  the question has no event
                await asyncio.sleep(0)
        if mode.kind == "fail_fast":
            raise RuntimeError("broken")
        return {}

    async def first(_input: Input) -> Input:
        asyncio.get_running_loop().call_later(0.05, asked.set)
        return {}

    bench.hire(buyer=later, payer=first)
    tasks = [
        AgentTask("payer", requires_approval=True),
        AgentTask("buyer"),
        AgentTask("payer", task_id="clock"),
    ]
    wanted = quorum(2) if mode.kind == "quorum" else mode
    result = await bench.run(*tasks, strategy="parallel", on_failure=wanted)
    assert result.status in {WorkflowStatus.COMPLETED, WorkflowStatus.FAILED}


async def test_two_answers_to_one_question_are_refused(bench: Bench) -> None:
    hire_clerks(bench)
    (question,) = (await bench.run(*PURCHASE)).interrupts
    with pytest.raises(DecisionError):
        await bench.answer(**{"payer": REJECT, question.interrupt_id: APPROVE})


async def test_a_paused_result_shows_what_chains_beside_the_question_have_done(
    bench: Bench,
) -> None:
    hire_clerks(bench)
    tasks = [
        AgentTask("payer", requires_approval=True),
        AgentTask("buyer"),
        AgentTask("buyer", task_id="more", depends_on=["buyer"], requires_approval=True),
    ]
    paused = await bench.run(*tasks, strategy="parallel")
    assert sorted(each.task_id for each in paused.interrupts) == ["more", "payer"]
    assert [task.task_id for task in paused if task.succeeded] == ["buyer"]
