"""Fencing in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import column, select, table

from state.errors import LeaseLostError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_THREADS = table("orchestration_threads", column("thread_id"), column("lease_token"))


def check_token(connection: Connection, thread_id: str, token: int) -> None:
    """Return if the token is the thread's latest; it stays so until the transaction ends.

    Raises:
        LeaseLostError: Somebody claimed the thread since.
    """
    latest = select(_THREADS.c.lease_token).where(_THREADS.c.thread_id == thread_id)
    if connection.execute(latest.with_for_update(read=True)).scalar() != token:
        raise LeaseLostError(thread_id)
