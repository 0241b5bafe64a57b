"""The supervisor graph: takes messages, plans inside, and answers with a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.graph import START, StateGraph

from graph.compiler import compile_with_key
from nodes.plan_loader import LoaderInput
from nodes.run_handle import RunHandle, Template, offer_template
from nodes.supervised import (
    ANSWER,
    SUPERVISE,
    UNDERSTAND,
    WORK,
    answer,
    supervise_request,
    understand,
    work,
)
from state.plan_document import END_NODE
from state.run_state import SupervisedOutput, SupervisedState

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.graph.state import CompiledStateGraph


def supervisor_graph(
    make_handle: Callable[[], RunHandle], *, key: str
) -> CompiledStateGraph[Any, None, Any, Any]:
    """Compile the graph.

    Args:
        make_handle: Makes what serves a run in this process; with a `delegation`.
        key: Names the graph; another process that offers it can go on with its runs.
    """
    offer_template(key, Template(None, make_handle))
    graph: StateGraph[Any, None, Any, Any] = StateGraph(
        SupervisedState, input_schema=LoaderInput, output_schema=SupervisedOutput
    )
    graph.add_node(UNDERSTAND, understand, input_schema=LoaderInput)
    graph.add_node(SUPERVISE, supervise_request, destinations=(WORK, ANSWER))
    graph.add_node(WORK, work)
    graph.add_node(ANSWER, answer)
    graph.add_edge(START, UNDERSTAND)
    graph.add_edge(UNDERSTAND, SUPERVISE)
    graph.add_edge(WORK, SUPERVISE)
    graph.add_edge(ANSWER, END_NODE)
    return compile_with_key(graph, key, name="supervisor")
