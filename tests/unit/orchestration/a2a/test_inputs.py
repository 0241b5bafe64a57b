"""Which questions a caller's message may answer."""

from __future__ import annotations

import pytest
from a2a.types import Message, Role
from a2a.utils.errors import InvalidParamsError

from orchestration.a2a.values import data_part
from orchestration.a2a_server.inputs import decisions_in
from state.jsonvalue import JsonObject
from state.result import PendingInterrupt

APPROVAL = PendingInterrupt("i-1", "pay", {"task_id": "pay", "action_requests": []})
QUESTION = PendingInterrupt("i-2", "seats", "how many?")
AGAIN = PendingInterrupt("i-3", "seats", "which?")


def decided(
    decisions: JsonObject, *questions: PendingInterrupt, approves: bool = False
) -> dict[str, object]:
    message = Message(
        message_id="m", role=Role.ROLE_USER, parts=[data_part({"decisions": decisions})]
    )
    return decisions_in(message, questions, approves=approves)


@pytest.mark.parametrize("name", ["i-2", "seats"])
def test_answers_are_by_the_ids_of_questions(name: str) -> None:
    assert decided({name: 4}, APPROVAL, QUESTION) == {"i-2": 4}


@pytest.mark.parametrize("name", ["i-1", "pay"])
def test_an_approval_is_none_of_a_callers(name: str) -> None:
    with pytest.raises(InvalidParamsError, match="approval of a person"):
        decided({name: "approve", "seats": 4}, APPROVAL, QUESTION)
    assert decided({name: "approve"}, APPROVAL, approves=True) == {"i-1": "approve"}


@pytest.mark.parametrize("name", ["i-1-2", "cooling_off", ""])
def test_what_is_known_by_another_name_is_not_answered(name: str) -> None:
    """The ledger knows the second request of an approval as `ID-2`, and waits by their tasks."""
    with pytest.raises(InvalidParamsError, match="is not asked"):
        decided({name: "approve"}, APPROVAL, QUESTION)


def test_an_answer_is_for_one_question() -> None:
    with pytest.raises(InvalidParamsError, match="several times"):
        decided({"seats": 4}, QUESTION, AGAIN)
    refused: list[JsonObject] = [{}, {"seats": 4, "i-2": 5}]
    for unclear in refused:
        with pytest.raises(InvalidParamsError, match="one answer"):
            decided(unclear, QUESTION)
