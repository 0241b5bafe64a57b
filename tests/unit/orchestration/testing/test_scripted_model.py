from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage

from orchestration.testing.scripted_model import (
    ScriptedChatModel,
    ScriptedToolModel,
    ScriptExhaustedError,
)

SCHEMA = {"title": "plan", "description": "A plan.", "type": "object", "properties": {}}


async def test_it_answers_in_order_and_notes_what_it_was_asked() -> None:
    model = ScriptedChatModel(replies=["one", AIMessage("two"), {"three": 3}])
    answers = [await model.ainvoke("first"), model.invoke("second"), await model.ainvoke("third")]
    assert [each.content for each in answers] == ["one", "two", '{"three": 3}']
    assert [messages[0].content for messages in model.asked] == ["first", "second", "third"]


async def test_it_raises_what_it_is_given_and_when_asked_too_often() -> None:
    model = ScriptedChatModel(replies=[ConnectionError("gone")])
    with pytest.raises(ConnectionError):
        await model.ainvoke("first")
    with pytest.raises(ScriptExhaustedError, match="1 replies"):
        await model.ainvoke("second")


async def test_with_tools_it_has_structured_output_and_without_it_has_none() -> None:
    model = ScriptedToolModel(replies=[{"a": 1}])
    assert await model.with_structured_output(SCHEMA).ainvoke("?") == {"a": 1}
    with pytest.raises(NotImplementedError):
        ScriptedChatModel(replies=[]).with_structured_output(SCHEMA)


async def test_a_reply_of_another_kind_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no reply"):
        await ScriptedChatModel(replies=[7]).ainvoke("?")
