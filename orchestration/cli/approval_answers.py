"""What a person says on the command line, as the answer that a request takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import typer

from checkpoints.approvals import WAITS, ApprovalRequest
from state.jsonvalue import JsonObject, JsonValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.decision import Decision


def is_approval(request: ApprovalRequest) -> bool:
    """Whether it is asked in LangChain's shape, so that approve and reject mean something."""
    return bool(_actions(request))


def answer(request: ApprovalRequest, decision: Decision) -> object:
    """Return a decision in the shape that the request asks for.

    Raises:
        typer.BadParameter: The request is a question that takes no such decision.
    """
    if request.kind in WAITS:  # the ledger refuses it, and says what to do instead
        return decision
    if actions := _actions(request):
        return {"decisions": [decision] * len(actions)}
    if decision["type"] != "respond":
        raise typer.BadParameter(
            f"{request.request_id} is a question, so {decision['type']!r} says nothing; "
            "answer it with: approvals respond"
        )
    return read_value(decision["message"])


def edit(request: ApprovalRequest, arguments: JsonObject) -> Decision:
    """Return the decision that an agent is called with other arguments.

    Raises:
        typer.BadParameter: There is no single call to edit, or nothing is changed.
    """
    if len(_actions(request)) != 1:
        raise typer.BadParameter(f"{request.request_id} does not ask about one call; none to edit")
    if arguments == request.arguments:
        raise typer.BadParameter("these are the arguments as they are; use approve for that")
    name = request.action or str(_actions(request)[0].get("name", ""))
    return {"type": "edit", "edited_action": {"name": name, "args": arguments}}


def edited(present: JsonObject, *, changes: Sequence[str], whole: str | None) -> JsonObject:
    """Return arguments with `name=value` changes, on those given `whole` if there are any.

    Raises:
        typer.BadParameter: One cannot be read.
    """
    if whole is None and not changes:
        raise typer.BadParameter("say what to change: --set NAME=VALUE, or --args JSON")
    arguments = dict(present if whole is None else _whole(whole))
    for change in changes:
        name, sign, text = change.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"--set {change!r} is not of the form NAME=VALUE")
        arguments[name] = _value(text, before=arguments.get(name))
    return arguments


def read_value(text: str) -> JsonValue:
    """Return the value of a JSON text; any other text is itself."""
    try:
        return cast("JsonValue", json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        return text


def _value(text: str, *, before: JsonValue) -> JsonValue:
    """Read a new value; where a text stood, `5` is a text too."""
    value = read_value(text)
    return text if isinstance(before, str) and not isinstance(value, str) else value


def _whole(text: str) -> JsonObject:
    value = read_value(text)
    if not isinstance(value, dict):
        raise typer.BadParameter(f"--args {text!r:.80} is not a JSON object")
    return value


def _actions(request: ApprovalRequest) -> list[JsonObject]:
    match request.payload:
        case {"action_requests": [*actions]} if all(isinstance(each, dict) for each in actions):
            return cast("list[JsonObject]", actions)
    return []


def _no_constant(name: str) -> None:
    raise ValueError(name)
