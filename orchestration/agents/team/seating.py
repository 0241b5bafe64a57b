"""Seats of an event: which are free, which an order gets, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEATS_A_ROW = 20
_ROWS_A_SECTION = 20
_FIRST_SECTION = 101


class Block(NamedTuple):
    """Seats side by side, counted from 0, both ends included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many seats it has."""
        return self.last - self.first + 1


def free_blocks(taken: Iterable[Block], *, capacity: int) -> list[Block]:
    """Return the free seats between the taken ones."""
    free: list[Block] = []
    following = 0
    for block in sorted(taken):
        if block.first > following:
            free.append(Block(following, block.first - 1))
        following = block.last + 1
    if following < capacity:
        free.append(Block(following, capacity - 1))
    return free


def assigned(free: Iterable[Block], quantity: int) -> list[Block] | None:
    """Choose seats: the first block that holds all, or else the first seats there are.

    Returns:
        The chosen seats; None if there are not enough.
    """
    blocks = list(free)
    whole = next((block for block in blocks if block.size >= quantity), None)
    if whole is not None:
        return [Block(whole.first, whole.first + quantity - 1)]
    chosen: list[Block] = []
    for block in blocks:
        wanted = min(block.size, quantity - sum(part.size for part in chosen))
        if wanted > 0:
            chosen.append(Block(block.first, block.first + wanted - 1))
    return chosen if sum(part.size for part in chosen) == quantity else None


def labels(blocks: Iterable[Block]) -> list[str]:
    """Return what stands on the tickets, one line for each row of seats."""
    return [_label(row) for block in blocks for row in _by_row(block)]


def _by_row(block: Block) -> list[Block]:
    rows: list[Block] = []
    first = block.first
    while first <= block.last:
        last = min(block.last, first - first % _SEATS_A_ROW + _SEATS_A_ROW - 1)
        rows.append(Block(first, last))
        first = last + 1
    return rows


def _label(block: Block) -> str:
    row = block.first // _SEATS_A_ROW
    section = _FIRST_SECTION + row // _ROWS_A_SECTION
    first, last = block.first % _SEATS_A_ROW + 1, block.last % _SEATS_A_ROW + 1
    seats = f"seat {first}" if first == last else f"seats {first}-{last}"
    return f"Section {section}, row {row % _ROWS_A_SECTION + 1}, {seats}"
