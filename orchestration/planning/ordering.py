"""Which task comes after which, by the words that say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.planning.drafts import APPROVAL, Draft
from orchestration.planning.items import copy_clause, drafts_of
from orchestration.planning.order_words import Order
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.ties import Target, Tie
from orchestration.planning.vocabulary import frame_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.clauses import Clause
    from orchestration.planning.quotes import Text
    from state.proposal import AgentCard


def ordered(drafts: list[Draft], *, text: Text, agents: Sequence[AgentCard]) -> list[Draft]:
    """Tie tasks to those that they come after; return them with those that only ties mention.

    Raises:
        NotUnderstoodError: A tie leads nowhere.
    """
    everything = _with_mentioned(drafts, text=text, agents=agents)
    _by_words(everything)
    for clause in _clauses(everything):
        for tie in clause.ties:
            _tie(clause, tie, everything)
    return everything


def comes_after(draft: Draft, other: Draft) -> bool:
    """Tell whether a task already comes after another, directly or not."""
    seen: set[int] = set()
    waiting = [draft]
    while waiting:
        current = waiting.pop()
        for need in current.needs:
            if need is other:
                return True
            if id(need) not in seen:
                seen.add(id(need))
                waiting.append(need)
    return False


def follow(draft: Draft, other: Draft) -> None:
    """Let a task come after another, unless that one comes after it."""
    if draft is not other and not comes_after(other, draft):
        draft.need(other)


def _clauses(drafts: Sequence[Draft]) -> list[Clause]:
    found: dict[int, Clause] = {}
    for draft in drafts:
        found.setdefault(id(draft.clause), draft.clause)
    return list(found.values())


@dataclass(slots=True)
class _Progress:
    """What was said so far, from left to right."""

    base: list[Draft] = field(default_factory=list)
    """What the next clause comes after."""
    current: list[Draft] = field(default_factory=list)
    """What was said since the last order word."""
    done: list[Draft] = field(default_factory=list)
    sentence: int = 0


def _by_words(drafts: Sequence[Draft]) -> None:
    progress = _Progress()
    clauses = _clauses(drafts)
    for number, clause in enumerate(clauses):
        mine = [draft for draft in drafts if draft.clause is clause]
        if clause.sentence != progress.sentence and clause.order in {Order.UNSAID, Order.BESIDE}:
            progress.base = []
        progress.sentence = clause.sentence
        goes_on = any(later.order is Order.FOLLOWS for later in clauses[number + 1 :])
        _move_on(progress, clause, mine, new_list=goes_on and not clause.late_order)
        for draft in mine:
            for other in progress.base:
                follow(draft, other)
        progress.current += mine
        progress.done += mine
    _end_with(clauses, drafts)


def _end_with(clauses: Sequence[Clause], drafts: Sequence[Draft]) -> None:
    """`Finally text Bob, but first …`: what is said first comes last."""
    if not clauses or clauses[0].order is not Order.LAST:
        return
    mine = [draft for draft in drafts if draft.clause is clauses[0]]
    for other in _last_of([draft for draft in drafts if draft not in mine]):
        for draft in mine:
            follow(draft, other)


def _last_of(drafts: Sequence[Draft]) -> list[Draft]:
    """The tasks that no other one comes after."""
    return [draft for draft in drafts if not any(comes_after(other, draft) for other in drafts)]


def _move_on(progress: _Progress, clause: Clause, mine: Sequence[Draft], *, new_list: bool) -> None:
    """Set what a clause comes after, by its order words."""
    if clause.order is Order.FOLLOWS:
        progress.base, progress.current = progress.current or progress.base, []
    elif clause.order is Order.LAST:
        progress.base, progress.current = _last_of(progress.done), []
    elif clause.order is Order.BESIDE:
        progress.base = []
    elif clause.order is Order.FIRST:
        progress.base = []
        if new_list:
            progress.current = []
            return
        for before in progress.current or progress.done:
            for draft in mine:
                follow(before, draft)


def _with_mentioned(drafts: list[Draft], *, text: Text, agents: Sequence[AgentCard]) -> list[Draft]:
    """Add the tasks that only a tie mentions, e.g. `after booking 10 tickets, …`."""
    everything = [*drafts]
    for clause in _clauses(drafts):
        for tie in clause.ties:
            if tie.target is Target.APPROVAL and tie.after and not _asked(everything, clause):
                everything.insert(
                    _place(clause, everything), _approval(copy_clause(clause, tie.words), tie)
                )
                continue
            if tie.target is not Target.TASK or _mentioned(tie, clause, everything):
                continue
            extra = _drafts_of_tie(tie, clause, text=text, agents=agents)
            place = _place(clause, everything)
            everything[place:place] = extra
    return everything


def _place(clause: Clause, drafts: list[Draft]) -> int:
    return next(number for number, draft in enumerate(drafts) if draft.clause is clause)


def _asked(drafts: list[Draft], clause: Clause) -> list[Draft]:
    """The approvals that the request asks for elsewhere."""
    others = [draft for draft in drafts if draft.clause is not clause]
    return [draft for draft in others if draft.name == APPROVAL] or [
        draft for draft in others if draft.name == "expense_approval"
    ]


def _approval(clause: Clause, tie: Tie) -> Draft:
    """An approval that only a tie mentions: `once my manager has approved, …`."""
    clause.order = Order.UNSAID
    return Draft(
        name=APPROVAL,
        capability="expense_approval",
        message="Approve the expense",
        quote=tie.words,
        clause=clause,
        fields={"action": "approve_expense"},
        approval=True,
        topic=None,
    )


def _drafts_of_tie(
    tie: Tie, clause: Clause, *, text: Text, agents: Sequence[AgentCard]
) -> list[Draft]:
    if not tie.ordered:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} waits for something ({tie.words}) that no task of this "
            "request does; ask for that too."
        )
    own = copy_clause(clause, tie.words)
    own.order = Order.UNSAID
    return drafts_of(own, tie.words, text=text, agents=agents)


def _mentioned(tie: Tie, clause: Clause, drafts: Sequence[Draft]) -> list[Draft]:
    frame = frame_of(tie.words)
    if frame is None:
        return []
    related = {"purchase": {"purchase"}, "expense_log": {"expense_log", "expense_approval"}}.get(
        frame.name, {frame.name}
    )
    return [draft for draft in drafts if draft.name in related and draft.clause is not clause]


def _tie(clause: Clause, tie: Tie, drafts: list[Draft]) -> None:
    mine = [draft for draft in drafts if draft.clause is clause]
    others = _targets(clause, tie, drafts, mine)
    for draft in mine:
        for other in others:
            if tie.after:
                other.needs = [need for need in other.needs if need is not draft]
                follow(draft, other)
            else:
                follow(other, draft)


def _targets(clause: Clause, tie: Tie, drafts: list[Draft], mine: list[Draft]) -> list[Draft]:
    before = drafts[: drafts.index(mine[0])]
    if tie.target is Target.TASK:
        frame = frame_of(tie.words)
        found = _mentioned(tie, clause, drafts)
        return found or [draft for draft in drafts if frame and draft.clause.words == tie.words]
    if tie.target is Target.APPROVAL:
        return _approvals(clause, drafts)
    if not before:
        raise NotUnderstoodError(
            f"{quoted(clause.quote)} comes after something, and nothing stands before it."
        )
    return [draft for draft in before if draft.clause is before[-1].clause]


def _approvals(clause: Clause, drafts: list[Draft]) -> list[Draft]:
    if found := _asked(drafts, clause):
        return found
    raise NotUnderstoodError(
        f"{quoted(clause.quote)} speaks of an approval that the request does not ask for."
    )
