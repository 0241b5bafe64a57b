"""What tasks inside others did is undone too: last first, once each, whatever is around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.database import open_database
from orchestration import AgentContext, AgentRefusedError, PlanError
from state.retry import RetryPolicy
from state.run_state import merge_outcomes
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Task
from state.workflow import Workflow
from tests.unit.nodes.conftest import Bench

if TYPE_CHECKING:
    from state.result import TaskResult

Input = dict[str, Any]
PATIENT = RetryPolicy(max_attempts=2, initial_delay=timedelta(seconds=10), jitter=False)
COMPENSATED, SUCCEEDED, FAILED = TaskStatus.COMPENSATED, TaskStatus.SUCCEEDED, TaskStatus.FAILED


class World:
    """What stands, in the order in which it was done; undoing takes away what it is about."""

    def __init__(self) -> None:
        self.standing: list[str] = []
        self.undone: list[str] = []
        self.contexts: list[AgentContext] = []
        self.last_first = True

    async def __call__(self, given: Input, context: AgentContext) -> Input:
        self.contexts.append(context)
        key = context.idempotency_key
        if context.attempt <= given.get("fails", 0):
            raise RuntimeError("broken")
        if given.get("refuses"):
            raise AgentRefusedError("no")
        if not given.get("undo"):
            if given.get("lasting") is None:
                self.standing.append(key)
            return {"did": key}
        base = key.removesuffix(":compensate")
        run, _, id_ = base.rpartition(":")
        around = f"{run}/{id_}"
        taken = [
            each
            for each in self.standing
            if each == base or each.startswith((f"{around}:", f"{around}/"))
        ]
        self.last_first &= self.standing[len(self.standing) - len(taken) :] == taken
        self.standing = [each for each in self.standing if each not in taken]
        self.undone.append(base)
        return {"undid": taken}


UNDO: Input = {"undo": True}


def buy(id_: str, undo: Input | AgentTask | None = None, **terms: Any) -> AgentTask:  # noqa: ANN401
    return AgentTask("world", task_id=id_, compensate=UNDO if undo is None else undo, **terms)


def fail(id_: str = "bad") -> AgentTask:
    return AgentTask("world", {"refuses": True}, task_id=id_)


def within(id_: str, *tasks: Task, undo: Task | None = None, **terms: Any) -> SubWorkflow:  # noqa: ANN401
    workflow = Workflow(id_, tasks=tasks, **terms)
    return SubWorkflow(workflow, task_id=id_, compensate=undo)  # type: ignore[arg-type]


WHOLE = AgentTask("world", UNDO)


@pytest.fixture
def world(bench: Bench) -> World:
    made = World()
    bench.hire(world=made)
    return made


def statuses(task: TaskResult) -> dict[str, str]:
    found = {task.task_id: str(task.status)}
    for each in task.tasks:
        found |= {f"{task.task_id}/{id_}": status for id_, status in statuses(each).items()}
    return found


async def test_what_a_sub_workflow_did_is_undone_when_the_workflow_fails_later(
    bench: Bench, world: World
) -> None:
    inner = within("trip", buy("seat"), AgentTask("world", {"lasting": 1}, task_id="note"))
    result = await bench.run(buy("first"), inner, buy("last"), fail())
    assert result.status == WorkflowStatus.FAILED
    assert world.undone == ["run:last", "run/trip:seat", "run:first"]
    assert statuses(result["trip"]) == {
        "trip": "compensated",
        "trip/seat": "compensated",
        "trip/note": "succeeded",
    }
    undoing = world.contexts[-2]
    assert undoing.idempotency_key == "run/trip:seat:compensate"
    assert dict(undoing.upstream) == {"seat": {"did": "run/trip:seat"}}
    seat = result["trip"].tasks[0].compensation
    assert seat is not None
    assert seat.output == {"undid": ["run/trip:seat"]}
    assert result.uncompensated == ()


async def test_a_way_to_undo_the_whole_wins_over_those_inside(bench: Bench, world: World) -> None:
    result = await bench.run(within("trip", buy("a"), buy("b"), undo=WHOLE), fail())
    assert world.undone == ["run:trip"]
    assert statuses(result["trip"]) == {
        "trip": "compensated",
        "trip/a": "succeeded",
        "trip/b": "succeeded",
    }
    assert not world.standing


async def test_a_whole_that_failed_undoes_what_is_inside_by_itself(
    bench: Bench, world: World
) -> None:
    result = await bench.run(buy("first"), within("trip", buy("a"), buy("b"), fail(), undo=WHOLE))
    assert world.undone == ["run/trip:b", "run/trip:a", "run:first"]
    assert result["trip"].status == FAILED
    assert result["first"].status == COMPENSATED


async def test_what_a_partial_whole_achieved_is_undone_from_outside(
    bench: Bench, world: World
) -> None:
    """By itself it undoes nothing: what succeeded is wanted. The workflow around it decides."""
    inner = within("trip", buy("a"), fail(), buy("b"), on_failure="continue")
    result = await bench.run(inner, buy("next"))
    assert world.undone == ["run/trip:b", "run/trip:a"]
    assert result["trip"].status == FAILED
    assert statuses(result["trip"])["trip/a"] == "compensated"


async def test_a_failure_around_undoes_nothing_inside_a_whole_that_succeeded(
    bench: Bench, world: World
) -> None:
    result = await bench.run(fail(), within("trip", buy("a")), on_failure="continue")
    assert result.status == WorkflowStatus.PARTIAL
    assert world.undone == []
    assert result["trip"].status == SUCCEEDED


async def test_items_are_undone_too(bench: Bench, world: World) -> None:
    bench.clock.time = 50.0
    items = ForEach([1, 2, 3], [buy("seat"), within("more", buy("meal"))], task_id="all")
    result = await bench.run(items, fail())
    assert sorted(world.undone) == sorted(
        f"run/all/{item}{path}" for item in range(3) for path in (":seat", "/more:meal")
    )
    assert [each.partition("/more")[0] for each in world.undone[::2]] == [
        f"run/all/{item}" for item in (2, 1, 0)
    ], "one item after another, the last first"
    assert result["all"].status == COMPENSATED
    assert {str(each.status) for each in result["all"].tasks} == {"compensated"}


async def test_one_that_cannot_be_undone_stays_and_is_named_with_its_path(
    bench: Bench, world: World
) -> None:
    stubborn = buy("seat", {"undo": True, "refuses": True})
    result = await bench.run(within("trip", buy("a"), within("leg", stubborn)), fail())
    assert result.uncompensated == ("trip/leg/seat",)
    assert statuses(result["trip"]) == {
        "trip": "succeeded",
        "trip/a": "compensated",
        "trip/leg": "succeeded",
        "trip/leg/seat": "succeeded",
    }
    assert result.as_json()["uncompensated"] == ["trip/leg/seat"]


async def test_undoing_inside_is_tried_again_in_a_superstep_each(
    bench: Bench, world: World
) -> None:
    seat = buy("seat", {"undo": True, "fails": 1}, retry=PATIENT)
    result = await bench.run(within("trip", seat, buy("a")), fail())
    assert result["trip"].status == COMPENSATED
    assert [each.attempt for each in world.contexts if "compensate" in each.idempotency_key] == [
        1,
        1,
        2,
    ]
    seen = []
    for outcomes in await bench.history():
        if "trip" in outcomes:
            inner = outcomes["trip"]["inner"]
            undoing = inner["seat"].get("compensation")
            seen.append((inner["a"]["status"], undoing["status"] if undoing else None))
    assert list(dict.fromkeys(seen)) == [
        ("succeeded", None),
        ("compensated", None),
        ("compensated", "pending"),
        ("compensated", "succeeded"),
    ]


@pytest.mark.parametrize(
    "task",
    [
        Repeat([buy("a")], until="true", task_id="loop"),
        Repeat([within("deep", buy("a"))], until="true", task_id="loop"),
        Repeat([ForEach([1], buy("a"), task_id="all")], until="true", task_id="loop"),
        within("talk", buy("a"), strategy="cyclic"),
        within("talk", within("deep", buy("a")), strategy="cyclic"),
    ],
)
async def test_what_is_done_in_turns_cannot_be_undone_by_itself(
    bench: Bench, world: World, task: Task
) -> None:
    with pytest.raises(PlanError) as refused:
        await bench.run(task)
    ((code, path),) = [(each.code, each.task_id) for each in refused.value.problems]
    assert code == "bad_compensation"
    assert path is not None
    assert path.endswith("a")
    assert "Repeat" in str(refused.value)


async def test_a_loop_as_a_whole_can_be_undone(bench: Bench, world: World) -> None:
    loop = Repeat(
        [AgentTask("world", task_id="a")], until="turn == 2", task_id="loop", compensate=WHOLE
    )
    result = await bench.run(loop, fail())
    assert world.undone == ["run:loop"]
    assert result["loop"].status == COMPENSATED


# -- against a model ------------------------------------------------------------------------

names = st.integers(0, 2**30)
leaf = st.tuples(st.just("leaf"), st.sampled_from(["undo", "undo", "lasting", "fails"]))
tree = st.recursive(
    leaf,
    lambda inside: st.tuples(
        st.sampled_from(["within", "within", "beside", "each"]),
        st.lists(inside, min_size=1, max_size=3),
        st.booleans(),
    ),
    max_leaves=8,
)
Tree = Any


def made(tree: Tree, name: str) -> Task:
    match tree:
        case ("leaf", "undo"):
            return buy(name)
        case ("leaf", "lasting"):
            return AgentTask("world", {"lasting": 1}, task_id=name)
        case ("leaf", _):
            return fail(name)
    kind, inside, whole = tree
    tasks = [made(each, f"t{number}") for number, each in enumerate(inside)]
    undo = WHOLE if whole else None
    if kind == "each":
        return ForEach([1, 2], tasks, task_id=name, compensate=undo)
    strategy = "parallel" if kind == "beside" else "sequential"
    workflow = Workflow(name, tasks=tasks, strategy=strategy)
    return SubWorkflow(workflow, task_id=name, compensate=undo)


def has(tree: Tree, *kinds: str) -> bool:
    return tree[0] in kinds or (tree[0] != "leaf" and any(has(each, *kinds) for each in tree[1]))


@contextmanager
def fresh_bench() -> Iterator[tuple[Bench, World]]:
    database = open_database("memory://")
    bench, world = Bench(database), World()
    bench.hire(world=world)
    try:
        yield bench, world
    finally:
        database.close()


@given(st.lists(tree, min_size=1, max_size=3))
@settings(max_examples=40)
async def test_whatever_stands_when_a_workflow_fails_is_undone_once(trees: list[Tree]) -> None:
    with fresh_bench() as (bench, world):
        tasks = [made(each, f"t{number}") for number, each in enumerate(trees)]
        result = await bench.run(*tasks, fail("end"))
        assert result.status == WorkflowStatus.FAILED
        assert world.standing == [], "every effect that can be undone is"
        assert len(set(world.undone)) == len(world.undone), "once each"
        assert result.uncompensated == ()
        if not any(has(each, "beside", "each") for each in trees):
            assert world.last_first


@given(st.lists(tree, min_size=1, max_size=3))
@settings(max_examples=15)
async def test_outcomes_of_a_run_join_in_any_order(trees: list[Tree]) -> None:
    """A later checkpoint's outcomes win over an earlier one's, also while undoing inside."""
    with fresh_bench() as (bench, _):
        tasks = [made(each, f"t{number}") for number, each in enumerate(trees)]
        await bench.run(*tasks, fail("end"))
        moments = [each for each in await bench.history() if "end" in each]
    last = moments[-1]
    for moment in moments:
        if moment.keys() == last.keys():
            assert merge_outcomes(last, moment) == last
            assert merge_outcomes(moment, last) == last
