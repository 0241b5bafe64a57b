from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.aggregate import aggregated
from state.status import WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

outputs = st.dictionaries(
    st.sampled_from("abcde"),
    st.dictionaries(st.sampled_from("xy"), st.integers(0, 1), max_size=2).map(dict[str, Any]),
    max_size=5,
)


@given(outputs)
def test_collect_keeps_everything(given_outputs: dict[str, Any]) -> None:
    assert aggregated({"kind": "collect"}, given_outputs, total=5) == given_outputs


@given(outputs)
def test_merge_keeps_the_last_value_of_every_key(given_outputs: dict[str, Any]) -> None:
    merged = aggregated({"kind": "merge"}, given_outputs, total=5)
    pairs = [pair for output in given_outputs.values() for pair in output.items()]
    assert merged == dict(pairs)


@given(outputs)
def test_first_success_is_the_first_in_task_order(given_outputs: dict[str, Any]) -> None:
    first = aggregated({"kind": "first_success"}, given_outputs, total=5)
    assert first == (list(given_outputs.values())[0] if given_outputs else None)  # noqa: RUF015


@given(outputs, st.integers(5, 7))
def test_a_majority_is_more_than_half_of_all_tasks(
    given_outputs: dict[str, Any], total: int
) -> None:
    values = list(given_outputs.values())
    winners = [value for value in values if values.count(value) * 2 > total]
    majority = aggregated({"kind": "majority"}, given_outputs, total=total)
    assert majority == (winners[0] if winners else None)


@pytest.mark.parametrize(("total", "majority"), [(3, {"x": 1}), (4, None), (5, None)])
def test_half_of_the_tasks_is_no_majority(total: int, majority: object) -> None:
    two_alike: dict[str, Any] = {"a": {"x": 1}, "b": {"x": 1}}
    assert aggregated({"kind": "majority"}, two_alike, total=total) == majority


@given(outputs)
def test_aggregating_changes_no_output(given_outputs: dict[str, Any]) -> None:
    before = {id_: dict(output) for id_, output in given_outputs.items()}
    for kind in ("collect", "merge", "first_success", "majority"):
        aggregated({"kind": kind}, given_outputs, total=5)
    assert given_outputs == before


async def run(bench: Bench, aggregate: object, **wishes: Any) -> Any:  # noqa: ANN401
    def agent(given_input: dict[str, Any]) -> dict[str, Any]:
        if given_input["n"] < 0:
            raise RuntimeError("broken")
        return given_input

    bench.hire(z=agent)
    tasks = [AgentTask("z", {"n": n}, task_id=id_) for id_, n in [("z", 1), ("b", -1), ("a", 1)]]
    wishes = {"strategy": "parallel", **wishes}
    return await bench.run(*tasks, aggregate=aggregate, **wishes)


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [
        ("collect", {"z": {"n": 1}, "a": {"n": 1}}),
        ("merge", {"n": 1}),
        ("first_success", {"n": 1}),
        ("majority", {"n": 1}),
        (lambda outputs: sum(output["n"] for output in outputs.values()), 2),
        (list, ["z", "a"]),
    ],
)
async def test_the_aggregation_gets_what_succeeded_in_task_order(
    bench: Bench, aggregate: str | Callable[..., object], value: object
) -> None:
    result = await run(bench, aggregate)
    assert (result.status, result.aggregate) == (WorkflowStatus.PARTIAL, value)


async def test_a_sequence_aggregates_what_it_achieved_before_it_failed(bench: Bench) -> None:
    result = await run(bench, "collect", strategy="sequential")
    assert (result.status, result.aggregate) == (WorkflowStatus.FAILED, {"z": {"n": 1}})


def stumble(_outputs: object) -> object:
    raise KeyError("price")


@pytest.mark.parametrize(
    ("aggregate", "type_"), [(stumble, "KeyError"), (lambda _: {1, 2}, "NotJsonError")]
)
async def test_an_aggregation_that_fails_says_so_and_spoils_nothing(
    bench: Bench, aggregate: Callable[..., object], type_: str
) -> None:
    result = await run(bench, aggregate)
    assert result.aggregate["error"]["type"] == type_
    assert result.status == WorkflowStatus.PARTIAL
    assert result.outputs.keys() == {"z", "a"}


async def later(_outputs: object) -> int:
    return 1


async def test_an_asynchronous_aggregation_is_awaited_or_refused_in_words(bench: Bench) -> None:
    result = await run(bench, later)
    assert result.aggregate == 1 or "asynchronous" in result.aggregate["error"]["message"]


async def test_an_aggregation_cannot_change_the_outputs(bench: Bench) -> None:
    result = await run(bench, lambda outputs: outputs["z"].pop("n"))
    assert result["z"].output == {"n": 1}
