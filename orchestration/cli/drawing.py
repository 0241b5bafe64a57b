"""Draws the graph that tasks are compiled into."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from state.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables.graph import Graph

    from orchestration.simple_coordinator import SimpleCoordinator
    from state.workflow import Workflow


class DrawingStyle(StrEnum):
    """How a graph is drawn."""

    MERMAID = "mermaid"
    ASCII = "ascii"
    PNG = "png"


class CannotWriteError(OrchestrationError):
    """Raised when a drawing cannot be saved where the user wants it."""

    code = "cannot_write"

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(path, why)

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.why}; choose another path."


def drawable(
    coordinator: SimpleCoordinator,
    workflow: Workflow,
    *,
    xray: bool = True,
) -> Graph:
    """Compile a workflow and return their graph's drawing board.

    Raises:
        PlanError: It cannot run as given.
    """
    from orchestration.workflows.parameters import undemanding  # noqa: PLC0415

    return coordinator.compile(undemanding(workflow), tenant="drawing").get_graph(xray=xray)


def draw(graph: Graph, style: DrawingStyle) -> bytes:
    """Draw a graph in one style."""
    from graph.draw import ascii_art, mermaid, png  # noqa: PLC0415  heavy

    if style is DrawingStyle.PNG:
        return png(graph)
    return (mermaid(graph) if style is DrawingStyle.MERMAID else ascii_art(graph)).encode()


def save(graph: Graph, path: Path, style: DrawingStyle | None = None) -> None:
    """Draw a graph into a file; without a style, in the one that its suffix names.

    Raises:
        CannotWriteError: The path cannot be written.
        DrawingFormatError: The suffix names no style.
    """
    from graph.draw import write_drawing  # noqa: PLC0415  heavy

    try:
        if style is None:
            write_drawing(graph, path)
        else:
            path.write_bytes(draw(graph, style))
    except OSError as error:
        raise CannotWriteError(str(path), error.strerror or str(error)) from error
