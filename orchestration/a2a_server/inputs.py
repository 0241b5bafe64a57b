"""What a message gives an agent or a workflow to do, or answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from a2a.types import Message, Part
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError

from orchestration.a2a.request import WHOLE_INPUT
from orchestration.a2a.values import Contents, contents, plain
from state.question import is_approval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # it has no types

    from state.jsonvalue import JsonObject, JsonValue
    from state.result import PendingInterrupt

_LONGEST_MESSAGE_ID: Final = 200


class Given(NamedTuple):
    """What a message brings."""

    input_data: JsonObject
    timeout_seconds: float | None
    """How long the caller waits, if it said that in the metadata."""


def given_by(message: Message) -> Given:
    """Read a message that begins a task.

    A data part that is said to be the whole input is that. Otherwise the objects in data parts
    are the input, and text is a user's message in it.

    Raises:
        InvalidParamsError, ContentTypeNotSupportedError: It cannot be read.
    """
    if not 0 < len(message.message_id) <= _LONGEST_MESSAGE_ID:
        raise InvalidParamsError(f"message_id has to have 1 to {_LONGEST_MESSAGE_ID} characters")
    seconds = _metadata(message.metadata).get("timeout_seconds")
    is_time = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    timeout = float(seconds) if is_time and isinstance(seconds, int | float) else None
    whole = _whole(message.parts)
    return Given(_merged(message.parts) if whole is None else whole, timeout)


def decisions_in(
    message: Message, questions: Sequence[PendingInterrupt], *, approves: bool
) -> dict[str, object]:
    """Read a message that answers what a task waits for.

    A data part `{"decisions": {...}}` has answers by question id or task id. To a single
    question anything else is the answer: a data part, or else the text, of which an approval
    understands `approve`, `reject` and `reject: why`.

    Returns:
        Answers by question id, of these questions only: the coordinator knows more names, and
        takes answers to more than callers may see.

    Raises:
        InvalidParamsError: It answers nothing that is asked, or an approval though it may not.
    """
    found = _contents(message.parts)
    data = found.data[0] if found.data else None
    if isinstance(data, dict) and isinstance(given := data.get("decisions"), dict):
        answered: list[tuple[PendingInterrupt, object]] = [
            (_asked_as(name, questions), answer) for name, answer in given.items()
        ]
    elif len(questions) == 1:
        answered = [(questions[0], _answer(questions[0], data, found.text))]
    else:
        ids = [each.interrupt_id for each in questions]
        raise InvalidParamsError(
            f"the task asks {len(ids)} questions; answer with a data part "
            f'{{"decisions": {{...}}}} by the ids {ids!r}'
        )
    if not approves and any(is_approval(question.value) for question, _ in answered):
        raise InvalidParamsError(
            "the task waits for the approval of a person, who cannot give it over A2A here; "
            "it goes on when they have decided"
        )
    answers: dict[str, object] = {question.interrupt_id: each for question, each in answered}
    if not answers or len(answers) < len(answered):
        raise InvalidParamsError("give each question one answer, and at least one an answer")
    return answers


def _asked_as(name: str, questions: Sequence[PendingInterrupt]) -> PendingInterrupt:
    """The question of an id, or the only one of a task."""
    found = [each for each in questions if each.interrupt_id == name]
    found = found or [each for each in questions if each.task_id == name]
    if len(found) == 1:
        return found[0]
    ids = [each.interrupt_id for each in questions]
    why = "is asked several times" if found else "is not asked"
    raise InvalidParamsError(f"{name!r:.80} {why}; answer by the ids {ids!r}")


def _answer(question: PendingInterrupt, data: JsonValue, text: str) -> object:
    if data is not None:
        return data
    if not is_approval(question.value):
        return text
    verdict, _, why = text.strip().partition(":")
    match verdict.strip().lower():
        case "approve":
            return "approve"
        case "reject":
            return {"decisions": [{"type": "reject", "message": why.strip()}]}
    raise InvalidParamsError(f"{text!r:.60} is no answer; say 'approve', 'reject' or 'reject: why'")


def _whole(parts: Sequence[Part]) -> JsonObject | None:
    for part in parts:
        if (
            part.WhichOneof("content") == "data"
            and _metadata(part.metadata).get(WHOLE_INPUT) is True
        ):
            (value,) = _contents([part]).data
            if isinstance(value, dict):
                return value
    return None


def _merged(parts: Sequence[Part]) -> JsonObject:
    found = _contents(parts)
    if found.files:
        raise ContentTypeNotSupportedError("files are not taken here; send text or JSON")
    merged: JsonObject = {}
    for value in found.data:
        if not isinstance(value, dict):
            raise InvalidParamsError("a data part has to be a JSON object")
        merged.update(value)
    if found.text:
        merged.setdefault("messages", [{"role": "user", "content": found.text}])
    if not merged:
        raise InvalidParamsError("the message is empty; send text or a JSON object")
    return merged


def _contents(parts: Sequence[Part]) -> Contents:
    try:
        return contents(parts)
    except ValueError as error:  # protocol buffers have numbers that JSON has not
        raise InvalidParamsError(f"a data part is no JSON: {error}") from None


def _metadata(metadata: Struct) -> JsonObject:
    try:
        return plain(metadata)
    except ValueError as error:
        raise InvalidParamsError(f"metadata are no JSON: {error}") from None
