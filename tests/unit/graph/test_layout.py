from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.layout import direct_needs, extra_waits, find_cycles, layout, mesh_levels
from state.plan_document import Region

Needs = dict[str, list[str]]
Order = set[tuple[str, str]]


@st.composite
def dags(draw: st.DrawFn) -> Needs:
    ids = draw(st.permutations("abcdefghi"))[: draw(st.integers(1, 9))]
    needs = {id_: [x for x in ids[:i] if draw(st.booleans())] for i, id_ in enumerate(ids)}
    return {id_: needs[id_] for id_ in draw(st.permutations(ids))}


@st.composite
def series_parallel(draw: st.DrawFn) -> Needs:
    """Compose tasks in series and beside each other, and say only what is needed."""
    shape = draw(
        st.recursive(
            st.just("task"),
            lambda part: st.tuples(
                st.sampled_from(["series", "parallel"]), st.lists(part, min_size=2, max_size=3)
            ),
            max_leaves=10,
        )
    )
    needs: Needs = {}

    def add(part: Any, after: list[str]) -> list[str]:  # noqa: ANN401
        if part == "task":
            needs[name := f"t{len(needs)}"] = list(after)
            return [name]
        kind, parts = part
        if kind == "parallel":
            return [last for each in parts for last in add(each, after)]
        for each in parts:
            after = add(each, after)
        return after

    add(shape, [])
    return {id_: needs[id_] for id_ in draw(st.permutations(sorted(needs)))}


def closed(needs: Mapping[str, Sequence[str]]) -> Order:
    order = {(other, id_) for id_, others in needs.items() for other in others}
    while more := {(a, d) for a, b in order for c, d in order if b == c} - order:
        order |= more
    return order


def implied(region: Region, needs: Needs) -> Order:
    """Who comes before whom, by the region alone (a mesh adds what its tasks need)."""
    if region["kind"] == "mesh":
        members = set(region["tasks"])
        return closed({id_: [x for x in needs[id_] if x in members] for id_ in members})
    order: Order = set()
    earlier: list[str] = []
    for part in region.get("parts", []):
        order |= implied(part, needs)
        if region["kind"] == "series":
            order |= {(before, after) for before in earlier for after in part["tasks"]}
            earlier += part["tasks"]
    return order


def leaves(region: Region) -> list[str]:
    if "parts" not in region:
        return region["tasks"]
    return [task for part in region["parts"] for task in leaves(part)]


def kinds(region: Region) -> set[str]:
    return {region["kind"]}.union(*(kinds(part) for part in region.get("parts", [])))


@given(dags())
def test_every_task_has_exactly_one_place(needs: Needs) -> None:
    assert Counter(leaves(layout(needs))) == Counter(list(needs))


@given(dags())
def test_the_layout_orders_just_what_the_needs_order(needs: Needs) -> None:
    assert implied(layout(needs), needs) == closed(needs)


@given(dags())
def test_each_part_has_two_or_more_of_another_kind_and_its_tasks_in_plan_order(
    needs: Needs,
) -> None:
    def check(region: Region) -> None:
        assert region["tasks"] == [id_ for id_ in needs if id_ in region["tasks"]]
        assert (region["kind"] == "task") == (len(region["tasks"]) == 1)
        assert ("parts" in region) == (region["kind"] in {"series", "parallel"})
        parts = region.get("parts", [])
        assert len(parts) != 1
        assert all(part["kind"] != region["kind"] for part in parts)
        assert sorted(t for part in parts for t in part["tasks"]) in ([], sorted(region["tasks"]))
        for part in parts:
            check(part)

    check(layout(needs))


@given(series_parallel())
def test_what_is_composed_in_series_and_parallel_is_taken_apart_fully(needs: Needs) -> None:
    region = layout(needs)
    assert "mesh" not in kinds(region)
    assert implied(region, needs) == closed(needs)
    assert extra_waits(region, needs) == {}


@given(dags())
def test_only_an_n_makes_a_mesh(needs: Needs) -> None:
    order = closed(needs)
    n_shaped = any(
        (a, c) in order
        and (a, d) in order
        and (b, d) in order
        and not {(a, b), (b, a), (c, d), (d, c), (b, c), (c, b)} & order
        for a in needs
        for b in needs
        for c in needs
        for d in needs
        if len({a, b, c, d}) == 4
    )
    assert ("mesh" in kinds(layout(needs))) == n_shaped


@given(dags())
def test_waits_are_what_a_lockstep_mesh_adds(needs: Needs) -> None:
    def meshes(region: Region) -> list[Region]:
        inner = [mesh for part in region.get("parts", []) for mesh in meshes(part)]
        return [region] if region["kind"] == "mesh" else inner

    region, order = layout(needs), closed(needs)
    expected = {}
    for mesh in meshes(region):
        level = mesh_levels(mesh["tasks"], needs)
        for task in mesh["tasks"]:
            slow = [x for x in mesh["tasks"] if level[x] < level[task] and (x, task) not in order]
            if slow:
                expected[task] = slow
    assert extra_waits(region, needs) == expected


def test_an_n_is_a_mesh_in_which_c_waits_for_b() -> None:
    needs: Needs = {"a": [], "b": [], "c": ["a"], "d": ["a", "b"]}
    region = layout(needs)
    assert region == {"kind": "mesh", "tasks": ["a", "b", "c", "d"]}
    assert extra_waits(region, needs) == {"c": ["b"]}


def test_an_n_between_others_stays_small() -> None:
    needs: Needs = {"a": ["x"], "b": ["x"], "c": ["a"], "d": ["a", "b"], "x": [], "y": []}
    region = layout(needs)
    assert region["kind"] == "parallel"
    assert [(part["kind"], part["tasks"]) for part in region["parts"]] == [
        ("series", ["a", "b", "c", "d", "x"]),
        ("task", ["y"]),
    ]
    assert [part["kind"] for part in region["parts"][0]["parts"]] == ["task", "mesh"]
    assert extra_waits(region, needs) == {"c": ["b"]}


def test_two_chains_are_two_series_beside_each_other() -> None:
    region = layout({"a": [], "b": ["a"], "c": [], "d": ["c"]})
    assert [(part["kind"], part["tasks"]) for part in region["parts"]] == [
        ("series", ["a", "b"]),
        ("series", ["c", "d"]),
    ]


@given(dags())
def test_direct_needs_are_the_fewest_that_say_the_same(needs: Needs) -> None:
    direct = direct_needs(list(needs), needs)
    assert closed(direct) == closed(needs)
    for id_, others in direct.items():
        for other in others:
            fewer = {**direct, id_: [x for x in others if x != other]}
            assert closed(fewer) != closed(needs)


@given(dags())
def test_a_level_is_the_longest_way_to_a_task(needs: Needs) -> None:
    levels = mesh_levels(list(needs), needs)
    for id_, others in needs.items():
        assert levels[id_] == max((levels[other] + 1 for other in others), default=0)


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=2)))
def test_a_cycle_is_found_where_there_is_one(some: Needs) -> None:
    needs = {id_: some.get(id_, []) for id_ in "abcdef"}
    cycles = find_cycles(needs)
    assert (not cycles) == all(a != b for a, b in closed(needs))
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert len(cycle) > 1
        for before, after in itertools.pairwise(cycle):
            assert before in needs[after]


SHAPES: dict[str, Needs] = {
    "beside each other": {f"t{i}": [] for i in range(1000)},
    "a chain": {f"t{i}": [f"t{i - 1}"] if i else [] for i in range(1000)},
    "a tree": {f"t{i}": [f"t{(i - 1) // 2}"] if i else [] for i in range(1000)},
    "layers": {
        f"t{i}": [f"t{j}" for j in range(i // 10 * 10 - 10, i // 10 * 10) if j >= 0]
        for i in range(1000)
    },
    "at random": {
        f"t{i}": [f"t{random.Random(i + k).randrange(i)}" for k in range(3) if i]
        for i in range(1000)
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thousand_tasks_are_laid_out(shape: str) -> None:
    region = layout(SHAPES[shape])
    assert len(region["tasks"]) == 1000
    assert extra_waits(region, SHAPES[shape]) == {} or "mesh" in kinds(region)


def test_a_thousand_tasks_may_be_nested_deeply() -> None:
    needs: Needs = {}
    for i in range(500):
        needs[f"a{i}"] = [f"a{i - 1}"] if i else []
        needs[f"b{i}"] = [f"a{i}"]
    assert len(layout(needs)["tasks"]) == 1000
