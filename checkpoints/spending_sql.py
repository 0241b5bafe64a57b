"""What runs have used up of their budgets, as SQL inside somebody else's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from checkpoints.spending import Begun
from state.budget import MEASURES, Balance, Spent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import TextClause

    from checkpoints.spending import Admit, Charged, Scope
    from checkpoints.statements import Execute
    from state.budget import BudgetScope

_COLUMNS: Final = {"run": "run_id", "thread": "thread_id", "tenant": "tenant"}
_SUMS: Final = ", ".join(f"COALESCE(SUM({name}), 0) AS {name}" for name in MEASURES)
_ADD: Final = text(
    "INSERT INTO orchestration_spending "
    "(spending_key, kind, run_id, thread_id, tenant, at, tokens, cost, seconds, attempts) "
    "VALUES (:key, :kind, :run_id, :thread_id, :tenant, :at, :tokens, :cost, :seconds, :attempts) "
    "ON CONFLICT (spending_key) DO UPDATE SET at = excluded.at, "
    + ", ".join(f"{name} = orchestration_spending.{name} + excluded.{name}" for name in MEASURES)
)
_ONCE: Final = text(str(_ADD).partition("DO UPDATE")[0] + "DO NOTHING")
_FORGET: Final = text(
    "DELETE FROM orchestration_spending WHERE thread_id = :thread_id AND tenant IS NULL"
)
_DETACH: Final = text(
    "UPDATE orchestration_spending SET thread_id = '' WHERE thread_id = :thread_id"
)
_CALL: Final = "call"
_QUESTION: Final = "question"
"""Its row says about which budget it is where others say attempts."""
_ROW: Final = text(
    "SELECT attempts FROM orchestration_spending WHERE spending_key = :key AND kind = :kind"
)


def _balance(column: str) -> TextClause:
    return text(
        f"SELECT kind, {_SUMS} FROM orchestration_spending "  # noqa: S608  names of columns
        f"WHERE {column} = :name AND at > :since AND kind IN ('{_CALL}', :grant) GROUP BY kind"
    )


_BALANCES: Final[Mapping[str, TextClause]] = {
    per: _balance(column) for per, column in _COLUMNS.items()
}


def begin(execute: Execute, *, charged: Charged, scopes: Sequence[Scope], admit: Admit) -> Begun:
    """Count a call that is about to be made, if it is admitted."""
    found = balances(execute, scopes=scopes)
    admitted = admit(found) or _row(execute, charged, _CALL) is not None
    if admitted:
        _add(execute, charged, Spent(attempts=1))
    return Begun(admitted, found)


def end(execute: Execute, *, charged: Charged, used: Spent) -> None:
    """Add what a call used up, once it is over."""
    _add(execute, charged, used._replace(attempts=used.attempts - 1))


def balances(execute: Execute, *, scopes: Sequence[Scope]) -> list[Balance]:
    """Return how budgets stand."""
    found = []
    for scope in scopes:
        values = {"name": scope.name, "since": scope.since, "grant": _grant_kind(scope.per)}
        rows = {row["kind"]: row for row in execute(_BALANCES[scope.per], values)}
        spent, granted = rows.get(_CALL), rows.get(_grant_kind(scope.per))
        found.append(Balance(_spent(spent), _spent(granted)))
    return found


def grant(execute: Execute, *, charged: Charged, amount: Spent, scope: BudgetScope) -> None:
    """Let more be used up; the same key grants once."""
    execute(_ONCE, _values(charged, amount, _grant_kind(scope)))


def asked(execute: Execute, *, charged: Charged, about: int | None) -> int | None:
    """Remember about what a question is, and return what it was about when first asked."""
    if about is not None:
        execute(_ONCE, _values(charged, Spent(attempts=about), _QUESTION))
    row = _row(execute, charged, _QUESTION)
    return None if row is None else int(row["attempts"])


def _row(execute: Execute, charged: Charged, kind: str) -> Mapping[str, float] | None:
    return next(iter(execute(_ROW, {"key": charged.key, "kind": kind})), None)


def forget(execute: Execute, thread_id: str) -> None:
    """Let a thread have spent nothing, as it is deleted; what counts for a tenant stays."""
    values = {"thread_id": thread_id}
    execute(_FORGET, values)
    execute(_DETACH, values)


def _add(execute: Execute, charged: Charged, used: Spent) -> None:
    execute(_ADD, _values(charged, used, _CALL))


def _values(charged: Charged, amount: Spent, kind: str) -> dict[str, object]:
    return {**charged._asdict(), **amount._asdict(), "kind": kind}


def _grant_kind(per: BudgetScope) -> str:
    return f"grant_{per}"


def _spent(row: Mapping[str, float] | None) -> Spent:
    return Spent() if row is None else Spent(*(row[name] for name in MEASURES))
