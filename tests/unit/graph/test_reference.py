"""Random plans under random failures, run for real, against the reference interpreter.

`make faults` runs a long form, as `ORCHESTRATION_REFERENCE_EXAMPLES=3000` does.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orchestration import AgentRegistry, PlanError, SimpleCoordinator
from state.errors import RoutingError
from state.result import WorkflowResult
from tests.unit.graph.leaping_loop import run_leaping
from tests.unit.graph.reference_interpreter import (
    Act,
    Check,
    Decision,
    Interpreter,
    Job,
    Scenario,
)
from tests.unit.graph.staged_run import Disturbance, Stage, clear, fates_of

EXAMPLES = int(os.environ.get("ORCHESTRATION_REFERENCE_EXAMPLES", "150"))
"""Of each test in memory; those with a database, which take longer, get a fifth."""
MOST_TASKS = 8

acts: st.SearchStrategy[Act] = st.sampled_from(
    ["succeed", "succeed", "succeed", "succeed", "fail", "refuse", "time_out"]
)


# -- scenarios --------------------------------------------------------------------------


@st.composite
def conditions(draw: st.DrawFn, known: list[str]) -> Check | None:
    """A condition over tasks whose fate is sure to be known."""
    words = ["succeeded", "has", "more", "more", "missing"] if known else []
    asks: Any = draw(st.sampled_from(["", "", "", "always", "never", "nonsense", *words]))
    return Check(asks, draw(st.sampled_from(known)) if asks in words else "") if asks else None


@st.composite
def jobs(draw: st.DrawFn, id_: str, after: list[str], known: list[str]) -> Job:
    moods = tuple(draw(st.lists(acts, min_size=1, max_size=3)))
    asked: Decision | None = draw(
        st.sampled_from([None, None, None, "approve", "reject", "respond"])
    )
    return Job(
        id_,
        tuple(after),
        moods,
        attempts=draw(st.sampled_from([1, 1, 2, 3])),
        condition=draw(conditions(known)),
        decision=asked,
        threshold=draw(conditions(known)) if asked else None,
        seconds=draw(st.integers(0, 9)),
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Job, ...]:
    """Tasks that depend on each other without a cycle, in any order."""
    ids = [f"t{number}" for number in range(draw(st.integers(1, MOST_TASKS)))]
    likely = draw(st.sampled_from([0.15, 0.4, 0.8]))
    needs: dict[str, list[str]] = {}
    before: dict[str, set[str]] = {}
    made = {}
    for position, id_ in enumerate(ids):
        chances = [(other, draw(st.floats(0, 1)) < likely) for other in ids[:position]]
        needs[id_] = [other for other, wanted in chances if wanted]
        before[id_] = {*needs[id_]}.union(*(before[other] for other in needs[id_]))
        made[id_] = draw(jobs(id_, needs[id_], sorted(before[id_])))
    return tuple(made[id_] for id_ in draw(st.permutations(ids)))


@st.composite
def sequences(draw: st.DrawFn, modes: tuple[Any, ...]) -> Scenario:
    ids = [f"t{number}" for number in range(draw(st.integers(1, MOST_TASKS)))]
    made = []
    for position, id_ in enumerate(ids):
        after = draw(st.lists(st.sampled_from(ids[:position]), unique=True)) if position else []
        made.append(draw(jobs(id_, after, ids[:position])))
    return Scenario("sequential", draw(st.sampled_from(modes)), tuple(made))


@st.composite
def choices(draw: st.DrawFn) -> Scenario:
    ids = [f"t{number}" for number in range(draw(st.integers(1, MOST_TASKS)))]
    route = draw(st.sampled_from(ids))
    made = []
    for id_ in ids:
        others = [other for other in ids if other not in {id_, route}]
        after = draw(st.lists(st.sampled_from(others), unique=True)) if others else []
        made.append(draw(jobs(id_, after, others)))
    mode = draw(st.sampled_from(["continue", "fail_fast", "all_or_nothing"]))
    return Scenario("conditional", mode, tuple(made), route=route)  # type: ignore[arg-type]  # one of the literals


@st.composite
def parallels(draw: st.DrawFn, modes: tuple[Any, ...]) -> Scenario:
    made, mode = draw(graphs()), draw(st.sampled_from(modes))
    needed = draw(st.integers(1, len(made))) if mode == "quorum" else 0
    return Scenario("parallel", mode, made, needed)


STOPPING = ("fail_fast", "all_or_nothing", "quorum")
orderly = st.one_of(
    sequences(("continue", "fail_fast", "all_or_nothing")), choices(), parallels(("continue",))
)
hasty = parallels(STOPPING)
slots = st.sampled_from([None, None, 1, 2])
"""How many agents may work at once."""
disturbances = st.lists(
    st.builds(
        Disturbance,
        call=st.integers(1, 8),
        kind=st.sampled_from(["kill", "cancel", "drain"]),
        acts_first=st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each.call,
)
settings_in_memory = settings(max_examples=EXAMPLES, deadline=None)
settings_with_a_database = settings(
    max_examples=max(1, EXAMPLES // 5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# -- what is compared -------------------------------------------------------------------


def check(stage: Stage, result: WorkflowResult, expected: Interpreter) -> None:
    """What holds of every run, however often it was disturbed."""
    assert fates_of(result) == expected.fates
    assert str(result.status) == expected.status()
    assert stage.called_again == [], "a task was called again though its end was known"
    assert all(len(keys) == 1 for keys in stage.keys.values()), "a task had several keys"
    assert len(stage.effects) == len({*stage.effects} & {f"run:{id_}" for id_ in stage.keys})
    done = {id_ for id_, fate in expected.fates.items() if fate.status == "succeeded"}
    assert result.outputs == {id_: expected.fates[id_].output for id_ in done}
    for id_, fate in expected.fates.items():
        if fate.status == "succeeded" and fate.calls:
            assert stage.effects[f"run:{id_}"] == fate.output
    event(f"{stage.scenario.strategy} {stage.scenario.mode} {result.status}")


def check_calls(stage: Stage, expected: Interpreter) -> None:
    """Each attempt was made once, but for those under way when the process died."""
    counted = Counter(stage.chosen)
    assert {*counted} == {
        (id_, attempt)
        for id_, attempts in expected.begun.items()
        for attempt in range(1, attempts + 1)
    }
    assert max(counted.values(), default=1) <= 1 + stage.deaths
    uncalled = {*stage.chosen} - {*stage.calls}
    assert {*stage.calls} <= {*stage.chosen}
    for id_, attempt in uncalled:  # the run had its end in the moment between
        assert expected.fates[id_].status == "cancelled"
        assert expected.fates[id_].calls == attempt
    assert max(Counter(stage.calls).values(), default=1) <= 1 + stage.deaths
    unseen = {id_ for id_, attempt in uncalled if attempt == 1}
    assert stage.seen == {id_: saw for id_, saw in expected.seen.items() if id_ not in unseen}


# -- in memory --------------------------------------------------------------------------


@settings_in_memory
@given(scenario=orderly, slots=slots, one_by_one=st.booleans())
def test_every_task_comes_to_what_the_interpreter_says(
    *, scenario: Scenario, slots: int | None, one_by_one: bool
) -> None:
    stage = Stage(scenario, slots=slots, one_answer_at_a_time=one_by_one)
    result = run_leaping(stage.run())
    expected = Interpreter(scenario).interpret()
    check(stage, result, expected)
    check_calls(stage, expected)
    assert stage.asked == expected.asked


@settings_in_memory
@given(scenario=hasty, slots=slots, one_by_one=st.booleans())
def test_a_run_that_ends_early_begins_nothing_more_and_ends_what_it_must(
    *, scenario: Scenario, slots: int | None, one_by_one: bool
) -> None:
    stage = Stage(scenario, slots=slots, one_answer_at_a_time=one_by_one)
    result = run_leaping(stage.run())
    expected = Interpreter(scenario).follow(stage.story, fates_of(result))
    check(stage, result, expected)
    check_calls(stage, expected)


# -- with a database, and processes that die --------------------------------------------


@settings_with_a_database
@given(scenario=orderly, falls=disturbances, one_by_one=st.booleans())
def test_whoever_dies_meanwhile_every_task_comes_to_the_same(
    *, tmp_path: Path, scenario: Scenario, falls: list[Disturbance], one_by_one: bool
) -> None:
    clear(tmp_path)
    stage = Stage(scenario, tmp_path, one_answer_at_a_time=one_by_one, disturbances=falls)
    result = asyncio.run(stage.run())
    expected = Interpreter(scenario).interpret()
    check(stage, result, expected)
    check_calls(stage, expected)
    assert stage.asked == expected.asked
    event(f"died {stage.deaths} times")


@settings_with_a_database
@given(scenario=hasty, falls=disturbances, one_by_one=st.booleans())
def test_whoever_dies_meanwhile_a_run_that_ends_early_still_does(
    *, tmp_path: Path, scenario: Scenario, falls: list[Disturbance], one_by_one: bool
) -> None:
    clear(tmp_path)
    stage = Stage(scenario, tmp_path, one_answer_at_a_time=one_by_one, disturbances=falls)
    result = asyncio.run(stage.run())
    expected = Interpreter(scenario).follow(stage.story, fates_of(result))
    check(stage, result, expected)
    event(f"died {stage.deaths} times")


# -- what is no plan at all -------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
async def test_no_tasks_are_no_plan(strategy: str) -> None:
    coordinator = SimpleCoordinator(registry=AgentRegistry(), database_url="memory://")
    with pytest.raises(PlanError, match="no tasks"):
        await coordinator.execute_workflow([], strategy=strategy)


def test_a_route_to_nobody_calls_nobody() -> None:
    scenario = Scenario("conditional", "continue", (Job("t0"), Job("t1")), route="t9")
    stage = Stage(scenario)
    with pytest.raises(RoutingError, match="t9"):
        run_leaping(stage.run())
    assert stage.calls == []
