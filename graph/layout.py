"""The shape of a set of dependent tasks: which run in series, which beside each other.

Tasks are vertices of a directed acyclic graph. Its partial order is taken apart as far as
it goes: where some tasks are unrelated to all the others it is parallel, where some come
before all the others it is a series (J. Valdes, R. Tarjan, E. Lawler, "The Recognition of
Series Parallel Digraphs", 1982). What cannot be taken apart holds an N (a before c and d,
b before d only) and stays a mesh, in which a superstep ends with its slowest task.
Sets of tasks are bit masks, so that a thousand tasks take milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from state.plan_document import Region

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


DEEPEST: Final = 24
"""Regions inside regions; deeper ones stay a mesh, as every level is a subgraph that costs."""


@dataclass(frozen=True, slots=True)
class Precedence:
    """Who comes before whom, transitively; index i of a task is bit i of a mask."""

    ids: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


def find_cycles(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return cycles that share no task, each task needed by the next, the first again last."""
    cycles: list[list[str]] = []
    left = dict(needs)
    while True:
        known = {id_: [other for other in others if other in left] for id_, others in left.items()}
        try:
            TopologicalSorter(known).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1]
            cycles.append(cycle)
            left = {id_: others for id_, others in left.items() if id_ not in cycle}
        else:
            return cycles


def precedence(needs: Mapping[str, Sequence[str]]) -> Precedence:
    """Close an acyclic `needs` transitively."""
    ids = tuple(needs)
    index = {id_: i for i, id_ in enumerate(ids)}
    before = [0] * len(ids)
    after = [0] * len(ids)
    for id_ in TopologicalSorter(needs).static_order():
        mask = 0
        for other in needs[id_]:
            mask |= before[index[other]] | 1 << index[other]
        before[index[id_]] = mask
        for i in _bits(mask):
            after[i] |= 1 << index[id_]
    return Precedence(ids, tuple(before), tuple(after))


def layout(needs: Mapping[str, Sequence[str]]) -> Region:
    """Take the tasks of an acyclic `needs` apart into series, parallels and meshes."""
    if not any(needs.values()):  # the commonest shape, and the one that gets large
        leaves: list[Region] = [{"kind": "task", "tasks": [id_]} for id_ in needs]
        if len(leaves) == 1:
            return leaves[0]
        return {"kind": "parallel", "tasks": list(needs), "parts": leaves}
    order = precedence(needs)
    return _region(order, (1 << len(order.ids)) - 1)


def extra_waits(region: Region, needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Which task will wait for which others although it does not build on them."""
    if region["kind"] == "task":
        return {}
    if region["kind"] != "mesh":
        waits: dict[str, list[str]] = {}
        for part in region["parts"]:
            waits |= extra_waits(part, needs)
        return waits
    return _mesh_waits(region["tasks"], needs)


def mesh_levels(tasks: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """In which superstep of its mesh each task runs: the longest path that leads to it."""
    members = set(tasks)
    inside = {id_: [other for other in needs[id_] if other in members] for id_ in tasks}
    levels: dict[str, int] = {}
    for id_ in TopologicalSorter(inside).static_order():
        levels[id_] = 1 + max((levels[other] for other in inside[id_]), default=-1)
    return levels


def direct_needs(tasks: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The needs among `tasks`, without those that follow from others."""
    members = set(tasks)
    inside = {id_: [other for other in needs[id_] if other in members] for id_ in tasks}
    order = precedence(inside)
    index = {id_: i for i, id_ in enumerate(order.ids)}
    return {
        id_: [
            other
            for other in others
            if not any(order.before[index[between]] >> index[other] & 1 for between in others)
        ]
        for id_, others in inside.items()
    }


def _mesh_waits(tasks: Sequence[str], needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    levels = mesh_levels(tasks, needs)
    members = set(tasks)
    order = precedence({id_: [x for x in needs[id_] if x in members] for id_ in tasks})
    waits = {}
    for i, id_ in enumerate(order.ids):
        waited_for = [
            other
            for j, other in enumerate(order.ids)
            if levels[other] < levels[id_] and not order.before[i] >> j & 1
        ]
        if waited_for:
            waits[id_] = waited_for
    return waits


def _region(order: Precedence, mask: int, depth: int = 0) -> Region:
    tasks = [order.ids[i] for i in _bits(mask)]
    if len(tasks) == 1:
        return {"kind": "task", "tasks": tasks}
    if depth == DEEPEST:
        return {"kind": "mesh", "tasks": tasks}
    related = [order.before[i] | order.after[i] for i in range(len(order.ids))]
    beside = _components(mask, related)
    if len(beside) > 1:
        parts = [_region(order, part, depth + 1) for part in beside]
        return {"kind": "parallel", "tasks": tasks, "parts": parts}
    unrelated = [mask & ~related[i] & ~(1 << i) for i in range(len(order.ids))]
    blocks = _components(mask, unrelated)
    if len(blocks) > 1:
        blocks.sort(key=lambda block: (order.before[_lowest(block)] & mask).bit_count())
        parts = [_region(order, block, depth + 1) for block in blocks]
        return {"kind": "series", "tasks": tasks, "parts": parts}
    return {"kind": "mesh", "tasks": tasks}


def _components(mask: int, neighbours: Sequence[int]) -> list[int]:
    """Connected parts of `mask`, each as a mask, in the order of their lowest task."""
    parts = []
    while mask:
        part = frontier = mask & -mask
        while frontier:
            reached = 0
            for i in _bits(frontier):
                reached |= neighbours[i]
            frontier = reached & mask & ~part
            part |= frontier
        parts.append(part)
        mask &= ~part
    return parts


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield _lowest(mask)
        mask &= mask - 1
