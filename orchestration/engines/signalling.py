"""Signals on their way to a thread: what may be sent, and what became of it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from checkpoints.signals import NewSignal
from state.errors import SignalError
from state.jsonvalue import NotJsonError, described, json_object

if TYPE_CHECKING:
    from checkpoints.signals import Signal
    from state.result import WorkflowResult

LONGEST_NAME: Final = 200


class Signalled(NamedTuple):
    """What became of a signal."""

    signal: Signal
    result: WorkflowResult | None
    """The run's, where it went on here."""
    waits_for: str = ""
    """Why the run did not go on here; the signal is recorded all the same."""

    @property
    def state(self) -> Literal["kept", "taken"]:
        """Whether it has answered what the run waits for, or is kept until something does."""
        return "kept" if self.signal.taken_for is None else "taken"


def new_signal(
    thread_id: str, name: str, payload: object, *, by: str | None, signal_id: str | None
) -> NewSignal:
    """Check a signal before it is sent.

    Raises:
        SignalError: Its name, id, sender or payload cannot be.
    """
    for what, given in (("name", name), ("id", signal_id), ("sender", by)):
        if given is not None and not _is_name(given):
            raise SignalError(
                thread_id,
                f"the signal's {what} is {described(given)}; give 1 to {LONGEST_NAME} printable "
                "characters",
            )
    try:
        told = json_object({"payload": payload}, at="the signal")
    except NotJsonError as error:
        raise SignalError(thread_id, f"{error}; a signal carries JSON") from None
    return NewSignal(thread_id, signal_id or secrets.token_hex(16), name, told["payload"], by)


def _is_name(given: object) -> bool:
    return (
        isinstance(given, str)
        and 0 < len(given.strip()) <= len(given) <= LONGEST_NAME
        and given.isprintable()
    )
