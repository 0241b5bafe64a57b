"""Tells people that something waits for them, through Apprise where it is installed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from state.errors import ConfigurationError

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest

_log = logging.getLogger(__name__)

NOTIFY_VARIABLE: Final = "ORCHESTRATION_NOTIFY_URLS"
"""Apprise URLs, separated by spaces or commas."""

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
        delivered = await asyncio.to_thread(self._apprise.notify, body=body, title=title)
        if not delivered:
            _log.warning("could not notify everybody of request %s", request.request_id)


def message(event: str, request: ApprovalRequest) -> tuple[str, str]:
    """Title and text about a request; inputs are not in it, as they may be confidential."""
    lines = [
        f"Task {request.task_id!r} for {request.action!r}, thread {request.thread_id}.",
        f"Asked for by {request.requester}." if request.requester else "",
        f"Look at it: orchestration approvals show {request.request_id}",
    ]
    return f"{_WORDS.get(event, event)}: {request.task_id}", "\n".join(filter(None, lines))


def notifier_from_environment() -> Notifier | None:
    """Return the notifier that the environment asks for, or None.

    Raises:
        ConfigurationError: Apprise is missing, or does not understand a URL.
    """
    urls = os.environ.get(NOTIFY_VARIABLE, "").replace(",", " ").split()
    return AppriseNotifier(urls) if urls else None
