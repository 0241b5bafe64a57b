"""Driving a compiled plan to its next pause or its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from orchestration.engines.asking import asked_in
from state.outcome import is_finished

if TYPE_CHECKING:
    from langgraph.types import Interrupt

    from checkpoints.approvals import Asked
    from graph.compiler import CompiledPlan
    from orchestration.engines.local_parts import Chunk, LocalParts
    from orchestration.engines.segment import Segment
    from state.run_state import Outcomes

    Driven = tuple[Mapping[str, Any], Sequence[Interrupt]]
    """A graph's output, and what it asks."""


async def drive_plain(
    graph: CompiledPlan,
    graph_input: Any,  # noqa: ANN401  an input, a Command or None
    segment: Segment,
    known: Outcomes,
) -> Driven:
    """Run a plain sequence, whose whole result is the outcomes that its nodes announce to `known`.

    Letting LangGraph stream nothing saves two percent. A task without an end means that its
    agent, a graph itself, asks something: then the checkpoint says what.
    """
    async for _ in graph.astream(
        graph_input,
        segment.config,
        durability="sync",
        stream_mode=[],
        control=segment.brake.control,
    ):
        raise AssertionError("nothing is streamed without a stream mode")
    if all(is_finished(known.get(id_)) for id_ in segment.plan.document["order"]):
        return {"outcomes": known}, ()
    snapshot = await graph.aget_state(segment.config)
    return snapshot.values, snapshot.interrupts


async def drive(
    graph: CompiledPlan,
    graph_input: Any,  # noqa: ANN401  an input, a Command or None
    segment: Segment,
    local: LocalParts,
    note: Callable[[Segment, Sequence[Asked]], Awaitable[None]],
) -> Driven:
    """Run any graph.

    What is asked beside tasks that still run is handed to `note` at once, so that it can be
    answered meanwhile.
    """
    config, beside = segment.config, segment.plan.traits.beside
    if local.watch is None and not beside:
        # version 2 streams less inside, and hands out interrupts by themselves
        output = await graph.ainvoke(
            graph_input, config, durability="sync", version="v2", control=segment.brake.control
        )
        return output.value or {}, output.interrupts
    async for each in graph.astream(
        graph_input,
        config,
        durability="sync",
        stream_mode="tasks",
        subgraphs=True,
        control=segment.brake.control,
    ):
        chunk = cast("Chunk", each)
        if local.watch is not None:
            local.watch(chunk)
        if beside and (asked := list(asked_in(chunk))):
            await note(segment, asked)
    snapshot = await graph.aget_state(config)
    return snapshot.values, snapshot.interrupts
