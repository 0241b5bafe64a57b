"""Drawings of a compiled graph: Mermaid, text and PNG, all made on this machine.

The two texts are LangGraph's own, over a copy of the graph without what it stumbles
on; the picture is in `graph.picture`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.picture import DrawingError, Place, groups_of, in_node_order, render

if TYPE_CHECKING:
    from langchain_core.runnables.graph import Edge, Graph

_MERMAID_SYNTAX = re.compile(r"""[#"'&()\[\]{}<>|;`\\]|\.(?=-)|-(?=-)""")
_OURS = "orchestration_"
"""What the metadata begin with that the nodes need."""
_TERMINALS = frozenset({"__start__", "__end__"})
_MERMAID_KEYWORD = re.compile(r"(?:class|click|end|graph|style|subgraph)\b")


class DrawingFormatError(DrawingError):
    """Raised when a file's suffix names no format that graphs can be drawn in."""

    code = "unknown_drawing_format"

    def __init__(self, suffix: str, allowed: Collection[str]) -> None:
        self.suffix = suffix
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"{suffix!r} is not a format for graphs")
        self.args = (suffix, self.allowed)

    def __str__(self) -> str:
        return f"{super().__str__()}; name a file that ends in one of {', '.join(self.allowed)}."


def mermaid(graph: Graph) -> str:
    """Draw `graph` in the Mermaid language, which GitHub and notebooks show as a picture."""
    plain = _plain(graph)
    return "".join([_flat(plain).draw_mermaid(), *_mermaid_groups(plain, ())])


def ascii_art(graph: Graph) -> str:
    """Draw `graph` in letters, for a terminal; dotted lines are conditional edges.

    Parts that no edge joins stand one below the other. A node with an edge to itself
    says so in its label.
    """
    parts = (part.draw_ascii() for part in _connected_parts(_without_loops(_plain(graph))))
    lines = (line.rstrip() for part in parts for line in [*part.splitlines(), ""])
    return "\n".join(lines).rstrip() + "\n"


def png(graph: Graph) -> bytes:
    """Draw `graph` as a PNG, at twice the usual resolution.

    Raises:
        DrawingError: The layout failed; the reason is in the message.
    """
    return render(_plain(graph))


def write_drawing(graph: Graph, path: Path) -> None:
    """Draw `graph` into a file, in the format that its suffix names.

    Raises:
        DrawingFormatError: The suffix is none of `.md`, `.mmd`, `.png` and `.txt`.
    """
    draw = _FORMATS.get(path.suffix.lower())
    if draw is None:
        raise DrawingFormatError(path.suffix, _FORMATS)
    path.write_bytes(draw(graph))


_FORMATS: dict[str, Callable[[Graph], bytes]] = {
    ".md": lambda graph: f"```mermaid\n{mermaid(graph)}```\n".encode(),
    ".mmd": lambda graph: mermaid(graph).encode(),
    ".png": png,
    ".txt": lambda graph: ascii_art(graph).encode(),
}


def _plain(graph: Graph) -> Graph:
    """Copy `graph` without what says nothing: starts and ends of subgraphs, our own metadata.

    LangGraph keeps the end of a subgraph as a node where more than one way leads to it.
    """
    inner = {id_ for id_ in graph.nodes if ":" in id_ and id_.rpartition(":")[2] in _TERMINALS}
    edges = list(graph.edges)
    for end in inner:
        into = [edge for edge in edges if edge.target == end]
        out = [edge for edge in edges if edge.source == end]
        edges = [edge for edge in edges if end not in {edge.source, edge.target}]
        joined = (_joined(first, second) for first in into for second in out)
        edges += (edge for edge in joined if edge not in edges)
    nodes = {
        id_: node._replace(metadata=_shown(node.metadata))
        for id_, node in graph.nodes.items()
        if id_ not in inner
    }
    return replace(graph, nodes=nodes, edges=edges)


def _joined(first: Edge, second: Edge) -> Edge:
    return first._replace(
        target=second.target,
        data=second.data if first.data is None else first.data,
        conditional=first.conditional or second.conditional,
    )


def _shown(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {
        key: each for key, each in (metadata or {}).items() if not key.startswith(_OURS)
    } or None


def _flat(graph: Graph) -> Graph:
    """Copy `graph` without subgraphs, and with labels that Mermaid won't take for syntax.

    LangGraph's Mermaid refuses two subgraphs of one name, takes nodes of one name in two
    subgraphs for a third, loses some nested ones, and escapes no label.
    """
    nodes = {
        (flat := _flat_id(id_)): node._replace(id=flat, name=_escaped(node.name))
        for id_, node in graph.nodes.items()
    }
    edges = (
        edge._replace(
            source=_flat_id(edge.source),
            target=_flat_id(edge.target),
            data=None if edge.data is None else _escaped(str(edge.data)),
        )
        for edge in in_node_order(graph)
    )
    return replace(graph, nodes=nodes, edges=_with_single_loops(edges))


def _flat_id(node_id: str) -> str:
    """Hide that a node is in a subgraph, and keywords; LangGraph allows no `|` in a name."""
    flat = node_id.replace(":", "|")
    return f"|{flat}" if _MERMAID_KEYWORD.match(flat) else flat


def _mermaid_id(node_id: str) -> str:
    """Write an id as LangGraph's Mermaid does."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda odd: f"\\{ord(odd[0]):x}", _flat_id(node_id))


def _escaped(label: str) -> str:
    return _MERMAID_SYNTAX.sub(lambda found: f"#{ord(found[0])};", " ".join(label.split()))


def _with_single_loops(edges: Iterable[Edge]) -> list[Edge]:
    """Join the edges of a node to itself: of two, LangGraph's Mermaid makes a subgraph."""
    kept: list[Edge] = []
    loops: dict[str, int] = {}
    for edge in edges:
        first = loops.setdefault(edge.source, len(kept)) if edge.source == edge.target else None
        if first is None or first == len(kept):
            kept.append(edge)
        else:
            labels = [str(data) for data in (kept[first].data, edge.data) if data is not None]
            kept[first] = kept[first]._replace(data=" / ".join(labels) or None)
    return kept


def _mermaid_groups(graph: Graph, place: Place) -> Iterator[str]:
    """Put boxes, one for each subgraph, around nodes that are drawn already."""
    groups = groups_of(graph.nodes.values())
    for index, (child, nodes) in enumerate(groups.items()):
        if child and child[:-1] == place:
            yield f'\tsubgraph \\7c{index} ["{_escaped(child[-1])}"]\n'
            yield from (f"\t{_mermaid_id(node.id)}\n" for node in nodes)
            yield from _mermaid_groups(graph, child)
            yield "\tend\n"


def _without_loops(graph: Graph) -> Graph:
    """Copy `graph` with loops said in labels: LangGraph's text drawing fails at them.

    Nor does it draw arrowheads, so that a way there and back looks like a way there.
    """
    times = Counter(node.name for node in graph.nodes.values())
    loops = {edge.source for edge in graph.edges if edge.source == edge.target}
    ways = {(edge.source, edge.target) for edge in graph.edges}
    edges = [edge for edge in in_node_order(graph) if edge.source != edge.target]
    forth: set[tuple[str, str]] = set()
    for edge in edges:
        if (edge.target, edge.source) not in forth:
            forth.add((edge.source, edge.target))
    returning = {target for source, target in forth if (target, source) in ways - forth}
    nodes = {}
    for id_, node in graph.nodes.items():
        name = id_.replace(":", " / ") if times[node.name] > 1 else node.name
        name = f"{name} (repeats)" if id_ in loops else name
        nodes[id_] = node._replace(name=f"{name} (and back)" if id_ in returning else name)
    kept = [edge for edge in edges if (edge.source, edge.target) in forth]
    return replace(graph, nodes=nodes, edges=kept)


def _connected_parts(graph: Graph) -> Iterator[Graph]:
    """Split `graph` where no edge joins it; LangGraph's text drawing shows one part only."""
    left = list(graph.nodes)
    while left:
        part: set[str] = set()
        grown = {left[0]}
        while grown != part:
            part = grown
            touching = (edge for edge in graph.edges if part & {edge.source, edge.target})
            grown = part.union(*((edge.source, edge.target) for edge in touching))
        left = [id_ for id_ in left if id_ not in part]
        nodes = {id_: node for id_, node in graph.nodes.items() if id_ in part}
        edges = [edge for edge in graph.edges if edge.source in part]
        yield replace(graph, nodes=nodes, edges=edges)
