"""Signals from outside: named events for which the run of a thread waits, or will."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from checkpoints.threads import Claimed
    from state.jsonvalue import JsonValue


class NewSignal(NamedTuple):
    """What somebody sends."""

    thread_id: str
    signal_id: str
    """Sent again with the same id, it is still one signal."""
    name: str
    payload: JsonValue
    sent_by: str | None


class Signal(NamedTuple):
    """A signal that a thread has."""

    signal_id: str
    thread_id: str
    run_id: str
    """The thread's run when it came; no other run takes it."""
    name: str
    payload: JsonValue
    sent_by: str | None
    sent_at: float
    """Seconds since the epoch."""
    taken_for: str | None
    """The request that it answered; None while it is kept, and for ever where it was not used."""


class Sent(NamedTuple):
    """What became of a signal, and of the claim that follows it."""

    signal: Signal
    claimed: Claimed
    """Its thread, if it can go on and nobody else runs it."""
