"""Random histories in every form that is taken, and what makes one valid."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from nodes.compression.view import view_of

words = st.sampled_from(
    [
        "please",
        "refund",
        "order #W2378156",
        "mia_li_3668",
        "ann@example.com",
        "2024-05-20",
        "$140.50",
        "see https://example.com/a/b?c=1",
        "the 15th of May",
        '"no longer needed"',
        "/testbed/app/views.py",
        "Noah Brown",
        "预订号ZFA04Y。谢谢。",
        "¿Dónde está?",
        "x" * 300,
        "```\ndef f(x):\n    return x\n```",
        "\n",
        "…",
        "🙂",
        "\u2028",
    ]
)
texts = st.lists(words, max_size=14).map(" ".join)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**10), st.floats(allow_nan=False), words, texts
)
names = st.sampled_from(["id", "order_id", "items", "name", "note", "price", "W12345", "ключ"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=4)
results = st.one_of(
    texts,
    values.map(json.dumps),
    objects.map(lambda each: json.dumps(each, indent=2)),
    objects.map(str),
)
images = st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}})
parts = st.lists(
    st.one_of(texts.map(lambda text: {"type": "text", "text": text}), images),
    min_size=1,
    max_size=3,
)
contents = st.one_of(texts, parts)
call_ids = st.integers(0, 10**6).map(lambda number: f"call_{number}")


def openai_call(call_id: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": "look_up", "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


@st.composite
def openai_span(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(call_ids, min_size=1, max_size=3, unique=True))
    calls = [openai_call(call_id, draw(objects)) for call_id in ids]
    said = draw(st.one_of(st.none(), texts))
    answers = [
        {"role": "tool", "tool_call_id": call_id, "content": draw(results)} for call_id in ids
    ]
    return [{"role": "assistant", "content": said, "tool_calls": calls}, *answers]


@st.composite
def legacy_span(draw: st.DrawFn) -> list[dict[str, Any]]:
    call = {"name": "look_up", "arguments": json.dumps(draw(objects))}
    return [
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "look_up", "content": draw(results)},
    ]


@st.composite
def anthropic_span(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(call_ids, min_size=1, max_size=3, unique=True))
    used = [
        {"type": "tool_use", "id": call_id, "name": "look_up", "input": draw(objects)}
        for call_id in ids
    ]
    inner = st.one_of(results, parts)
    answers = [
        {"type": "tool_result", "tool_use_id": call_id, "content": draw(inner)} for call_id in ids
    ]
    said = draw(texts)
    spoken = [{"type": "text", "text": said}] if said else []
    return [
        {"role": "assistant", "content": [*spoken, *used]},
        {"role": "user", "content": answers},
    ]


@st.composite
def langchain_dict_span(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(call_ids, min_size=1, max_size=3, unique=True))
    calls = [{"name": "look_up", "args": draw(objects), "id": call_id} for call_id in ids]
    answers = [
        {"role": "tool", "tool_call_id": call_id, "content": draw(results)} for call_id in ids
    ]
    return [{"role": "assistant", "content": draw(texts), "tool_calls": calls}, *answers]


@st.composite
def turns(draw: st.DrawFn, span: st.SearchStrategy[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write a history that every provider takes, and that ends as one does before a call."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        role = draw(st.sampled_from(["system", "developer"]))
        messages.append({"role": role, "content": draw(texts)})
    for _ in range(draw(st.integers(0, 4))):
        messages.append({"role": "user", "content": draw(contents)})
        for made in draw(st.lists(span, max_size=3)):
            messages += made
        messages.append({"role": "assistant", "content": draw(texts)})
    messages.append({"role": "user", "content": draw(contents)})
    for made in draw(st.lists(span, max_size=2)):
        messages += made
    return messages


spans = (openai_span(), legacy_span(), anthropic_span(), langchain_dict_span())
valid_histories = st.one_of([turns(span) for span in spans] + [turns(st.one_of(spans))])


@st.composite
def odd_histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Tear a valid history apart: messages are lost, doubled, moved, and some never were valid."""
    messages = draw(valid_histories)
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, max(0, len(messages) - 1)))
        match draw(st.sampled_from(["lose", "double", "add", "swap"])):
            case "lose" if messages:
                del messages[place]
            case "double" if messages:
                messages.insert(place, messages[place])
            case "swap" if messages:
                messages.append(messages.pop(place))
            case _:
                messages.insert(place, draw(odd_messages))
    return messages


odd_messages: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": None, "tool_calls": [openai_call("call_1", {"id": 1})]},
        {
            "role": "assistant",
            "content": "bad",
            "tool_calls": [{"id": None, "function": {"name": "x", "arguments": "{"}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a result of W99999"},
        {"role": "tool", "tool_call_id": "nobody", "content": None},
        {"role": "critic", "content": "Not good: see #12345."},
        {"role": "user", "content": ""},
        {"role": "user", "content": {"odd": True}},
        {"role": "user"},
        {"type": "human", "content": "by type"},
        {"role": "system", "content": "in the middle"},
    ]
)


def as_langchain(messages: list[dict[str, Any]]) -> list[BaseMessage]:
    """Return the same history in objects; only OpenAI's form is taken."""
    made: list[BaseMessage] = []
    for message in messages:
        content = message["content"] or ""
        match message["role"]:
            case "user":
                made.append(HumanMessage(content))
            case "assistant":
                calls = [
                    {
                        "name": call["function"]["name"],
                        "args": json.loads(call["function"]["arguments"]),
                        "id": call["id"],
                    }
                    for call in message.get("tool_calls", ())
                ]
                made.append(AIMessage(content, tool_calls=calls))
            case "tool":
                made.append(ToolMessage(content, tool_call_id=message["tool_call_id"]))
            case _:
                made.append(SystemMessage(content))
    return made


langchain_histories = turns(openai_span()).map(as_langchain)


def problems_of(messages: list[Any]) -> Iterator[str]:
    """Yield why no provider would take a history: what is not called, and what not answered."""
    waiting: set[str] = set()
    for place, view in enumerate(map(view_of, messages)):
        if view.side == "tool":
            for call_id in view.results:
                if call_id not in waiting:
                    yield f"{place}: {call_id} is not called, or answered twice"
                waiting.discard(call_id)
        elif waiting:
            yield f"{place}: {sorted(waiting)} not answered"
            waiting = set()
        if view.calls:
            waiting = {call.call_id for call in view.calls}
    if waiting:
        yield f"the end: {sorted(waiting)} not answered"


def strict_problems_of(messages: list[Any]) -> Iterator[str]:
    """Yield where a strict provider sees two turns of one side in a row, or no user first."""
    views = [view for view in map(view_of, messages) if view.side != "system"]
    if views and views[0].side != "user":
        yield f"begins with {views[0].side}"
    for before, after in itertools.pairwise(view.side for view in views):
        if after == "user" and before != "assistant":
            yield f"a user's turn after {before}"
        if before == after == "assistant":
            yield "two turns of the assistant in a row"
