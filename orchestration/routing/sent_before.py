"""What becomes of a call that may have begun somewhere before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.errors import AgentError

if TYPE_CHECKING:
    from nodes.ports import Dispatch


def made_nowhere_else(sent: Dispatch, because: str) -> AgentError:
    """Say that a call cannot be made again where it was sent, and so is not made at all."""
    where = f"endpoint {sent.endpoint!r} of " if sent.endpoint else ""
    return AgentError(
        f"the call may have begun at {where}agent {sent.agent_id!r} version {sent.version}, "
        f"{because}. It is made nowhere else, as it might then act twice: find out what became "
        "of it there"
    )
