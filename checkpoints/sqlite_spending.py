"""What runs have used up of their budgets, in SQLite with the checkpoints."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from checkpoints import spending_sql
from checkpoints.statements import on_sqlite

if TYPE_CHECKING:
    from checkpoints.group_commit import GroupCommitWriter
    from checkpoints.spending import Admit, Begun, Charged, Scope
    from checkpoints.statements import Execute
    from state.budget import Balance, BudgetScope, Spent

T = TypeVar("T")


class SqliteSpending:
    """A `SpendingStore` in the file of the checkpoints, through its group-commit writer.

    The writer does one piece of work after another, so looking and counting are one step for
    every thread and process.
    """

    def __init__(self, writer: GroupCommitWriter) -> None:
        self._writer = writer

    async def begin(self, charged: Charged, scopes: Sequence[Scope], admit: Admit) -> Begun:
        """Count a call that is about to be made, if it is admitted."""
        begin = partial(spending_sql.begin, charged=charged, scopes=scopes, admit=admit)
        return await self._do(begin)

    async def end(self, charged: Charged, used: Spent) -> None:
        """Add what a call used up, once it is over."""
        await self._do(partial(spending_sql.end, charged=charged, used=used))

    async def balances(self, scopes: Sequence[Scope]) -> Sequence[Balance]:
        """Return how budgets stand."""
        return await self._do(partial(spending_sql.balances, scopes=scopes))

    async def grant(self, charged: Charged, amount: Spent, scope: BudgetScope) -> None:
        """Let more be used up; the same key grants once."""
        await self._do(partial(spending_sql.grant, charged=charged, amount=amount, scope=scope))

    async def asked(self, charged: Charged, about: int | None) -> int | None:
        """Remember about what a question is, and return what it was about when first asked."""
        return await self._do(partial(spending_sql.asked, charged=charged, about=about))

    async def _do(self, work: Callable[[Execute], T]) -> T:
        def run(connection: sqlite3.Connection) -> T:
            return work(on_sqlite(connection))

        return await asyncio.wrap_future(self._writer.submit(run))
