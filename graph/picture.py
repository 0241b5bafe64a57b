"""A graph as a PNG, by the Graphviz that the `graphviz-pure` wheel brings.

The graph is written in the DOT language and handed to that program over a pipe: no
network, no system package, no browser, and the same bytes on every platform, since
the program uses only the fonts inside it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib import metadata
from typing import TYPE_CHECKING

from state.errors import OrchestrationError

if TYPE_CHECKING:
    from langchain_core.runnables.graph import Edge, Graph, Node

PROGRAM = "graphviz-pure"
"""The distribution, and the command that it installs."""
PATIENCE = timedelta(seconds=60)
"""How long a layout may take; that of 1000 parallel nodes takes some ten seconds."""
LABEL_WIDTH = 28
"""Characters after which a label goes on in the next line, at a space."""

Place = tuple[str, ...]
"""The names of the subgraphs that a node is in, outermost first."""

_LOOKS = """
    graph [rankdir=TB, dpi=192, pad=0.25, nodesep=0.35, bgcolor=white, outputorder=edgesfirst,
           fontname=Arial, fontsize=11, fontcolor="#5b6478"]
    node [shape=box, style="rounded,filled", fillcolor="#f1efff", color="#7c6fe0",
          fontname=Arial, fontsize=12, fontcolor="#1f2333", margin="0.18,0.09", height=0.42]
    edge [color="#69728a", arrowsize=0.75, penwidth=1.1,
          fontname=Arial, fontsize=10, fontcolor="#3d4457"]
"""
_GROUP = 'style="rounded,filled", fillcolor="#f7f8fb", color="#c3c9d6", labeljust=l, margin=14'
_TITLE = 'shape=plain, style=filled, fillcolor="#f7f8fb", fontsize=11, fontcolor="#5b6478"'
_TITLE_PLACE = re.compile(r'subgraph cluster_(\d+) \{.*?\blp="([^"]+)"', re.DOTALL)
_TERMINALS: Mapping[str, str] = {
    "__start__": 'label=start, fillcolor=white, color="#2e9e6b", penwidth=1.4',
    "__end__": 'label=end, fillcolor="#2f3547", color="#2f3547", fontcolor=white',
}


class DrawingError(OrchestrationError):
    """Raised when a graph could not be drawn."""

    code = "drawing_failed"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"the graph could not be drawn: {self.reason}"


def render(graph: Graph) -> bytes:
    """Draw `graph` as a PNG, at twice the usual resolution.

    Raises:
        DrawingError: The program is missing, failed, or took longer than `PATIENCE`.
    """
    groups = groups_of(graph.nodes.values())
    source = dot(graph)
    if len(groups) == 1:
        return _graphviz("-Tpng", source=source)
    # Graphviz draws arrows over the titles of subgraphs. So: lay out, put a node over each
    # title, which is drawn after the arrows, and draw that (-n2) where everything now stands.
    laid_out = _graphviz("-Tdot", source=source).decode()
    titles = [place[-1] if place else "" for place in groups]
    covers = (
        f'title_{index} [label={_quoted(titles[int(index)])}, pos="{place}", {_TITLE}]'
        for index, place in _TITLE_PLACE.findall(laid_out)
    )
    covered = "\n".join([laid_out.rstrip().removesuffix("}"), *covers, "}"])
    return _graphviz("-Kneato", "-n2", "-Tpng", source=covered)


def _graphviz(*options: str, source: str) -> bytes:
    command = [_program(), *options]
    try:
        done = subprocess.run(  # noqa: S603 - our own wheel's program; the graph goes by pipe
            command,
            input=source.encode(),
            capture_output=True,
            check=True,
            timeout=PATIENCE.total_seconds(),
        )
    except subprocess.TimeoutExpired:
        raise DrawingError(f"the layout took more than {PATIENCE.seconds} s") from None
    except subprocess.CalledProcessError as error:
        raise DrawingError(error.stderr.decode(errors="replace").strip()) from error
    except OSError as error:
        raise DrawingError(f"{command[0]} does not start: {error}") from error
    return done.stdout


def _program() -> str:
    """Find the program where the wheel put it, which need not be on the PATH."""
    try:
        files = metadata.files(PROGRAM) or []
    except metadata.PackageNotFoundError:
        files = []
    found = next((str(file.locate()) for file in files if file.stem == PROGRAM), None)
    found = found or shutil.which(PROGRAM)
    if found is None:
        raise DrawingError(f"{PROGRAM} is not installed; `pip install {PROGRAM}`")
    return found


def dot(graph: Graph) -> str:
    """Write `graph` in the DOT language: subgraphs as boxes, conditional edges dashed."""
    names = {id_: f"n{index}" for index, id_ in enumerate(graph.nodes)}
    groups = groups_of(graph.nodes.values())
    lines = [
        "digraph {",
        _LOOKS,
        f"ranksep={_space_between_ranks(graph.edges):.2f}",
        *_group(groups, (), names),
        *_edges(in_node_order(graph), names),
        "}",
    ]
    return "\n".join(lines)


def _space_between_ranks(edges: Iterable[Edge]) -> float:
    """Give arrows that fan out widely the height (in inches) to be told apart."""
    ends = Counter(end for edge in edges for end in (f"from {edge.source}", f"to {edge.target}"))
    widest = max(ends.values(), default=0)
    return min(0.45 + 0.03 * widest, 2.5)


def _place(node_id: str) -> Place:
    return tuple(node_id.split(":")[:-1])


def groups_of(nodes: Iterable[Node]) -> dict[Place, list[Node]]:
    """Sort nodes into their subgraphs; one that holds only subgraphs is there, empty."""
    groups: dict[Place, list[Node]] = {(): []}
    for node in nodes:
        place = _place(node.id)
        for depth in range(len(place)):
            groups.setdefault(place[: depth + 1], [])
        groups[place].append(node)
    return groups


def _group(
    groups: Mapping[Place, Sequence[Node]], place: Place, names: Mapping[str, str]
) -> Iterator[str]:
    for node in groups[place]:
        yield _node(node, names[node.id])
    for index, child in enumerate(groups):
        if child and child[:-1] == place:
            yield f"subgraph cluster_{index} {{"
            yield f"graph [label={_quoted(child[-1])}, {_GROUP}]"
            yield from _group(groups, child, names)
            yield "}"


def _node(node: Node, name: str) -> str:
    terminal = _TERMINALS.get(node.id.rpartition(":")[2])
    if terminal is None:
        return f"{name} [label={_quoted(node.name)}]"
    line = f'{name} [{terminal}, height=0.33, margin="0.2,0.04"]'
    return f"{{ rank=sink {line} }}" if node.id == "__end__" else line


def in_node_order(graph: Graph) -> list[Edge]:
    """Sort edges as their nodes were added; LangGraph sorts them by name."""
    order = {id_: index for index, id_ in enumerate(graph.nodes)}
    return sorted(graph.edges, key=lambda edge: (order[edge.source], order[edge.target]))


def _edges(edges: Sequence[Edge], names: Mapping[str, str]) -> Iterator[str]:
    out_of = Counter(edge.source for edge in edges)
    into = Counter(edge.target for edge in edges)
    for edge in edges:
        # The heavier, the straighter and shorter: chains are straight and begin at their fork.
        chained = 5 if out_of[edge.source] == 1 else 1
        weight = 2 * chained if into[edge.target] == 1 else 1
        looks = f"weight={weight}, {_edge_looks(edge)}"
        yield f"{names[edge.source]} -> {names[edge.target]} [{looks}]"


def _edge_looks(edge: Edge) -> str:
    looks = ["style=dashed"] if edge.conditional else []
    if edge.data is not None:
        looks.append(f"label={_quoted(str(edge.data), padding=2)}")
    outside, inside = _place(edge.source), _place(edge.target)
    if inside and outside[: len(inside)] != inside:
        looks.append("headport=n")  # into a subgraph from above, past its title
    return ", ".join(looks)


def _quoted(text: str, *, padding: int = 0) -> str:
    r"""Quote `text` so that DOT shows it as it is: no escapes (`\N`), no entities (`&lt;`)."""
    visible = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    lines = textwrap.wrap(visible, LABEL_WIDTH, break_long_words=False) or [""]
    space = "\N{NO-BREAK SPACE}" * padding
    padded = "\n".join(f"{space}{line}{space}" for line in lines)
    for special, escape in {"\\": "\\\\", '"': '\\"', "&": "&amp;", "\n": "\\n"}.items():
        padded = padded.replace(special, escape)
    return f'"{padded}"'
