"""What was said on a thread before a run, copied only when its agent looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from state.jsonvalue import JsonObject, json_object


class History(Sequence[JsonObject]):
    """The last messages of earlier turns, the oldest first.

    Agents get copies, since the state is not theirs to change, and most never look.
    """

    __slots__ = ("_copies", "_messages")

    def __init__(self, messages: Sequence[JsonObject]) -> None:
        self._messages = messages
        self._copies: list[JsonObject] | None = None

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...
    @overload
    def __getitem__(self, index: slice) -> list[JsonObject]: ...
    def __getitem__(self, index: int | slice) -> JsonObject | list[JsonObject]:
        if self._copies is None:
            self._copies = [json_object(message, at="history") for message in self._messages]
        return self._copies[index]

    def __len__(self) -> int:
        return len(self._messages)

    def __repr__(self) -> str:
        return repr(list(self._messages))
