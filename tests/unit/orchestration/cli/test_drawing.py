from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from typer.testing import Result

    Invoke = Callable[..., Result]
    Write = Callable[[dict[str, Any]], str]

EXAMPLES = Path(__file__).parents[4] / "examples"
PURCHASE: dict[str, Any] = {
    "tasks": [
        {"agent_id": "ticketing", "message": "Book 2 tickets for tonight"},
        {"agent_id": "finance", "message": "Approve the expense", "requires_approval": True},
    ]
}


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (("--output", "graph.png"), b"\x89PNG"),
        (("--output", "graph.picture", "--format", "png"), b"\x89PNG"),
        (("--output", "graph.md"), b"```mermaid"),
        (("--output", "graph.txt"), b" "),
        (("--output", "graph.any", "--format", "mermaid"), b"---\nconfig"),
    ],
)
def test_graphs_are_drawn_into_files(invoke: Invoke, words: tuple[str, ...], begins: bytes) -> None:
    done = invoke("graph", "draw", str(EXAMPLES / "notifications.yaml"), *words)
    assert done.exit_code == 0
    assert Path(words[1]).read_bytes().startswith(begins)


@pytest.mark.parametrize("path", ["graph.gif", "no/such/folder.png"])
def test_a_drawing_that_cannot_be_saved_exits_with_2(invoke: Invoke, path: str) -> None:
    failed = invoke("graph", "draw", str(EXAMPLES / "purchase.yaml"), "--output", path)
    assert failed.exit_code == 2
    assert failed.stderr.startswith("Error: ")


def test_a_graph_is_drawn_in_letters_by_default(invoke: Invoke, workflow: Write) -> None:
    drawn = invoke("graph", "draw", workflow(PURCHASE)).stdout
    assert "| ticketing |" in drawn
    assert "| finance.approval |" in drawn


def test_a_graph_with_a_budget_of_a_tenant_is_drawn(invoke: Invoke, workflow: Write) -> None:
    budgets = [{"cost": 5, "per": "tenant"}]
    assert invoke("graph", "draw", workflow({**PURCHASE, "budgets": budgets})).exit_code == 0


def test_run_can_draw_the_graph_first(invoke: Invoke) -> None:
    done = invoke("run", str(EXAMPLES / "router.json"), "--graph", "--png", "graph.png", "--json")
    assert json.loads(done.stdout)["status"] == "completed"
    assert "| router |" in done.stderr
    assert Path("graph.png").read_bytes().startswith(b"\x89PNG")
