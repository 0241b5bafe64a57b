"""Follows a run on the screen, line by line."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from orchestration.cli.terminal import styled
from orchestration.cli.words import event_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rich.console import Console
    from rich.status import Status

    from orchestration.workflow_events import WorkflowEvent
    from state.jsonvalue import JsonObject

MOST_NAMES: Final = 8
_IN_BETWEEN: Final = frozenset({"token", "token_restart", "verdict"})
"""Kinds of events after which a task still runs."""
_STEPS = re.compile(r"[/#]")


class Progress:
    """Prints a line when a task starts and ends; on a terminal, also what runs now."""

    def __init__(self, console: Console) -> None:
        self.begun = False
        """Whether anything ran, so that there is something to resume."""
        self._console = console
        self._running: dict[str, None] = {}

    async def follow(self, events: AsyncIterator[WorkflowEvent]) -> JsonObject:
        """Print events until the last; return the result it holds."""
        result: JsonObject = {}
        try:
            with waiting(self._console, "starting") as status:
                async for event in events:
                    self._tell(event)
                    if status is not None:
                        status.update(styled(self._now()))
                    result = event.data
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        return result

    def _tell(self, event: WorkflowEvent) -> None:
        if event.kind in {"task_started", "compensation_started"}:
            self.begun = True
            self._running[event.task_id] = None
        elif event.kind not in _IN_BETWEEN:
            self._running.pop(event.task_id, None)
        if line := event_line(event):
            self._console.print(styled(*line), soft_wrap=True)

    def _now(self) -> str:
        return running_now(self._running)


def running_now(paths: Collection[str]) -> str:
    """Say what runs: of tasks inside others only the innermost, and of many the first."""
    around = {path[: mark.start()] for path in paths for mark in _STEPS.finditer(path)}
    inner = [path for path in paths if path not in around]
    if not inner:
        return "saving"
    more = f" and {len(inner) - MOST_NAMES} more" if len(inner) > MOST_NAMES else ""
    return f"running: {', '.join(inner[:MOST_NAMES])}{more}"


@contextmanager
def waiting(console: Console, what: str) -> Iterator[Status | None]:
    """Show a spinner on a terminal while the body runs; elsewhere, nothing."""
    if not console.is_interactive:
        yield None
        return
    with console.status(styled(what)) as status:
        yield status
