from __future__ import annotations

import importlib.metadata
import operator
import pickle
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Hashable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.runnables.graph import Edge, Graph, Node
from langgraph.graph import END, START, StateGraph

from graph import picture
from graph.draw import DrawingFormatError, ascii_art, mermaid, png, write_drawing
from graph.picture import DrawingError, dot
from state.errors import OrchestrationError


class Work(TypedDict):
    done: Annotated[list[str], operator.add]


async def do(state: Work) -> Work:
    return {"done": []}


def pick(state: Work) -> str:
    return "buy tickets"


def chain(*names: str) -> StateGraph[Work]:
    graph = StateGraph(Work)
    for name in names:
        graph.add_node(name, do)
    for source, target in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(source, target)
    return graph


def sequence() -> Graph:
    return chain("ticketing", "finance", "sales").compile().get_graph()


def fan(*names: str) -> Graph:
    graph = StateGraph(Work)
    for name in names:
        graph.add_node(name, do)
        graph.add_edge(START, name)
    graph.add_node("join", do)
    graph.add_edge(list(names), "join")
    graph.add_edge("join", END)
    return graph.compile().get_graph()


def chains(*, first: str = "booking", second: str = "sales") -> Graph:
    graph = StateGraph(Work)
    graph.add_node(first, chain("purchase", "expense").compile())
    graph.add_node(second, chain("crm", "notify").compile())
    graph.add_node("join", do)
    graph.add_edge(START, first)
    graph.add_edge(START, second)
    graph.add_edge([first, second], "join")
    graph.add_edge("join", END)
    return graph.compile().get_graph(xray=True)


def router() -> Graph:
    graph = StateGraph(Work)
    routes: dict[Hashable, str] = {
        "buy tickets": "ticketing",
        "update crm": "sales",
        "expense > 5000": "finance",
    }
    graph.add_node("router", do)
    graph.add_edge(START, "router")
    graph.add_conditional_edges("router", pick, routes)
    for name in routes.values():
        graph.add_node(name, do)
        graph.add_edge(name, END)
    return graph.compile().get_graph()


def loop() -> Graph:
    graph = StateGraph(Work)
    graph.add_node("supervisor", do, destinations=("researcher", END))
    graph.add_node("researcher", do, destinations={"researcher": "again", "supervisor": "report"})
    graph.add_edge(START, "supervisor")
    return graph.compile().get_graph()


def repeated_names() -> Graph:
    """Two subgraphs that each hold a subgraph `deep` with a node `call`."""
    team = StateGraph(Work)
    team.add_node("deep", chain("call").compile())
    team.add_node("review", do)
    team.add_edge(START, "deep")
    team.add_edge("deep", "review")
    team.add_edge("review", END)
    graph = StateGraph(Work)
    graph.add_node("left", team.compile())
    graph.add_node("right", team.compile())
    graph.add_edge(START, "left")
    graph.add_edge("left", "right")
    graph.add_edge("right", END)
    return graph.compile().get_graph(xray=True)


def drawn(*edges: Edge, nodes: str) -> Graph:
    ids = nodes.split()
    return Graph(
        nodes={id_: Node(id_, id_.rpartition(":")[2], None, None) for id_ in ids},
        edges=list(edges),
    )


EVERY_GRAPH = [
    pytest.param(sequence(), id="sequence"),
    pytest.param(fan("ticketing", "sales", "finance"), id="parallel"),
    pytest.param(fan(*(f"task_{number}" for number in range(50))), id="50 in parallel"),
    pytest.param(chains(), id="two chains as subgraphs"),
    pytest.param(router(), id="router"),
    pytest.param(loop(), id="cycle with a self loop"),
    pytest.param(repeated_names(), id="subgraphs of one name"),
    pytest.param(drawn(nodes="alone"), id="single node"),
    pytest.param(drawn(Edge("a", "a"), nodes="a"), id="single node with a self loop"),
    pytest.param(drawn(Edge("a", "b"), nodes="a b c"), id="two parts"),
    pytest.param(drawn(nodes=""), id="nothing"),
]


def size_of(image: bytes) -> tuple[int, int]:
    """Read width and height from a PNG's header."""
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    return width, height


@pytest.mark.parametrize("graph", EVERY_GRAPH)
def test_every_graph_has_a_picture_without_a_network(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        pytest.fail("a drawing tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert min(size_of(png(graph))) > 10


@pytest.mark.parametrize("graph", EVERY_GRAPH)
def test_every_graph_has_a_text_and_a_mermaid_drawing(graph: Graph) -> None:
    text, diagram = ascii_art(graph), mermaid(graph)
    for node in graph.nodes.values():
        assert node.name in text
        assert node.name in diagram
        assert ":" not in text


def isolated(command: list[str]) -> list[str]:
    return ["unshare", "--map-root-user", "--net", *command]


def can_isolate() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(isolated(["true"]), check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_isolate(), reason="this system lets no one make a network namespace")
def test_the_layout_program_needs_no_network_interface() -> None:
    done = subprocess.run(
        isolated([picture._program(), "-Tpng"]),
        input=dot(sequence()).encode(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == png(sequence())


def test_pictures_are_twice_as_sharp_as_usual_and_grow_with_the_graph() -> None:
    width, height = size_of(png(sequence()))
    assert height > 600  # five boxes, one below the other
    assert width < height
    wide, low = size_of(png(fan(*(f"task_{number}" for number in range(50)))))
    assert wide > 50 * 150
    assert low < 2000


def test_conditional_edges_are_dashed_and_say_their_condition() -> None:
    edge = next(line for line in dot(router()).splitlines() if "expense" in line)
    assert "style=dashed" in edge
    assert "expense > 5000" in edge


def test_self_loops_are_drawn() -> None:
    names = [f"n{index}" for index, id_ in enumerate(loop().nodes) if id_ == "researcher"]
    assert f"{names[0]} -> {names[0]} [" in dot(loop())


def test_subgraphs_are_boxes_with_titles_that_no_arrow_crosses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources: list[str] = []
    draw = picture._graphviz

    def recording(*options: str, source: str) -> bytes:
        sources.append(source)
        return draw(*options, source=source)

    monkeypatch.setattr(picture, "_graphviz", recording)
    png(chains())
    assert "subgraph cluster_1 {" in sources[0]
    assert 'title_1 [label="booking", pos="' in sources[-1]
    assert 'title_2 [label="sales", pos="' in sources[-1]


def test_labels_are_shown_as_they_are() -> None:
    graph = drawn(Edge("a", "b", r'\N "x" &lt;'), nodes="a b")
    assert r"\\N" in dot(graph)
    assert r"\"x\"" in dot(graph)
    assert "&amp;lt;" in dot(graph)
    assert size_of(png(graph))


def test_long_labels_are_wrapped() -> None:
    graph = drawn(Edge("a", "b", "word " * 20), nodes="a b")
    assert size_of(png(graph))[0] < 1000


def test_mermaid_of_a_router() -> None:
    assert mermaid(router()).split("graph TD;\n")[1] == (
        "\t__start__([<p>__start__</p>]):::first\n"
        "\trouter(router)\n"
        "\tticketing(ticketing)\n"
        "\tsales(sales)\n"
        "\tfinance(finance)\n"
        "\t__end__([<p>__end__</p>]):::last\n"
        "\t__start__ --> router;\n"
        "\trouter -. &nbsp;buy tickets&nbsp; .-> ticketing;\n"
        "\trouter -. &nbsp;update crm&nbsp; .-> sales;\n"
        "\trouter -. &nbsp;expense #62; 5000&nbsp; .-> finance;\n"
        "\tticketing --> __end__;\n"
        "\tsales --> __end__;\n"
        "\tfinance --> __end__;\n"
        "\tclassDef default fill:#f2f0ff,line-height:1.2\n"
        "\tclassDef first fill-opacity:0\n"
        "\tclassDef last fill:#bfb6fc\n"
    )


def test_mermaid_puts_subgraphs_in_boxes_even_when_names_repeat() -> None:
    boxes = mermaid(repeated_names()).partition("\tsubgraph")
    assert "".join(boxes[1:]) == (
        '\tsubgraph \\7c1 ["left"]\n'
        "\tleft\\7creview\n"
        '\tsubgraph \\7c2 ["deep"]\n'
        "\tleft\\7cdeep\\7ccall\n"
        "\tend\n"
        "\tend\n"
        '\tsubgraph \\7c3 ["right"]\n'
        "\tright\\7creview\n"
        '\tsubgraph \\7c4 ["deep"]\n'
        "\tright\\7cdeep\\7ccall\n"
        "\tend\n"
        "\tend\n"
    )


def test_mermaid_takes_no_name_for_syntax() -> None:
    graph = drawn(Edge("end", "b", "a -- b .-> c"), nodes="end b")
    assert "\t\\7cend -- &nbsp;a #45;- b #46;-#62; c&nbsp; --> b;\n" in mermaid(graph)


def test_mermaid_draws_a_node_with_two_edges_to_itself_as_a_node() -> None:
    graph = drawn(Edge("a", "a", "again", True), Edge("a", "a", "more", True), nodes="a")  # noqa: FBT003
    assert "\ta -. &nbsp;again / more&nbsp; .-> a;\n" in mermaid(graph)
    assert "subgraph" not in mermaid(graph)


def test_text_of_a_fork_and_join() -> None:
    assert ascii_art(fan("sales", "hr")).splitlines() == [
        "     +-----------+",
        "     | __start__ |",
        "     +-----------+",
        "        *     **",
        "       *        *",
        "      *          *",
        "+-------+      +----+",
        "| sales |      | hr |",
        "+-------+      +----+",
        "        *     **",
        "         *   *",
        "          * *",
        "       +------+",
        "       | join |",
        "       +------+",
        "           *",
        "           *",
        "           *",
        "      +---------+",
        "      | __end__ |",
        "      +---------+",
    ]


def test_text_shows_parts_that_no_edge_joins_and_says_what_repeats() -> None:
    graph = drawn(Edge("b", "b"), nodes="a b")
    assert ascii_art(graph) == (
        "+---+\n| a |\n+---+\n\n+-------------+\n| b (repeats) |\n+-------------+\n"
    )


def test_text_says_the_subgraph_where_a_name_repeats() -> None:
    text = ascii_art(repeated_names())
    assert "| left / deep / call |" in text
    assert "| right / deep / call |" in text


node_ids = st.lists(
    st.from_regex(r"(?:left:|left:deep:|right:)?[a-d]", fullmatch=True),
    min_size=1,
    unique=True,
)


@st.composite
def any_graph(draw: st.DrawFn) -> Graph:
    ids = draw(node_ids)
    end = st.sampled_from(ids)
    edge = st.builds(Edge, end, end, st.none() | st.just("if so"), st.booleans())
    return drawn(*draw(st.lists(edge, max_size=12)), nodes=" ".join(ids))


@settings(max_examples=40, deadline=None)
@given(any_graph())
def test_no_graph_is_too_odd_to_draw(graph: Graph) -> None:
    assert ascii_art(graph).count("\n") > 2
    assert mermaid(graph).count("\tsubgraph") == mermaid(graph).count("\tend\n")
    assert size_of(png(graph))


@pytest.mark.parametrize(
    ("name", "start"),
    [
        pytest.param("graph.mmd", b"---\nconfig:", id="mermaid"),
        pytest.param("README.md", b"```mermaid\n---\n", id="markdown"),
        pytest.param("graph.txt", b"+---+\n", id="text"),
        pytest.param("graph.PNG", b"\x89PNG", id="picture"),
    ],
)
def test_the_suffix_chooses_the_format(tmp_path: Path, name: str, start: bytes) -> None:
    write_drawing(drawn(nodes="a"), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_an_unknown_suffix_is_refused_with_the_allowed_ones(tmp_path: Path) -> None:
    with pytest.raises(DrawingFormatError, match=r"'\.gif'.* one of \.md, \.mmd, \.png, \.txt"):
        write_drawing(sequence(), tmp_path / "graph.gif")
    assert not list(tmp_path.iterdir())


def test_errors_survive_a_process_boundary() -> None:
    for error in (DrawingFormatError(".gif", {".png", ".txt"}), DrawingError("no reason")):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(copy), str(copy)) == (type(error), str(error))
        assert isinstance(copy, OrchestrationError)


def test_a_missing_layout_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", not_installed)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DrawingError, match="pip install graphviz-pure"):
        png(sequence())


def test_a_layout_program_that_does_not_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_program", lambda: "/nowhere/graphviz-pure")
    with pytest.raises(DrawingError, match="/nowhere/graphviz-pure does not start"):
        png(sequence())


def test_a_layout_that_fails_says_why() -> None:
    with pytest.raises(DrawingError, match="syntax error"):
        picture._graphviz("-Tpng", source="digraph {")


def test_a_layout_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "PATIENCE", timedelta(0))
    with pytest.raises(DrawingError, match="more than 0 s"):
        png(sequence())


def test_importing_the_drawings_loads_nothing_heavy() -> None:
    heavy = "{'PIL', 'grandalf', 'langchain_core', 'langgraph'}"
    code = f"import sys, graph.draw; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=30
    )
    assert done.stdout.strip() == "set()"


def test_the_end_of_a_subgraph_and_what_only_nodes_need_are_not_drawn() -> None:
    """More than one way leads to the end of a subgraph, so LangGraph keeps it as a node."""
    inner = StateGraph(Work)
    inner.add_node("enter", do, destinations=("work", END), metadata={"orchestration_next": "x"})
    inner.add_node("work", do)
    inner.add_edge(START, "enter")
    inner.add_edge("work", END)
    outer = StateGraph(Work)
    outer.add_node("part", inner.compile())
    outer.add_node("after", do)
    outer.add_edge(START, "part")
    outer.add_edge("part", "after")
    outer.add_edge("after", END)
    text = mermaid(outer.compile().get_graph(xray=True))
    assert "orchestration_next" not in text
    assert "part\\7c__end__" not in text
    assert "part\\7center -.-> after;" in text
    assert "part\\7cwork --> after;" in text


def test_a_way_there_and_back_says_so_in_letters() -> None:
    text = ascii_art(drawn(Edge("hub", "a"), Edge("a", "hub"), Edge("hub", "b"), nodes="hub a b"))
    assert "a (and back)" in text
    assert "b (and back)" not in text
