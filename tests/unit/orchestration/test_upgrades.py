"""A thread whose workflow changes while it waits follows it, or is refused, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from checkpoints.approvals import APPLIED, LAPSED, PENDING, STATUSES, Filter
from orchestration import (
    AgentSpec,
    AlreadyDecidedError,
    ApprovalPolicy,
    Budget,
    CallableLostError,
    ForEach,
    MigrationError,
    Repeat,
    RetryPolicy,
    SubWorkflow,
    UpgradeError,
    Wait,
    WaitForSignal,
    Workflow,
    WorkflowResult,
)
from tests.unit.orchestration.releases import THREAD, Site, task

DAY = 86400.0


@pytest.fixture(params=["memory", "sqlite"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    opened = Site(url)
    yield opened
    opened.runs.close()


def ask(id_: str = "b", policy: ApprovalPolicy | bool = True, **wishes: Any) -> Any:  # noqa: ANN401, FBT001, FBT002
    return task(id_, requires_approval=policy, **wishes)


async def statuses(site: Site) -> list[str]:
    ledger = await site.runs.ledger()
    return [each.status for each in await ledger.find(Filter(STATUSES, thread_id=THREAD))]


def shown(result: WorkflowResult) -> dict[str, str]:
    return {each.task_id: str(each.status) for each in result}


# -- same, compatible, incompatible -----------------------------------------------------


async def test_the_same_tasks_under_a_new_version_are_no_change(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    site.release(task("a"), ask(), task("c"))
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":c"]
    assert await site.runs.upgrades(THREAD) == []


async def test_a_task_added_after_the_frontier_is_done_too(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    site.release(task("a"), ask(), task("new"), task("c"), task("last"))
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":new", ":c", ":last"]
    assert len({key[:32] for key in site.keys}) == 1, "it is the same run"
    assert site.saw["c"] == ["a", "b", "new"]


async def test_what_became_of_the_workflow_is_on_record(site: Site) -> None:
    await site.begin(task("a"), ask())
    site.release(task("a"), ask(), task("new"))
    await site.resume(b="approve")
    (record,) = await site.runs.upgrades(THREAD)
    assert (record.name, record.old_version, record.new_version) == ("order", "1", "2")
    assert (record.by, list(record.differences)) == (
        None,
        ["+ task 'new': added after what has begun"],
    )
    assert record.old_signature != record.new_signature
    assert record.at > 0
    (row, _) = await site.runs.inspect(THREAD)
    assert row.plan.document["definition"] == {"name": "order", "version": "2"}


REFUSED: dict[str, tuple[list[Any], str]] = {
    "removed": ([task("a"), ask()], "- task 'c': removed; it would never be done"),
    "removed, has begun": ([ask(), task("c")], "- task 'a': removed; it has begun"),
    "added before": (
        [task("a"), task("new"), ask(), task("c")],
        "+ task 'new': added before 'b', which has begun",
    ),
    "other input": (
        [task("a"), ask(), task("c", input_data={"n": 1})],
        "~ task 'c': its input: n none → 1",
    ),
    "other condition": (
        [task("a"), ask(), task("c", condition="outputs.a.did == 'a'")],
        "~ task 'c': its condition: none → ",
    ),
    "other order": ([ask(), task("a"), task("c")], "~ the order of the tasks: a, b, c → b, a, c"),
}


@pytest.mark.parametrize("label", REFUSED)
async def test_what_it_cannot_follow_is_refused_and_changes_nothing(site: Site, label: str) -> None:
    tasks, words = REFUSED[label]
    await site.begin(task("a"), ask(), task("c"))
    site.release(*tasks)
    for _ in range(2):
        with pytest.raises(UpgradeError) as refused:
            await site.resume()
        assert words in str(refused.value)
        assert f"orchestration threads resume {THREAD} --as-begun" in str(refused.value)
    assert site.calls == [":a"]
    assert await statuses(site) == [PENDING]
    assert await site.runs.upgrades(THREAD) == []
    again = await site.runs.resume(THREAD, {"b": "approve"}, by="ann", as_begun=True)
    assert str(again.status) == "completed"
    assert site.calls == [":a", ":b", ":c"]


async def test_an_answer_to_a_refused_thread_is_kept(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    site.release(task("a"), ask())
    (request,) = await site.runs.approvals.list_pending()
    said = await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert said.result is None
    assert "--as-begun" in said.waits_for
    swept = await site.runs.approvals.sweep()
    assert [thread for thread, _ in swept.left] == [THREAD]
    result = await site.runs.resume(THREAD, as_begun=True)
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":c"]


async def test_what_the_caller_of_a_run_chose_is_no_change(site: Site) -> None:
    site.workflows.register(Workflow("order", "1", [task("a"), ask(), task("c")]))
    await site.runs.execute("order", thread_id=THREAD, on_failure="continue", aggregate="merge")
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert await site.runs.upgrades(THREAD) == []
    assert result.aggregate == {"did": "c"}


async def test_what_the_caller_of_a_run_chose_stays_under_a_new_version(site: Site) -> None:
    site.workflows.register(Workflow("order", "1", [task("a"), ask(), task("c")]))
    await site.runs.execute("order", thread_id=THREAD, on_failure="continue", aggregate="merge")
    site.release(task("a"), ask(), task("c"), task("new"))
    result = await site.resume(b="reject")
    assert shown(result)["new"] == "succeeded", "the run goes on after a failure"
    assert result.aggregate == {"did": "new"}


NEEDS_COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}}


async def test_a_new_parameter_gets_its_default(site: Site) -> None:
    await site.begin(task("a"), ask())
    schema = {"type": "object", "properties": {"count": {"type": "integer", "default": 2}}}
    site.release(
        task("a"), ask(), task("new", input_from={"n": "parameters.count"}), parameters=schema
    )
    result = await site.resume(b="approve")
    assert result["new"].output == {"did": "new", "n": 2}


async def test_a_new_version_that_cannot_take_the_run_is_refused_with_the_ways_out(
    site: Site,
) -> None:
    await site.begin(task("a"), ask())
    site.release(task("a"), ask(), task("new"), parameters={**NEEDS_COUNT, "required": ["count"]})
    with pytest.raises(UpgradeError, match="'count' is a required property") as refused:
        await site.resume()
    assert "--as-begun" in str(refused.value)
    assert await statuses(site) == [PENDING]


# -- questions and policies -------------------------------------------------------------


async def test_an_open_question_is_asked_anew_under_the_new_policy(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    (old,) = await site.runs.approvals.list_pending()
    site.release(task("a"), ask(policy=ApprovalPolicy(roles=["boss"], quorum=2)), task("c"))
    paused = await site.resume()
    assert str(paused.status) == "interrupted"
    (new,) = await site.runs.approvals.list_pending()
    assert (new.policy["quorum"], new.policy["roles"]) == (2, ["boss"])
    assert new.request_id != old.request_id
    assert (await site.runs.approvals.get(old.request_id)).status == LAPSED
    events = [each.event for each in await site.runs.approvals.history(old.request_id)]
    assert events == ["requested", "lapsed"]
    await site.runs.approvals.decide(new.request_id, "approve", by="ann", roles=["boss"])
    done = await site.runs.approvals.decide(new.request_id, "approve", by="bob", roles=["boss"])
    assert done.result is not None
    assert str(done.result.status) == "completed"
    assert site.calls == [":a", ":b", ":c"]


async def test_who_answers_the_old_question_is_told_of_the_new_one(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    (old,) = await site.runs.approvals.list_pending()
    site.release(task("a"), ask(policy=ApprovalPolicy(roles=["boss"])), task("c"))
    await site.resume()
    (new,) = await site.runs.approvals.list_pending()
    with pytest.raises(AlreadyDecidedError) as told:
        await site.runs.approvals.decide(old.request_id, "approve", by="ann", roles=["boss"])
    assert told.value.status == LAPSED
    assert new.request_id in str(told.value)
    assert site.calls == [":a"]


async def test_an_approval_given_under_the_old_policy_counts(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    (request,) = await site.runs.approvals.list_pending()
    site.release(task("a"), ask(policy=ApprovalPolicy(quorum=2)), task("c"))
    done = await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert done.result is not None
    assert str(done.result.status) == "completed"
    assert await statuses(site) == [APPLIED]
    assert site.calls == [":a", ":b", ":c"]


async def test_edited_arguments_given_before_the_change_are_used(site: Site) -> None:
    await site.begin(task("a"), ask(input_data={"n": 1}), task("c"))
    site.release(task("a"), ask(input_data={"n": 1}), task("c"), task("new"))
    edited = {"name": "clerk", "args": {"n": 5}}
    answer = {"decisions": [{"type": "edit", "edited_action": edited}]}
    result = await site.resume(b=answer)
    assert result["b"].output == {"did": "b", "n": 5}


async def test_a_rejection_given_before_the_change_stands(site: Site) -> None:
    await site.begin(task("a", compensate={"undo": 1}), ask(), task("c"))
    site.release(task("a", compensate={"undo": 1}), ask(), task("c"), task("new"))
    result = await site.resume(b="reject")
    assert shown(result) == {"a": "compensated", "b": "rejected", "c": "skipped", "new": "skipped"}
    assert site.calls == [":a", ":a:compensate"]


@pytest.mark.parametrize("released", [[task("b"), task("c")], [task("b"), ask("c")]])
@pytest.mark.parametrize(
    ("answer", "b", "called"),
    [
        ("reject", "rejected", [":a"]),
        ({"type": "respond", "message": "done by hand"}, "succeeded", [":a"]),
        (
            {"type": "edit", "edited_action": {"name": "clerk", "args": {"n": 5}}},
            "succeeded",
            [":a", ":b"],
        ),
    ],
)
async def test_an_answer_counts_though_nobody_need_be_asked_any_more(
    site: Site, released: list[Any], answer: object, b: str, called: list[str]
) -> None:
    await site.begin(task("a"), ask(input_data={"n": 1}), ask("c"))
    released = [task("b", input_data={"n": 1}), *released[1:]]
    site.release(task("a"), *released)
    result = await site.resume(b=answer)
    assert str(result["b"].status) == b
    assert [each for each in site.calls if each != ":c"] == called
    assert result["b"].output.get("n", 5) == 5


async def test_an_answer_about_a_budget_grants_once_though_its_task_is_tried_again(
    site: Site,
) -> None:
    wishes: Any = {"budgets": [Budget(attempts=1, on_exceeded="pause")]}
    retry = RetryPolicy(max_attempts=4, initial_delay=timedelta(0), jitter=False)
    await site.begin(task("a"), task("b", retry=retry), **wishes)
    (request,) = await site.runs.approvals.list_pending()
    site.failures["b"] = 1
    site.release(task("a"), task("b", retry=retry), task("new"), **wishes)
    done = await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert done.result is not None
    assert str(done.result.status) == "interrupted", "the second attempt is asked about"
    assert site.calls == [":a", ":b"]


async def test_a_question_about_a_budget_that_is_asked_anew_needs_one_answer(site: Site) -> None:
    wishes: Any = {"budgets": [Budget(attempts=1, on_exceeded="pause")]}
    await site.begin(task("a"), task("b"), **wishes)
    nothing = {"name": "budget", "args": {"attempts": 0}}
    await site.resume(b={"decisions": [{"type": "edit", "edited_action": nothing}]})
    site.release(task("a"), task("b"), task("new"), **wishes)
    await site.resume()
    result = await site.resume(b="approve")
    assert [each.task_id for each in result.interrupts] == ["new"]
    assert site.calls == [":a", ":b"]


async def test_votes_of_a_question_that_is_asked_anew_are_cast_anew(site: Site) -> None:
    two = ApprovalPolicy(quorum=2)
    await site.begin(task("a"), ask(policy=two), task("c"))
    (old,) = await site.runs.approvals.list_pending()
    await site.runs.approvals.decide(old.request_id, "approve", by="ann")
    site.release(task("a"), ask(policy=ApprovalPolicy(quorum=3)), task("c"))
    await site.resume()
    (new,) = await site.runs.approvals.list_pending()
    assert (new.votes, new.policy["quorum"]) == (0, 3)
    trail = await site.runs.approvals.history(old.request_id)
    assert [each.event for each in trail] == ["requested", "voted", "lapsed"]


async def test_a_policy_that_is_taken_away_asks_nobody(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    site.release(task("a"), task("b"), task("c"))
    result = await site.resume()
    assert str(result.status) == "completed"
    assert await statuses(site) == [LAPSED]


async def test_an_answer_that_a_dead_process_recorded_is_taken_up_by_a_sweep(site: Site) -> None:
    await site.begin(task("a"), ask(), task("c"))
    (request,) = await site.runs.approvals.list_pending()
    from checkpoints.approvals import Answer  # noqa: PLC0415
    from state.decision import Decider  # noqa: PLC0415

    ledger = await site.runs.ledger()
    await ledger.decide([Answer(request.request_id, "approve")], Decider("ann", ()))
    site.release(task("a"), ask(policy=ApprovalPolicy(quorum=2)), task("c"), task("new"))
    swept = await site.runs.approvals.sweep()
    assert [str(each.status) for each in swept.resumed] == ["completed"]
    assert site.calls == [":a", ":b", ":c", ":new"]
    assert len(await site.runs.upgrades(THREAD)) == 1


# -- what is under way ------------------------------------------------------------------


async def die_in(site: Site, call: str, *tasks: Any, **wishes: Any) -> None:  # noqa: ANN401
    """Begin a run, and stop it in the middle of this call."""
    reached = asyncio.Event()

    async def hang(_given: dict[str, Any]) -> dict[str, Any]:
        reached.set()
        await asyncio.Event().wait()
        return {}

    site.hangs[call] = hang
    running = asyncio.ensure_future(site.begin(*tasks, **wishes))
    async with asyncio.timeout(10):
        await reached.wait()
    running.cancel()
    await asyncio.wait({running})
    del site.hangs[call]


async def test_what_was_under_way_is_called_again_under_its_key(site: Site) -> None:
    await die_in(site, ":b", task("a"), task("b"), task("c"))
    site.release(task("a"), task("b", timeout=5), task("new"), task("c"))
    result = await site.resume()
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":b", ":new", ":c"]
    assert site.keys[1] == site.keys[2]


async def test_nothing_is_put_before_what_was_under_way(site: Site) -> None:
    await die_in(site, ":b", task("a"), task("b"), task("c"))
    site.release(task("a"), task("new"), task("b"), task("c"))
    with pytest.raises(UpgradeError, match="added before 'b', which has begun"):
        await site.resume()


LATER = RetryPolicy(max_attempts=3, initial_delay=timedelta(hours=1), jitter=False)


async def is_tried(site: Site, task_id: str) -> bool:
    """Whether an attempt at a task is in a checkpoint."""
    await asyncio.sleep(0)  # memory:// never gives way by itself
    if not site.calls:
        return False
    return any(task_id in each.outcomes for each in await site.runs.timeline(THREAD))


async def fail_once(site: Site, task_id: str, *tasks: Any) -> None:  # noqa: ANN401
    """Begin a run, and stop it while this task waits for its second attempt."""
    site.failures[task_id] = 1
    running = asyncio.ensure_future(site.begin(*tasks))
    async with asyncio.timeout(20):
        while not await is_tried(site, task_id):
            pass
    running.cancel()
    await asyncio.wait({running})
    site.wall.now += 7200


async def test_a_retry_under_way_goes_on_counting(site: Site) -> None:
    await fail_once(site, "b", task("a"), task("b", retry=LATER), task("c"))
    site.release(task("a"), task("b", retry=LATER), task("c"), task("new"))
    result = await site.resume()
    assert str(result.status) == "completed"
    assert result["b"].attempts == 2
    assert site.calls == [":a", ":b", ":b", ":c", ":new"]


async def test_a_retry_that_is_not_allowed_any_more_is_the_last_attempt(site: Site) -> None:
    await fail_once(site, "b", task("a"), task("b", retry=LATER), task("c"))
    site.failures["b"] = 1
    site.release(task("a"), task("b"), task("c"))
    result = await site.resume()
    assert shown(result) == {"a": "succeeded", "b": "failed", "c": "skipped"}
    assert site.calls == [":a", ":b", ":b"], "what may have begun is found out"


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_a_retry_that_needs_approval_from_now_on_waits_for_it(
    site: Site, answer: str
) -> None:
    await fail_once(site, "b", task("a"), task("b", retry=LATER), task("c"))
    site.release(task("a"), ask("b", retry=LATER), task("c"))
    paused = await site.resume()
    assert str(paused.status) == "interrupted"
    result = await site.resume(b=answer)
    if answer == "approve":
        assert str(result.status) == "completed"
        assert (result["b"].attempts, site.calls) == (2, [":a", ":b", ":b", ":c"])
    else:
        assert shown(result) == {"a": "succeeded", "b": "rejected", "c": "skipped"}
        assert (result["b"].attempts, site.calls) == (1, [":a", ":b"])


async def test_a_cancelled_run_ends_as_it_began(site: Site) -> None:
    await site.begin(task("a", compensate={"undo": 1}), ask(), task("c"))
    site.release(task("new"))
    result = await site.runs.cancel(THREAD, by="ann")
    assert result is not None
    assert shown(result) == {"a": "compensated", "b": "cancelled", "c": "cancelled"}
    assert await site.runs.upgrades(THREAD) == []


async def test_a_run_that_is_being_undone_ends_as_it_began(site: Site) -> None:
    undoable = [task(id_, compensate={"undo": 1}) for id_ in ("a", "b")]
    site.failures["c"] = 1
    await die_in(site, ":a:compensate", *undoable, task("c"))
    assert site.calls == [":a", ":b", ":c", ":b:compensate", ":a:compensate"]
    site.release(*undoable, task("c"), task("new"))
    result = await site.resume()
    assert shown(result) == {"a": "compensated", "b": "compensated", "c": "failed"}
    assert site.calls[5:] == [":a:compensate"]
    assert await site.runs.upgrades(THREAD) == []


async def test_what_was_done_before_the_change_is_undone_after_it(site: Site) -> None:
    await site.begin(task("a", compensate={"undo": 1}), ask(), task("c"))
    site.release(task("a", compensate={"undo": 1}), ask(), task("c"), ask("last"))
    await site.resume(b="approve")
    result = await site.resume(last="reject")
    assert shown(result)["a"] == "compensated"
    assert site.calls == [":a", ":b", ":c", ":a:compensate"]


async def test_a_fork_undoes_nothing_of_the_original_after_a_change(site: Site) -> None:
    undoable = task("a", compensate={"undo": 1})
    await site.begin(undoable, ask(), task("c"))
    fork = await site.runs.fork(THREAD, new_thread_id="fork")
    await site.runs.resume(fork)
    site.release(undoable, ask(), task("c"), task("new"))
    result = await site.runs.resume(fork, {"b": "reject"}, by="ann")
    assert len(await site.runs.upgrades(fork)) == 1
    assert shown(result)["a"] == "succeeded"
    assert ":a:compensate" not in site.calls


# -- plans inside tasks -----------------------------------------------------------------


async def test_turns_that_were_taken_are_not_taken_again(site: Site) -> None:
    def loop() -> Repeat:
        inside = [task("draft"), ask("review", ApprovalPolicy(when="turn == 2"))]
        return Repeat(inside, until="turn == 3", max_turns=5, task_id="loop")

    await site.begin(task("a"), loop(), task("c"))
    before = ["/loop#1:draft", "/loop#1:review", "/loop#2:draft"]
    assert site.calls == [":a", *before]
    site.release(task("a"), loop(), task("new"), task("c"))
    await site.resume()
    assert site.calls == [":a", *before], "it asks anew, and did nothing"
    (request,) = await site.runs.approvals.list_pending()
    await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert site.calls == [
        ":a",
        *before,
        "/loop#2:review",
        "/loop#3:draft",
        "/loop#3:review",
        ":new",
        ":c",
    ]
    (_, result) = await site.runs.inspect(THREAD)
    assert str(result.status) == "completed"
    assert len(await site.runs.upgrades(THREAD)) == 1


async def test_items_that_are_done_are_not_done_again(site: Site) -> None:
    def each() -> ForEach:
        inside = [task("pick"), ask("pack", ApprovalPolicy(when="item == 2"))]
        return ForEach([1, 2, 3], inside, task_id="each")

    await site.begin(task("a"), each(), task("c"))
    before = sorted(site.calls)
    assert before == sorted(
        [":a", *(f"/each/{n}:pick" for n in range(3)), "/each/0:pack", "/each/2:pack"]
    )
    site.release(task("a"), each(), task("c"), task("new"))
    (request,) = await site.runs.approvals.list_pending()
    done = await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert done.result is not None
    assert str(done.result.status) == "completed"
    assert site.calls[len(before) :] == ["/each/1:pack", ":c", ":new"]
    item = {"pick": {"did": "pick"}, "pack": {"did": "pack"}}
    assert done.result["each"].output["items"] == [item, item, item]
    assert await statuses(site) == [APPLIED]


async def test_an_approval_inside_that_was_given_is_kept(site: Site) -> None:
    def inner() -> SubWorkflow:
        return SubWorkflow(Workflow("inner", "1", [ask("x"), ask("y"), task("z")]), task_id="sub")

    await site.begin(task("a"), inner(), task("c"))
    await site.resume(**{"sub/x": "approve"})
    assert site.calls == [":a", "/sub:x"]
    site.release(task("a"), inner(), task("c"), task("new"))
    paused = await site.resume()
    assert [each.task_id for each in paused.interrupts] == ["sub/y"]
    result = await site.resume(**{"sub/y": "approve"})
    assert str(result.status) == "completed"
    assert site.calls == [":a", "/sub:x", "/sub:y", "/sub:z", ":c", ":new"]


async def test_nothing_is_added_inside_what_has_begun(site: Site) -> None:
    def inner(*more: Any) -> SubWorkflow:  # noqa: ANN401
        return SubWorkflow(Workflow("inner", "1", [ask("x"), *more]), task_id="sub")

    await site.begin(task("a"), inner())
    site.release(task("a"), inner(task("new")))
    with pytest.raises(UpgradeError, match="'sub/new': added inside a task that has begun"):
        await site.resume()


async def test_something_may_be_added_inside_what_has_not_begun(site: Site) -> None:
    def inner(*more: Any) -> SubWorkflow:  # noqa: ANN401
        return SubWorkflow(Workflow("inner", "1", [task("x"), *more]), task_id="sub")

    await site.begin(ask("a"), inner())
    site.release(ask("a"), inner(task("new")))
    result = await site.resume(a="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", "/sub:x", "/sub:new"]


async def test_a_loop_inside_an_item_stands_where_it_stood(site: Site) -> None:
    def nested() -> ForEach:
        inside = [task("draft"), ask("review", ApprovalPolicy(when="turn == 2"))]
        loop = Repeat(inside, until="turn == 2", task_id="loop")
        return ForEach(["x"], [loop], task_id="each")

    await site.begin(nested())
    before = ["/each/0/loop#1:draft", "/each/0/loop#1:review", "/each/0/loop#2:draft"]
    assert site.calls == before
    site.release(nested(), task("new"))
    (request,) = await site.runs.approvals.list_pending()
    await site.runs.approvals.decide(request.request_id, "approve", by="ann")
    assert site.calls == [*before, "/each/0/loop#2:review", ":new"]


# -- other strategies -------------------------------------------------------------------


async def test_a_new_join_waits_for_what_is_done_and_what_is_not(site: Site) -> None:
    def fixed() -> list[Any]:
        return [task("a"), ask("b"), task("c", depends_on=["a"])]

    await site.begin(*fixed(), strategy="parallel")
    assert sorted(site.calls) == [":a", ":c"]
    join = task("join", depends_on=["c", "b"])
    site.release(*fixed(), join, task("beside"), strategy="parallel")
    paused = await site.resume()
    assert str(paused.status) == "interrupted"
    assert sorted(site.calls) == [":a", ":beside", ":c"]
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert sorted(site.calls) == [":a", ":b", ":beside", ":c", ":join"]
    assert site.saw["join"] == ["b", "c"]


async def test_what_a_branch_asks_goes_on_in_another_graph(site: Site) -> None:
    def chains(*more: Any) -> list[Any]:  # noqa: ANN401
        two = [task("b1"), task("b2", depends_on=["b1"])]
        return [task("a1"), ask("a2", depends_on=["a1"]), *two, *more]

    await site.begin(*chains(), strategy="parallel")
    site.release(*chains(task("end", depends_on=["a2", "b2"])), strategy="parallel")
    result = await site.resume(a2="approve")
    assert str(result.status) == "completed"
    assert sorted(site.calls) == [":a1", ":a2", ":b1", ":b2", ":end"]


async def test_what_was_routed_stays_routed(site: Site) -> None:
    await site.begin(task("a"), ask("b"), strategy="conditional", router="'b'")
    site.release(task("a"), ask("b"), task("new"), strategy="conditional", router="'b'")
    result = await site.resume(b="approve")
    assert shown(result) == {"a": "skipped", "b": "succeeded", "new": "skipped"}
    assert site.calls == [":b"]


async def test_another_router_is_no_small_change(site: Site) -> None:
    await site.begin(task("a"), ask("b"), strategy="conditional", router="'b'")
    site.release(task("a"), ask("b"), strategy="conditional", router="'a'")
    with pytest.raises(UpgradeError, match="~ the router: expression"):
        await site.resume()


async def test_a_cycle_goes_on_in_its_turn(site: Site) -> None:
    def cycle(*more: Any) -> list[Any]:  # noqa: ANN401
        to_y, to_x = {"handoff_to": "y"}, {"handoff_to": "x"}
        return [task("x", input_data=to_y), ask("y", input_data=to_x), *more]

    wishes: dict[str, Any] = {"strategy": "cyclic", "start": "x", "max_turns": 4}
    await site.begin(*cycle(), **wishes)
    await site.resume(y="approve")
    assert site.calls == [":x#1", ":y#2", ":x#3"]
    site.release(*cycle(task("new")), **wishes)
    paused = await site.resume()
    assert [each.task_id for each in paused.interrupts] == ["y"]
    assert site.calls == [":x#1", ":y#2", ":x#3"]
    result = await site.resume(y="approve")
    assert site.calls == [":x#1", ":y#2", ":x#3", ":y#4"]
    assert result.error is not None
    assert result.error["code"] == "out_of_turns"
    assert [(turn["turn"], turn["task"], turn["by"]) for turn in result.turns] == [
        (1, "x", "start"),
        (2, "y", "handoff"),
        (3, "x", "handoff"),
        (4, "y", "handoff"),
        (4, "y", "resumed"),
        (4, None, "max_turns"),
    ]
    assert len(await site.runs.upgrades(THREAD)) == 1


# -- waits ------------------------------------------------------------------------------


async def test_a_timer_is_due_when_it_was(site: Site) -> None:
    await site.begin(task("a"), Wait(timedelta(days=1), task_id="pause"), task("c"))
    site.wall.now += DAY / 2
    site.release(task("a"), Wait(timedelta(days=1), task_id="pause"), task("c"), task("new"))
    paused = await site.resume()
    assert str(paused.status) == "interrupted"
    site.wall.now += DAY / 2 + 1
    swept = await site.runs.approvals.sweep()
    assert [str(each.status) for each in swept.resumed] == ["completed"]
    assert site.calls == [":a", ":c", ":new"]
    assert swept.resumed[0]["pause"].output["due_at"] == site.wall.now - 1


async def test_a_signal_that_comes_after_the_change_is_taken(site: Site) -> None:
    wait = WaitForSignal("paid", task_id="pay")
    await site.begin(task("a"), wait, task("c"))
    site.release(task("a"), wait, task("c"), task("new"))
    await site.resume()
    sent = await site.runs.signal(THREAD, "paid", {"amount": 5}, by="bank")
    assert sent.result is not None
    assert str(sent.result.status) == "completed"
    assert sent.result["pay"].output["payload"] == {"amount": 5}
    assert site.calls == [":a", ":c", ":new"]


@pytest.mark.parametrize(
    "within",
    [
        lambda wait: wait,
        lambda wait: SubWorkflow(Workflow("in", tasks=[wait]), task_id="in"),
        lambda wait: ForEach([1], [wait, task("z")], task_id="in"),
        lambda wait: Repeat([wait], until="true", task_id="in"),
        lambda wait: SubWorkflow(
            Workflow("in", tasks=[wait], strategy="cyclic", start=wait.task_id), task_id="in"
        ),
    ],
)
@pytest.mark.parametrize("kind", ["signal", "timer"])
async def test_what_a_run_waited_for_lets_it_go_on_under_the_new_version(
    site: Site, kind: str, within: Callable[[Any], Any]
) -> None:
    wait = WaitForSignal("paid", task_id="w") if kind == "signal" else Wait(DAY, task_id="w")
    await site.begin(task("a"), within(wait), task("c"))
    site.release(task("a"), within(wait), ask("c"), task("new"))
    if kind == "signal":
        await site.runs.signal(THREAD, "paid", {"amount": 5})
    else:
        site.wall.now += DAY + 1
        await site.runs.approvals.sweep()
    _, paused = await site.runs.inspect(THREAD)
    assert [each.task_id for each in paused.interrupts] == ["c"]
    result = await site.resume(c="approve")
    assert str(result.status) == "completed"
    assert [each for each in site.calls if not each.endswith(":z")] == [":a", ":c", ":new"]
    assert len(await site.runs.upgrades(THREAD)) == 1


async def test_a_signal_to_a_run_that_cannot_follow_is_kept(site: Site) -> None:
    wait = WaitForSignal("paid", task_id="pay")
    await site.begin(task("a"), wait, task("c"))
    site.release(task("a"), wait)
    sent = await site.runs.signal(THREAD, "paid", {"amount": 5})
    assert (sent.result, site.calls) == (None, [":a"])
    result = await site.runs.resume(THREAD, as_begun=True)
    assert result["pay"].output["payload"] == {"amount": 5}
    assert site.calls == [":a", ":c"]


async def test_a_signal_lets_the_run_go_on_and_the_next_pause_follows_the_change(
    site: Site,
) -> None:
    wait = WaitForSignal("paid", task_id="pay")
    await site.begin(task("a"), wait, ask("b"))
    site.release(task("a"), wait, ask("b"), task("new"))
    await site.runs.signal(THREAD, "paid", by="bank")
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":new"]


async def test_a_signal_that_came_early_is_still_there(site: Site) -> None:
    wait = WaitForSignal("paid", task_id="pay")
    await site.begin(task("a"), ask("b"), wait)
    await site.runs.signal(THREAD, "paid", {"n": 1}, by="bank")
    site.release(task("a"), ask("b"), wait, task("new"))
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert result["pay"].output["payload"] == {"n": 1}


async def test_another_signal_is_no_small_change(site: Site) -> None:
    await site.begin(task("a"), WaitForSignal("paid", task_id="pay"))
    site.release(task("a"), WaitForSignal("cleared", task_id="pay"))
    sent = await site.runs.signal(THREAD, "paid", by="bank")
    assert sent.result is None
    assert "what it waits for" in sent.waits_for
    done = await site.runs.resume(THREAD, as_begun=True)
    assert (str(done.status), done["pay"].output["sent_by"]) == ("completed", "bank")


# -- graphs as agents, callables, encryption --------------------------------------------


class Seat(TypedDict):
    seat: str


def seat_graph() -> Any:  # noqa: ANN401  LangGraph's type takes four parameters
    async def ask_for_seat(state: Seat) -> Seat:
        return {"seat": interrupt("aisle or window?")}

    graph = StateGraph(Seat)
    graph.add_node("ask", ask_for_seat)
    graph.add_edge(START, "ask")
    return graph.compile()


async def test_a_graph_that_asks_in_the_middle_is_to_be_answered_first(site: Site) -> None:
    from orchestration import AgentTask  # noqa: PLC0415

    seat = AgentTask("graph", task_id="seat")
    site.agents.register(AgentSpec("graph", handler=seat_graph()))
    await site.begin(task("a"), seat, task("c"))
    site.release(task("a"), seat, task("c"), task("new"))
    with pytest.raises(UpgradeError, match="'seat': its agent asks something in the middle"):
        await site.resume()
    (request,) = await site.runs.approvals.list_pending()
    done = await site.runs.approvals.decide(request.request_id, "aisle", by="ann")
    assert done.result is not None
    assert str(done.result.status) == "completed"
    assert site.calls == [":a", ":c"], "the answer went to whom asked, under the old version"


async def test_callables_of_the_definition_are_found_in_another_process(site: Site) -> None:
    def always() -> bool:
        return True

    await site.begin(task("a"), ask(), task("c", condition=always))
    site.release(task("a"), ask(), task("c", condition=always), version="1")
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":b", ":c"]
    assert await site.runs.upgrades(THREAD) == []


async def test_a_callable_that_nobody_knows_is_still_refused(site: Site) -> None:
    tasks = [task("a"), ask(), task("c", condition=lambda: True)]
    await site.runs.execute_sequential(tasks, thread_id=THREAD)
    if not site.is_durable:
        pytest.skip("one process only")
    site.release(*tasks)
    with pytest.raises(CallableLostError):
        await site.resume(b="approve")


async def test_an_encrypted_thread_follows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATION_ENCRYPTION_KEY", "00112233445566778899aabbccddeeff")
    site = Site(f"sqlite:///{tmp_path / 'runs.db'}")
    await site.begin(task("a"), ask(input_data={"secret": "pearl"}), task("c"))
    site.release(
        task("a"),
        ask(input_data={"secret": "pearl"}),
        task("c"),
        task("n", input_data={"k": "pearl"}),
    )
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert len(await site.runs.upgrades(THREAD)) == 1
    site.runs.close()
    assert b"pearl" not in await asyncio.to_thread(Path(tmp_path, "runs.db").read_bytes)


# -- two at once ------------------------------------------------------------------------


async def test_of_two_processes_one_upgrades(tmp_path: Path) -> None:
    site = Site(f"sqlite:///{tmp_path / 'runs.db'}")
    await site.begin(task("a"), ask(), task("c"))
    site.release(task("a"), task("b"), task("c"), task("new"))
    other = site.another()
    said = await asyncio.gather(
        site.runs.resume(THREAD), other.resume(THREAD), return_exceptions=True
    )
    assert sum(isinstance(each, WorkflowResult) for each in said) >= 1
    assert {type(each).__name__ for each in said} <= {"WorkflowResult", "ThreadBusyError"}
    assert site.calls == [":a", ":b", ":c", ":new"]
    assert len(await site.runs.upgrades(THREAD)) == 1
    site.runs.close()
    other.close()


async def test_an_answer_that_comes_while_the_change_is_weighed_is_not_lost(
    tmp_path: Path,
) -> None:
    site = Site(f"sqlite:///{tmp_path / 'runs.db'}")
    await site.begin(task("a"), ask(), task("c"))
    (request,) = await site.runs.approvals.list_pending()
    site.release(task("a"), ask(), task("c"), task("new"))

    def answer_elsewhere() -> None:
        async def decide() -> None:
            async with site.another() as other:
                said = await other.approvals.decide(request.request_id, "approve", by="ann")
                assert said.result is None, "somebody else holds the thread"

        asyncio.run(decide())

    site.when_looked_up(answer_elsewhere)
    result = await site.resume()
    assert str(result.status) == "completed"
    assert await statuses(site) == [APPLIED]
    assert site.calls == [":a", ":b", ":c", ":new"]
    site.runs.close()


# -- saying oneself what becomes of what ------------------------------------------------


async def test_a_supplied_function_says_what_becomes_of_what(site: Site) -> None:
    await site.begin(task("a"), task("gone"), ask(), task("c"))
    new = site.release(task("z"), task("first"), ask(), task("d"))
    result = await site.runs.migrate(
        THREAD, new, lambda _begun: {"a": "first", "gone": None, "b": "b"}, by="ann"
    )
    assert str(result.status) == "interrupted"
    assert site.calls == [":a", ":gone", ":z"]
    result = await site.resume(b="approve")
    assert str(result.status) == "completed"
    assert site.calls == [":a", ":gone", ":z", ":b", ":d"]
    assert result["first"].output == {"did": "a"}
    (record,) = await site.runs.upgrades(THREAD)
    assert record.by == "ann"
    assert "- task 'c': removed; it would never be done" in record.differences


WRONG: dict[str, tuple[Any, str]] = {
    "left out": (lambda _: {"a": "a"}, "'b' has begun and is not mentioned"),
    "unknown target": (lambda _: {"a": "x", "b": "b"}, "'x' is no task of the new version"),
    "twice": (lambda _: {"a": "b", "b": "b"}, "'b' is named twice"),
    "not begun": (lambda _: {"a": "a", "b": "b", "c": "c"}, "'c' has not begun"),
    "unfinished": (lambda _: {"a": "a", "b": "c"}, "'b' is not finished"),
    "raises": (lambda begun: begun["x"], "it raised KeyError"),
    "no mapping": (lambda _: 5, "it raised TypeError"),
}


@pytest.mark.parametrize("label", WRONG)
async def test_a_function_that_does_not_fit_changes_nothing(site: Site, label: str) -> None:
    names, words = WRONG[label]
    await site.begin(task("a"), ask(), task("c"))
    new = site.release(task("a"), ask(), task("c"), task("d"))
    with pytest.raises(MigrationError, match=words):
        await site.runs.migrate(THREAD, new, names)
    assert await statuses(site) == [PENDING]
    assert await site.runs.upgrades(THREAD) == []
    assert site.calls == [":a"]
