"""A conversation over several turns: one thread, one request after another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from state.errors import ThreadNotFoundError

if TYPE_CHECKING:
    from checkpoints.history import RecordedMessage
    from checkpoints.upgrades import TurnResult
    from orchestration.enterprise import EnterpriseOrchestrator, Messages
    from orchestration.enterprise_result import EnterpriseResult


class Session:
    """Talks to an orchestrator on one thread.

    Every turn sees the last messages of those before it. Its process may end between turns:
    the thread id is all that is needed to go on.
    """

    def __init__(
        self,
        orchestrator: EnterpriseOrchestrator,
        thread_id: str,
        *,
        tenant: str | None = None,
        user: str | None = None,
    ) -> None:
        self._orchestrator = orchestrator
        self.thread_id = thread_id
        self.tenant = tenant
        self.user = user

    async def send(self, messages: Messages) -> EnterpriseResult:
        """Take a turn; as `EnterpriseOrchestrator.execute`."""
        return await self._orchestrator.execute(
            messages, thread_id=self.thread_id, tenant=self.tenant, user=self.user
        )

    async def resume(
        self,
        decisions: Mapping[str, object] | None = None,
        *,
        by: str | None = None,
        roles: Collection[str] = (),
    ) -> EnterpriseResult:
        """Go on with the present turn, with answers to what it asks."""
        return await self._orchestrator.resume(self.thread_id, decisions, by=by, roles=roles)

    async def turns(self) -> list[TurnResult]:
        """Return what each finished turn came to, the first turn first."""
        try:
            return await self._orchestrator.coordinator.turns(self.thread_id)
        except ThreadNotFoundError:  # nothing was said yet
            return []

    async def history(self, *, limit: int = 50) -> list[RecordedMessage]:
        """Return the last messages, newest last."""
        try:
            return await self._orchestrator.coordinator.history(self.thread_id, limit=limit)
        except ThreadNotFoundError:  # nothing was said yet
            return []
