"""A model's answer: what it is asked to be, and reading it strictly, from whatever it came in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from state.errors import UnknownReplyError
from state.jsonvalue import NotJsonError, described, json_object
from state.proposal import Proposal, ProposedTask

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue

LONGEST_ANSWER: Final = 100_000
"""Characters."""
MOST_ITEMS: Final = 200
"""Of each list in an answer."""
LONGEST_TEXT: Final = 4_000
"""Of each text beside the inputs."""
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}

_TASK: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "task_id": {"type": "string", "description": "letters, digits, '_'; unique"},
        "capability": {"type": "string", "description": "what it needs; or name an agent_id"},
        "agent_id": _TEXT,
        "message": {"type": "string", "description": "what the agent is told, in the user's words"},
        "fields": {"type": "object", "description": "structured input, if an agent wants it"},
        "depends_on": {**_TEXTS, "description": "task_ids that must succeed before"},
        "condition": {"type": ["string", "null"], "description": "CEL; null to run always"},
        "requires_approval": {"type": "boolean"},
        "quote": {"type": "string", "description": "the user's words that ask for it, verbatim"},
    },
    "required": ["task_id", "quote"],
}
SCHEMA: Final[dict[str, Any]] = {
    "title": "plan",
    "description": "The plan for the user's request.",
    "type": "object",
    "properties": {
        "tasks": {"type": "array", "items": _TASK},
        "not_understood": {**_TEXTS, "description": "sentences for the user; then give no tasks"},
        "assumptions": {**_TEXTS, "description": "what you took for granted, in sentences"},
    },
    "required": ["tasks", "not_understood", "assumptions"],
}


def document_in(text: str) -> JsonObject:
    """Read an answer in text: a JSON object, alone or in one fence.

    Raises:
        UnknownReplyError: It is empty, too long, or something else.
    """
    if not text.strip():
        raise UnknownReplyError("the planner's model answered nothing; it must answer with JSON")
    if len(text) > LONGEST_ANSWER:
        raise UnknownReplyError(
            f"the planner's model answered {len(text):,} characters; at most {LONGEST_ANSWER:,} "
            "are read"
        )
    fenced = _FENCED.findall(text)
    bare = fenced[0] if len(fenced) == 1 else text
    try:
        found = json.loads(bare, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UnknownReplyError(f"the planner's model answered no JSON: {error}") from error
    return _object(found, "the answer")


def proposal_of(document: Mapping[str, object]) -> Proposal:
    """Read an answer's JSON as a proposal; a field that nobody knows is refused.

    Raises:
        UnknownReplyError: It does not fit the schema; says where.
    """
    checked = _object(document, "the answer")
    _only(checked, SCHEMA["properties"], "the answer")
    tasks = checked.get("tasks") or []
    if not isinstance(tasks, list) or len(tasks) > MOST_ITEMS:
        raise _unfit("tasks", tasks, f"a list of at most {MOST_ITEMS}")
    return Proposal(
        tasks=tuple(_task(each, f"tasks[{index}]") for index, each in enumerate(tasks)),
        not_understood=_texts(checked, "not_understood", "the answer"),
        assumptions=_texts(checked, "assumptions", "the answer"),
    )


def _task(value: JsonValue, at: str) -> ProposedTask:
    given = _object(value, at)
    _only(given, _TASK["properties"], at)
    fields = _object(given.get("fields") or {}, f"{at}.fields")
    message = _text(given, "message", at)
    if message and "messages" not in fields:
        fields["messages"] = [{"role": "user", "content": message}]
    approval = given.get("requires_approval")
    if approval is not None and not isinstance(approval, bool):
        raise _unfit(f"{at}.requires_approval", approval, "true or false")
    return ProposedTask(
        task_id=_text(given, "task_id", at),
        capability=_text(given, "capability", at) or None,
        agent_id=_text(given, "agent_id", at) or None,
        input_data=fields,
        depends_on=_texts(given, "depends_on", at),
        condition=_text(given, "condition", at) or None,
        requires_approval=bool(approval),
        quote=_text(given, "quote", at),
    )


def _text(given: JsonObject, name: str, at: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise _unfit(f"{at}.{name}", value, f"text of at most {LONGEST_TEXT:,} characters")
    return value.strip()


def _texts(given: JsonObject, name: str, at: str) -> tuple[str, ...]:
    value = given.get(name)
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    texts = tuple(each for each in items if isinstance(each, str) and len(each) <= LONGEST_TEXT)
    if len(texts) < len(items) or len(items) > MOST_ITEMS:
        raise _unfit(f"{at}.{name}", value, f"a list of at most {MOST_ITEMS} texts")
    return tuple(each for each in texts if each.strip())


def _object(value: object, at: str) -> JsonObject:
    try:
        return json_object(value, at=at)
    except NotJsonError as error:
        raise UnknownReplyError(f"in the planner's model's answer, {error}") from error


def _only(given: JsonObject, known: Mapping[str, object], at: str) -> None:
    if unknown := sorted(given.keys() - known.keys()):
        names = ", ".join(map(described, unknown[:5]))
        raise UnknownReplyError(f"{at} has {names}; it may have {sorted(known)}")


def _unfit(at: str, value: object, wanted: str) -> UnknownReplyError:
    return UnknownReplyError(f"{at} is {described(value)}; it must be {wanted}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a field twice")
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
