"""An answer to an approval: read from LangChain's shape, and judged by the policy.

Everything here is pure: the clock, the votes so far and who decides are arguments.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, cast

from state.approval import edit_schema
from state.jsonvalue import JsonObject, NotJsonError, described, json_object

if TYPE_CHECKING:
    from state.approval import PolicyDocument

HOW_TO_ANSWER = (
    'use "approve", "reject", or LangChain\'s HITLResponse, e.g. '
    '{"decisions": [{"type": "reject", "message": "why"}]}'
)


class EditedAction(TypedDict):
    """What is to be done instead."""

    name: str
    args: JsonObject


class Decision(TypedDict):
    """One answer: LangChain's `Decision`, normalised."""

    type: str
    message: NotRequired[str]
    """Why it is rejected, or the answer itself for `respond`."""
    edited_action: NotRequired[EditedAction]


class Decider(NamedTuple):
    """Who decides."""

    by: str | None
    roles: Collection[str] = ()


class Vote(NamedTuple):
    """What one person said."""

    by: str
    decision: Decision


class Refused(NamedTuple):
    """An answer that does not count, and why."""

    code: str
    """`invalid`, `wrong_role`, `requester`, `nobody`, `late` or `voted`."""
    why: str


class Counted(NamedTuple):
    """An answer that counts; `final` if the question is decided by it."""

    decision: Decision
    final: bool
    missing: int = 0
    """How many more people must say the same."""


class Question(NamedTuple):
    """What a decision is judged by."""

    action: str
    arguments: JsonObject
    policy: PolicyDocument
    requester: str | None
    deadline_at: float | None
    escalated: bool


def read_answer(answer: object) -> Decision | str:
    """Return the decision in `answer`, or what is wrong with it.

    Takes a word (`"approve"`), LangChain's `HITLResponse`, one decision of it, or the list
    that Agent Inbox sends.
    """
    if isinstance(answer, str):
        answer = {"type": answer}
    match answer:
        case {"decisions": [decision]}:
            answer = decision
        case [{"type": str(), "args": _} as inbox]:
            answer = _from_inbox(cast("Mapping[str, Any]", inbox))
    match answer:
        case {"type": "approve"}:
            return {"type": "approve"}
        case {"type": "reject", **rest} if isinstance(rest.get("message", ""), str):
            return _with_message("reject", rest)
        case {"type": "respond", "message": str(message)} if message:
            return {"type": "respond", "message": message}
        case {"type": "edit", "edited_action": {"name": str(name), "args": dict(args)}}:
            return _edit(name, args)
    return f"{described(answer)} is no answer to an approval; {HOW_TO_ANSWER}"


def _edit(name: str, args: object) -> Decision | str:
    try:
        arguments = json_object(args, at="the edited arguments")
    except NotJsonError as error:
        return str(error)
    return {"type": "edit", "edited_action": {"name": name, "args": arguments}}


def _with_message(kind: str, rest: Mapping[Any, Any]) -> Decision:
    message = rest.get("message")
    return {"type": kind, "message": message} if isinstance(message, str) else {"type": kind}


def _from_inbox(answer: Mapping[str, Any]) -> object:
    """Read what Agent Inbox sends, which has an older shape."""
    match answer:
        case {"type": "accept"}:
            return {"type": "approve"}
        case {"type": "ignore"}:
            return {"type": "reject"}
        case {"type": "response", "args": str(message)}:
            return {"type": "respond", "message": message}
        case {"type": "edit", "args": {"action": name, "args": args}}:
            return {"type": "edit", "edited_action": {"name": name, "args": args}}
    return answer


def judge(
    question: Question, decision: Decision, *, who: Decider, votes: Sequence[Vote], now: float
) -> Counted | Refused:
    """Say whether an answer counts, and whether it decides the question."""
    if question.deadline_at is not None and now >= question.deadline_at:
        return Refused("late", "its deadline has passed")
    if problem := _problem(question, decision):
        return Refused("invalid", problem)
    if who.by is not None and not _is_name(who.by):
        return Refused("nobody", f"{described(who.by)} names nobody; say who decides")
    if refused := _who_may_not(question, who):
        return refused
    if question.policy["quorum"] == 1:
        return Counted(decision, final=True)
    return _with_quorum(question.policy["quorum"], decision, by=who.by, votes=votes)


def _who_may_not(question: Question, who: Decider) -> Refused | None:
    policy, by = question.policy, who.by
    may = [*policy["roles"], *(policy["escalate_to"] if question.escalated else ())]
    if policy["roles"] and not set(may) & set(who.roles):
        given = f"has the roles {sorted(who.roles)}" if who.roles else "has no role"
        return Refused("wrong_role", f"{by or 'who decides'} {given}; it takes one of {may}")
    if not policy["separation_of_duties"] or question.requester is None:
        return None
    if by is None:
        return Refused("nobody", "it must be known who decides, as it may not be the requester")
    if _same_person(by, question.requester):
        return Refused("requester", f"{by} asked for it, and somebody else must decide about it")
    return None


def _with_quorum(
    quorum: int, decision: Decision, *, by: str | None, votes: Sequence[Vote]
) -> Counted | Refused:
    if by is None:
        return Refused("nobody", f"{quorum} different people must agree; say who decides")
    if any(_same_person(vote.by, by) for vote in votes):
        return Refused("voted", f"{by} has answered already")
    if decision["type"] == "reject":
        return Counted(decision, final=True)
    agreeing = 1 + sum(_alike(vote.decision, decision) for vote in votes)
    return Counted(decision, final=agreeing >= quorum, missing=max(quorum - agreeing, 0))


def _alike(one: object, other: object) -> bool:
    """Whether two answers say the same; for Python `True` is 1, for a person it is not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return one == other


def _is_name(by: str) -> bool:
    """Whether it can be told apart from others in a trail: has letters, and no control codes."""
    unfit = any(unicodedata.category(each) in {"Cc", "Cs"} for each in by)
    return bool(_person(by)) and not unfit


def _same_person(one: str, other: str) -> bool:
    return _person(one) == _person(other)


def _person(name: str) -> str:
    """The name without what the eye does not see: case, spaces, ways to write one letter."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in plain if each.isprintable() and not each.isspace())


def _problem(question: Question, decision: Decision) -> str | None:
    kind, allowed = decision["type"], question.policy["allowed"]
    if kind not in allowed:
        return f"{kind!r} is not allowed here; use one of {allowed}"
    if kind != "edit":
        return None
    edited = decision["edited_action"]
    if edited["name"] != question.action:
        return f"an edit may change arguments, not {question.action!r} into {edited['name']!r}"
    return _edit_problem(edit_schema(question.policy, question.arguments), edited["args"])


def _edit_problem(schema: JsonObject, arguments: JsonObject) -> str | None:
    """Name everything in edited arguments that does not satisfy their schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  only where something is edited
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    # with a registry of its own, the validator looks nothing up in the network
    registry: Registry[Any] = Registry()
    validator = Draft202012Validator(cast("Mapping[str, Any]", schema), registry=registry)
    try:
        problems = [
            f"{'.'.join(map(str, error.absolute_path)) or 'arguments'}: {error.message}"
            for error in validator.iter_errors(cast("Any", arguments))
        ]
    except Unresolvable as error:
        return f"nothing can be edited here, as the policy's schema refers to nothing: {error}"
    return f"the edited arguments do not fit: {'; '.join(problems)}" if problems else None
