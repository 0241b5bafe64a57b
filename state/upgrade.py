"""Whether a run that was begun under one version of a workflow can go on under another.

A pure comparison of two plans, and of how far the run has come. What may change under a run:
tasks may be added where it has not been yet, and policies (approval, retries, timeouts) may be
loosened or tightened. Anything else changes what was agreed on, so somebody has to decide.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from state.approval import policy_of
from state.outcome import is_finished
from state.plan_document import INSIDE
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from state.outcome import Outcome
    from state.plan_document import PlanDocument, PlannedTask

POLICIES: Final = ("approval", "retry", "timeout_seconds")
_WORDS: Final = {
    "agent": "its agent",
    "capability": "its capability",
    "input": "its input",
    "input_from": "where its input comes from",
    "condition": "its condition",
    "compensate": "how it is undone",
    "repeat": "when the loop ends",
    "for_each": "its items",
    "wait": "what it waits for",
    **dict(zip(POLICIES, ("its approval policy", "its retries", "its timeout"), strict=True)),
}
_WHOLE: Final = {
    "strategy": "the strategy",
    "on_failure": "what a failure means",
    "router": "the router",
    "router_input": "what the router sees",
    "aggregate": "the aggregation",
    "supervision": "who leads the cycle",
}
_LONGEST: Final = 60


class Difference(NamedTuple):
    """One thing in which two versions of a workflow differ."""

    sign: Literal["+", "-", "~"]
    """Added, removed, changed."""
    path: str
    """The task; empty for the workflow as a whole."""
    words: str
    fits: bool
    """Whether a run may go on under it."""

    def __str__(self) -> str:
        what = f"task {self.path!r}: {self.words}" if self.path else self.words
        return f"{self.sign} {what}"


class Upgrade(NamedTuple):
    """What a change of its definition means for a run."""

    differences: tuple[Difference, ...]

    @property
    def is_compatible(self) -> bool:
        """Whether the run may go on under the new version."""
        return all(each.fits for each in self.differences)

    def __str__(self) -> str:
        return "\n".join(map(str, self.differences))


def compare(old: PlanDocument, new: PlanDocument, begun: Collection[str]) -> Upgrade:
    """Say in what a new version differs, and whether a run of the old one may go on under it.

    Args:
        old: The plan with which the run began.
        new: What the same request is planned as now.
        begun: Ids of tasks that are done, are under way, or wait for an answer.
    """
    return Upgrade(tuple(_differences(old, new, _Run(frozenset(begun)))))


class _Run(NamedTuple):
    """How far a run has come in the plan that is compared."""

    begun: frozenset[str]
    inside: str = ""
    """The path of the task whose plan it is, with a slash."""
    is_fixed: bool = False
    """Whether nothing may be added, as the task has begun."""


def _differences(old: PlanDocument, new: PlanDocument, run: _Run) -> Iterator[Difference]:
    yield from _of_the_whole(old, new, run)
    for id_ in old["order"]:
        if id_ in new["tasks"]:
            yield from _changes(old, new, id_, run)
        else:
            why = "has begun, so its result would have no place" if id_ in run.begun else ""
            words = f"removed; it {why or 'would never be done'}"
            yield Difference("-", run.inside + id_, words, fits=False)
    for id_ in new["order"]:
        if id_ not in old["tasks"]:
            yield _added(new, id_, run)


def _of_the_whole(old: PlanDocument, new: PlanDocument, run: _Run) -> Iterator[Difference]:
    where = run.inside.rstrip(INSIDE)
    for key, words in _WHOLE.items():
        one, other = old.get(key), new.get(key)
        if one != other:
            yield Difference("~", where, f"{words}: {_change(one, other)}", key == "aggregate")
    common = [id_ for id_ in old["order"] if id_ in new["tasks"]]
    if [id_ for id_ in new["order"] if id_ in old["tasks"]] != common:
        words = f"the order of the tasks: {', '.join(old['order'])} → {', '.join(new['order'])}"
        in_turn = old["strategy"] == CoordinationStrategy.SEQUENTIAL
        yield Difference("~", where, words, fits=not in_turn)


def _added(new: PlanDocument, id_: str, run: _Run) -> Difference:
    path = run.inside + id_
    if run.is_fixed:
        return Difference("+", path, "added inside a task that has begun", fits=False)
    for each in sorted(run.begun):
        if each in new["tasks"] and id_ in before(new, each):
            return Difference("+", path, f"added before {each!r}, which has begun", fits=False)
    return Difference("+", path, "added after what has begun", fits=True)


def _changes(old: PlanDocument, new: PlanDocument, id_: str, run: _Run) -> Iterator[Difference]:
    one, other = old["tasks"][id_], new["tasks"][id_]
    path = run.inside + id_
    for key, words in _WORDS.items():
        a, b = one.get(key), other.get(key)
        if a != b and not (key == "approval" and policy_of(a) == policy_of(b)):  # type: ignore[arg-type]  # it is one
            yield Difference("~", path, f"{words}: {_change(a, b)}", key in POLICIES)
    if moved := _moved(old, new, id_):
        yield Difference("~", path, moved, fits=False)
    if "body" in one and "body" in other:
        inner = _Run(frozenset(), path + INSIDE, is_fixed=run.is_fixed or id_ in run.begun)
        yield from _differences(one["body"], other["body"], inner)
    elif ("body" in one) != ("body" in other):
        yield Difference("~", path, "what is inside it", fits=False)


def _moved(old: PlanDocument, new: PlanDocument, id_: str) -> str:
    """In what a task comes after others than before, among those that were there; or nothing."""
    was = before(old, id_)
    is_ = {each for each in before(new, id_) if each in old["tasks"]}
    if missing := sorted(was & set(new["tasks"]) - is_):
        return f"it does not come after {', '.join(missing)} any more"
    if more := sorted(is_ - was):
        return f"it comes after {', '.join(more)} now"
    return ""


def before(plan: PlanDocument, id_: str) -> set[str]:
    """The tasks of a plan that are over before one begins."""
    if plan["strategy"] == CoordinationStrategy.SEQUENTIAL:
        return set(plan["order"][: plan["order"].index(id_)])
    found: set[str] = set()
    left: Sequence[str] = [id_]
    while left:
        left = [need for each in left for need in plan["tasks"][each]["needs"] if need not in found]
        found.update(left)
    return found


def _change(one: Any, other: Any) -> str:  # noqa: ANN401  whatever a plan holds
    """Say how a value changed; of objects, only the parts that did."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        return "; ".join(f"{key} {_change(one.get(key), other.get(key))}" for key in keys)
    return f"{_short(one)} → {_short(other)}"


def _short(value: object) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def carrying_problems(
    outcomes: Mapping[str, Outcome],
    begun: Collection[str],
    new: Mapping[str, PlannedTask],
    given: Mapping[str, str | None],
) -> list[str]:
    """Say what is wrong with a mapping from tasks that have begun to those of a new version.

    Args:
        outcomes: What became of the old version's tasks.
        begun: Ids of those that have begun.
        new: The tasks of the new version.
        given: Under which id each of those goes on; None for one that is given up knowingly.
    """
    targets = [target for target in given.values() if target is not None]
    problems = [
        f"{id_!r} has begun and is not mentioned; map it to a task of the new version, or to None"
        for id_ in begun
        if id_ not in given
    ]
    problems += [
        f"{id_!r} has not begun, so it has no place here" for id_ in given if id_ not in begun
    ]
    problems += [
        f"{target!r} is no task of the new version; tasks are {list(new)}"
        for target in targets
        if target not in new
    ]
    problems += [f"{each!r} is named twice" for each in {*targets} if targets.count(each) > 1]
    problems += [
        f"{id_!r} is not finished; it must keep its name, under which its agent may be at work"
        for id_, target in given.items()
        if target not in {None, id_} and not is_finished(outcomes.get(id_))
    ]
    return problems
