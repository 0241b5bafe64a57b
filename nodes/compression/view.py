"""One reading of messages of every kind: OpenAI's and Anthropic's dicts, LangChain's objects."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from nodes.compression.counting import parsed, role_of

Side = Literal["system", "user", "assistant", "tool", "other"]

SIDES: Final[Mapping[str, Side]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
CUT: Final = "…"
"""Stands where something was cut."""
_CALL_BLOCKS: Final = ("tool_use", "tool_call", "function_call")
_RESULT_BLOCKS: Final = ("tool_result",)


class Call(NamedTuple):
    """A tool call of an assistant's message."""

    call_id: str
    """Its id; a legacy `function_call`, and a call without an id, goes by its name."""
    name: str
    arguments: Any


class View(NamedTuple):
    """What is read of a message."""

    message: Any
    side: Side
    texts: tuple[str | None, ...]
    """Texts that may be cut, in order; None is an image or the like, to be kept or left out."""
    calls: tuple[Call, ...]
    results: tuple[str, ...]
    """Ids of the calls that it answers."""


def view_of(message: Any) -> View:  # noqa: ANN401  a dict or a LangChain message
    """Read a message."""
    side = SIDES.get(role_of(message), "other")
    content = _get(message, "content")
    blocks = content if isinstance(content, list) else []
    results = [
        str(block.get("tool_use_id")) for block in blocks if _is_block(block, _RESULT_BLOCKS)
    ]
    if results and side == "user":
        side = "tool"
    elif side == "tool" and not results:
        results = [str(_get(message, "tool_call_id") or _get(message, "name"))]
    calls = tuple(_calls(message, blocks)) if side == "assistant" else ()
    return View(message, side, tuple(_texts(content, side)), calls, tuple(results))


def _texts(content: Any, side: Side) -> Iterator[str | None]:  # noqa: ANN401  any content
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            yield from _texts_of_block(block, side)
    elif content is not None:
        yield None


def _texts_of_block(block: Any, side: Side) -> Iterator[str | None]:  # noqa: ANN401  any block
    if isinstance(block, str):
        yield block
    elif _is_block(block, ("text",)):
        yield str(block.get("text") or "")
    elif _is_block(block, _RESULT_BLOCKS):
        yield from _texts(block.get("content"), "tool")
    elif side != "assistant":
        yield None


def _is_block(block: Any, kinds: tuple[str, ...]) -> bool:  # noqa: ANN401  any block
    return isinstance(block, dict) and block.get("type") in kinds


def _get(message: Any, name: str) -> Any:  # noqa: ANN401  a dict or a LangChain message
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)


def _calls(message: Any, blocks: Sequence[Any]) -> Iterator[Call]:  # noqa: ANN401  see `_get`
    seen: set[str] = set()
    listed = [*(_get(message, "tool_calls") or ()), *(_get(message, "invalid_tool_calls") or ())]
    if function_call := _get(message, "function_call"):
        listed.append({"function": function_call})
    for call in [*listed, *(block for block in blocks if _is_block(block, _CALL_BLOCKS))]:
        if isinstance(call, Mapping):
            read = _call(call)
            if read.call_id not in seen:
                seen.add(read.call_id)
                yield read


def _call(call: Mapping[str, Any]) -> Call:
    source = call.get("function")
    source = source if isinstance(source, Mapping) else call
    name = str(source.get("name"))
    names = ("arguments", "args", "input")
    arguments: Any = next((source[key] for key in names if source.get(key) is not None), {})
    call_id = str(call.get("id") or call.get("tool_call_id") or name)
    return Call(call_id, name, parsed(arguments) if isinstance(arguments, str) else arguments)


def rewritten(view: View, texts: Sequence[str | None], without: Container[str] = ()) -> Any:  # noqa: ANN401  of the message's kind
    """Return a copy of a message with other texts, and without some calls or results.

    Args:
        view: The message as read.
        texts: One for each of the view's; an image or the like whose text is the mark of a
            cut is left out.
        without: Ids of calls or results that go.
    """
    changes: dict[str, Any] = {"content": _content(view, texts, without)}
    if any(call.call_id in without for call in view.calls):
        changes.update(_call_fields(view.message, without))
    return with_fields(view.message, changes)


def with_fields(message: Any, changes: Mapping[str, Any]) -> Any:  # noqa: ANN401  of the message's kind
    """Return a copy of a message with some fields changed; in a dict, empty lists of calls go."""
    if not isinstance(message, Mapping):
        return message.model_copy(update=dict(changes))
    emptied = {name for name, value in changes.items() if value == [] and name != "content"}
    return {name: value for name, value in {**message, **changes}.items() if name not in emptied}


def _content(view: View, texts: Sequence[str | None], without: Container[str]) -> Any:  # noqa: ANN401  see `rewritten`
    content = _get(view.message, "content")
    if isinstance(content, str):
        return texts[0]
    if not isinstance(content, list):
        return content if content is None or texts[0] is None else texts[0]
    remaining = iter(texts)
    blocks = [_block(block, view.side, remaining, without) for block in content]
    kept = [block for block in blocks if block is not None]
    return kept or ([{"type": "text", "text": CUT}] if content else kept)


def _block(block: Any, side: Side, texts: Iterator[str | None], without: Container[str]) -> Any:  # noqa: ANN401  any block
    """Return a block with its texts taken from the iterator, or None if it goes."""
    if isinstance(block, str):
        return next(texts)
    if _is_block(block, ("text",)):
        return {**block, "text": next(texts)}
    if _is_block(block, _RESULT_BLOCKS):
        inner = block.get("content")
        if isinstance(inner, str):
            inner = next(texts)
        elif isinstance(inner, list):
            cut = [_block(each, "tool", texts, ()) for each in inner]
            inner = [each for each in cut if each is not None] or (CUT if inner else [])
        elif inner is not None:
            inner = CUT if next(texts) == CUT else inner
        return None if str(block.get("tool_use_id")) in without else {**block, "content": inner}
    if side != "assistant":
        return None if next(texts) == CUT else block
    goes = _is_block(block, _CALL_BLOCKS) and _call(block).call_id in without
    return None if goes else block


def _call_fields(message: Any, without: Container[str]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  see `_get`
    for name in ("tool_calls", "invalid_tool_calls"):
        if calls := _get(message, name):
            yield name, [call for call in calls if _call(call).call_id not in without]
    if isinstance(message, Mapping) and (call := message.get("function_call")):
        if _call({"function": call}).call_id in without:
            yield "function_call", []
    elif extra := getattr(message, "additional_kwargs", None):
        names = ("tool_calls", "function_call")
        yield "additional_kwargs", {key: extra[key] for key in extra if key not in names}


def inset(text: str) -> str:
    """Return a text whose further lines nobody can take for the beginning of something else."""
    return "\n  ".join(text.splitlines())


def user_message(text: str, *, like: Any) -> Any:  # noqa: ANN401  of the same kind
    """Return a user's message of the kind of another one."""
    if isinstance(like, Mapping):
        return {"role": "user", "content": text}
    from langchain_core.messages import HumanMessage  # noqa: PLC0415  heavy; loaded by the caller

    return HumanMessage(text)


def assistant_text(view: View, text: str) -> Any:  # noqa: ANN401  of the message's kind
    """Return a message of the assistant's without calls, that says something instead."""
    ids = {call.call_id for call in view.calls}
    message = rewritten(view, view.texts, ids)
    return with_fields(message, {"content": text})


def with_note(message: Any, note: str, *, before: bool) -> Any:  # noqa: ANN401  of the message's kind
    """Return a copy of a message with a text more, before or after its own."""
    content = _get(message, "content")
    if isinstance(content, list):
        block = [{"type": "text", "text": note}]
        return with_fields(message, {"content": block + content if before else content + block})
    own = [] if content in (CUT, "", None) else [str(content)]
    texts = [note, *own] if before else [*own, note]
    return with_fields(message, {"content": "\n\n".join(texts)})
