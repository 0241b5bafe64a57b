"""The page on strategies: its examples run, and its graphs are those of their tasks.

python tests/integration/test_choosing_a_strategy.py      draws them anew
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import types
from pathlib import Path
from typing import Any, NamedTuple

from graph.draw import mermaid
from orchestration import SimpleCoordinator, WorkflowStatus

PAGE = Path(__file__).resolve().parents[2] / "docs" / "choosing-a-strategy.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
GRAPH = re.compile(r"<!-- graph: ([^>]+) -->\n(?:\n?```mermaid\n.*?```\n)?", re.DOTALL)


class Example(NamedTuple):
    """One section of the page, executed."""

    title: str
    names: dict[str, Any]

    @property
    def strategy(self) -> str:
        source: str = self.names["__source"]
        return str(re.findall(r"execute_(\w+)", source)[0])

    def drawing(self) -> str:
        """Its graph, without the node that puts the plan into the state of a bare graph."""
        coordinator: SimpleCoordinator = self.names["coordinator"]
        wishes = {name: self.names[name] for name in ("router", "supervisor") if name in self.own}
        if self.strategy != "conditional":
            wishes.pop("router", None)
        graph = coordinator.compile(self.names["tasks"], strategy=self.strategy, **wishes)
        drawn = graph.get_graph(xray=True)
        start, begin = "__start__", "plan"
        edges = [
            edge._replace(source=start) if edge.source == begin else edge
            for edge in drawn.edges
            if edge.target != begin
        ]
        drawn.nodes.pop(begin)
        drawn.edges[:] = edges
        return mermaid(drawn)

    @property
    def own(self) -> set[str]:
        return {*ast_names(self.names["__source"])}


def ast_names(source: str) -> list[str]:
    """What a block of code gives names to, at its top level."""
    return [
        target.id
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]


async def run_block(source: str, names: dict[str, Any]) -> None:
    code = compile(source, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = types.FunctionType(code, names)()
    if inspect.iscoroutine(value):
        await value


async def examples() -> list[Example]:
    """Run the page from top to bottom."""
    text = PAGE.read_text(encoding="utf-8")
    beginning = text.partition("\n## ")[0]
    names: dict[str, Any] = {}
    await run_block(CODE.findall(beginning)[0], names)
    found = []
    for title, section in SECTION.findall(text):
        (source,) = CODE.findall(section)
        await run_block(source, names)
        found.append(Example(title, {**names, "__source": source}))
    names["coordinator"].close()
    return found


async def page() -> str:
    """The page with graphs drawn from its examples."""
    drawings = iter([example.drawing() for example in await examples()])

    def drawn(found: re.Match[str]) -> str:
        return f"<!-- graph: {found[1]} -->\n\n```mermaid\n{next(drawings)}```\n"

    return GRAPH.sub(drawn, PAGE.read_text(encoding="utf-8"))


async def test_every_example_runs_and_completes() -> None:
    for example in await examples():
        result = example.names["result"]
        assert result.status == WorkflowStatus.COMPLETED, (example.title, result)


async def test_every_row_of_the_table_leads_to_its_example() -> None:
    text = PAGE.read_text(encoding="utf-8")
    titles = [title for title, _ in SECTION.findall(text)]
    links = re.findall(r"\(#([^)]+)\)", text)
    assert links == [re.sub(r"[^a-z -]", "", title.lower()).replace(" ", "-") for title in titles]


async def test_every_graph_is_that_of_its_example() -> None:
    assert PAGE.read_text(encoding="utf-8") == await page()


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
