"""Tells people that something waits for them, through Apprise where it is installed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from checkpoints.approvals import PEOPLE
from state.errors import ConfigurationError

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest, Due

_log = logging.getLogger(__name__)

NOTIFY_VARIABLE: Final = "ORCHESTRATION_NOTIFY_URLS"
"""Apprise URLs, separated by spaces or commas."""

PATIENCE_SECONDS: Final = 5.0
"""How long a run that pauses, or a sweep, waits for notifications to be delivered."""

_WORDS: Final[Mapping[str, str]] = {
    "requested": "Approval wanted",
    "reminded": "Still waiting for approval",
    "escalated": "Approval escalated to you",
    "expired": "Approval deadline passed",
}


class Notifier(Protocol):
    """Tells people of requests."""

    async def notify(self, event: str, request: ApprovalRequest) -> None:
        """Tell them; trouble is logged, never raised."""
        ...


class AppriseNotifier:
    """Sends to any service that Apprise knows: mail, chat, webhooks.

    At most once for each event: what cannot be delivered is logged, and reminders and
    escalations are there for what was overlooked.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            from apprise import Apprise  # noqa: PLC0415  an optional extra
        except ImportError as error:
            raise ConfigurationError(
                f"{NOTIFY_VARIABLE} is set, but Apprise is not installed; "
                'pip install "agent-orchestration-layer[notify]"'
            ) from error
        self._apprise = Apprise()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="orchestration-notify")
        for url in urls:
            if not self._apprise.add(url):
                scheme = url.partition("://")[0]
                raise ConfigurationError(
                    f"{NOTIFY_VARIABLE} has a URL of scheme {scheme!r} that Apprise does not "
                    "understand; see its list of services"
                )

    async def notify(self, event: str, request: ApprovalRequest) -> None:
        """Tell everybody; trouble is logged, never raised."""
        title, body = message(event, request)
        send = partial(self._apprise.notify, body=body, title=title)
        delivered = await asyncio.get_running_loop().run_in_executor(self._threads, send)
        if not delivered:
            _log.warning("could not notify everybody of request %s", request.request_id)


class Announcer:
    """Tells a notifier in the background, so that no run waits for a slow or dead service."""

    def __init__(self, notifier: Notifier | None) -> None:
        self._notifier = notifier
        self._telling: set[asyncio.Task[None]] = set()

    def __call__(self, due: Sequence[Due]) -> None:
        """Begin to tell."""
        if self._notifier is None:
            return
        for event, request in due:
            if request.kind not in PEOPLE:  # nobody can do anything about it
                continue
            task = asyncio.create_task(self._notifier.notify(event, request))
            self._telling.add(task)
            task.add_done_callback(self._told)

    async def settle(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until everything is told, but not for ever; what takes longer goes on."""
        loop = asyncio.get_running_loop()
        if here := {task for task in self._telling if task.get_loop() is loop}:
            await asyncio.wait(here, timeout=seconds)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("a notifier failed", exc_info=error)


def message(event: str, request: ApprovalRequest) -> tuple[str, str]:
    """Title and text about a request; inputs are not in it, as they may be confidential."""
    what = f"Task {request.task_id!r} for {request.action!r}" if request.task_id else "A question"
    lines = [
        f"{what}, thread {request.thread_id}.",
        f"Asked for by {request.requester}." if request.requester else "",
        f"Look at it: orchestration approvals show {request.request_id}",
    ]
    title = f"{_WORDS.get(event, event)}: {request.task_id or 'a question'}"
    return title, "\n".join(filter(None, lines))


def notifier_from_environment() -> Notifier | None:
    """Return the notifier that the environment asks for, or None.

    Raises:
        ConfigurationError: Apprise is missing, or does not understand a URL.
    """
    urls = os.environ.get(NOTIFY_VARIABLE, "").replace(",", " ").split()
    return AppriseNotifier(urls) if urls else None
