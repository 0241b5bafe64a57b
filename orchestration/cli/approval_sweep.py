"""Sweeping the inbox from the command line, once or until somebody stops it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from orchestration.approvals import ApprovalInbox, Swept, open_inbox
from orchestration.cli.approval_documents import swept_document
from orchestration.cli.approval_views import refused_later, swept
from orchestration.cli.terminal import console, print_json, styled
from state.errors import OrchestrationError

if TYPE_CHECKING:
    from asyncio import Future

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


async def sweep_once(database: str | None, *, json_output: bool) -> None:
    """Sweep, and say what was done."""
    async with open_inbox(database) as inbox:
        done = await inbox.sweep()
    if json_output:
        print_json(swept_document(done))
    elif any(done):
        swept(console(), done)
    else:
        console().print("Nothing was due.")


async def keep_sweeping(database: str | None, *, every: float, json_output: bool) -> None:
    """Sweep every so many seconds, and when something is due, until told to stop.

    A sweep that has begun is finished first, unless it is told twice. As JSON, each sweep is
    one document on a line of its own.

    Raises:
        OrchestrationError: The first sweep failed; later failures are reported and tried again.
    """
    async with open_inbox(database) as inbox:
        with _Stop().listening() as stop:
            note = f"Sweeping every {every:g} s; Ctrl-C ends it."
            console(stderr=True).print(styled(note, "dim"))
            done = await stop.unless_told_twice(inbox)
            while not stop.told.is_set():
                if done is not None:
                    _tell(done, json_output=json_output)
                await stop.sleep(await _pause(inbox, every))
                done = None if stop.told.is_set() else await _try(stop, inbox)
            if done is not None:
                _tell(done, json_output=json_output)


class _Stop:
    """Whether the process was told to stop, and how often."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self._sweep: Future[Swept] | None = None

    @contextmanager
    def listening(self) -> Iterator[_Stop]:
        """Catch signals while the body runs."""
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, self._tell)
        try:
            yield self
        finally:
            for number in STOPPING:
                loop.remove_signal_handler(number)

    async def unless_told_twice(self, inbox: ApprovalInbox) -> Swept | None:
        """Sweep; None if it was cut short."""
        self._sweep = asyncio.ensure_future(inbox.sweep())
        try:
            await asyncio.wait({self._sweep})
            return None if self._sweep.cancelled() else self._sweep.result()
        finally:
            self._sweep.cancel()

    async def sleep(self, seconds: float) -> None:
        """Wait, but not once told to stop."""
        told = asyncio.ensure_future(self.told.wait())
        await asyncio.wait({told}, timeout=seconds)
        told.cancel()

    def _tell(self) -> None:
        if self.told.is_set() and self._sweep is not None:
            self._sweep.cancel()
        self.told.set()


async def _try(stop: _Stop, inbox: ApprovalInbox) -> Swept | None:
    try:
        return await stop.unless_told_twice(inbox)
    except OrchestrationError as error:
        refused_later(str(error))
        return None


async def _pause(inbox: ApprovalInbox, every: float) -> float:
    """How long to wait; what is due before is not to wait for the next sweep."""
    try:
        return await inbox.pause_seconds(every)
    except OrchestrationError:  # the next sweep reports it
        return every


def _tell(done: Swept, *, json_output: bool) -> None:
    if json_output:
        sys.stdout.write(json.dumps(swept_document(done)) + "\n")
    else:
        swept(console(), done)
    sys.stdout.flush()
