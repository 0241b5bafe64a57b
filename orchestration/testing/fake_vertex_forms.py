"""How Vertex AI says an answer, as JSON, which both transports carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.testing.fake_vertex_script import Reply
    from state.jsonvalue import JsonObject, JsonValue


def usage_json(usage: tuple[int, int] | None) -> JsonObject:
    """Say tokens as Gemini does."""
    if usage is None:
        return {}
    given, made = usage
    return {
        "usageMetadata": {
            "promptTokenCount": given,
            "candidatesTokenCount": made,
            "totalTokenCount": given + made,
        }
    }


def gemini_json(reply: Reply, *, text: str, is_last: bool) -> JsonObject:
    """Say an answer, or a piece of one, as Gemini does."""
    if reply.block_reason is not None:
        feedback: JsonObject = {
            "blockReason": reply.block_reason,
            "blockReasonMessage": reply.block_message,
        }
        return {"promptFeedback": feedback}
    candidate: JsonObject = {"content": {"role": "model", "parts": [{"text": text}]}}
    if is_last:
        candidate["finishReason"] = reply.finish_reason
    return {"candidates": [candidate], **(usage_json(reply.usage) if is_last else {})}


def prediction_json(reply: Reply) -> JsonObject:
    """Say an answer as a predict endpoint does."""
    found: JsonObject = {"predictions": [reply.text if reply.value is None else reply.value]}
    if reply.usage is not None:
        given, made = reply.usage
        found["metadata"] = {
            "tokenMetadata": {
                "inputTokenCount": {"totalTokens": given},
                "outputTokenCount": {"totalTokens": made},
            }
        }
    return found


def output_json(reply: Reply) -> JsonValue:
    """Say an answer as an agent does."""
    if reply.value is not None:
        return reply.value
    return {"content": reply.text, **_agent_usage(reply), **_agent_messages(reply.text)}


def piece_json(reply: Reply, text: str, *, is_last: bool) -> JsonValue:
    """Say a piece of an answer as an agent does; a `value` is the last piece."""
    if is_last and reply.value is not None:
        return reply.value
    return {"content": text, **(_agent_usage(reply) if is_last else {})}


def _agent_usage(reply: Reply) -> JsonObject:
    if reply.usage is None:
        return {}
    return {"usage": {"input_tokens": reply.usage[0], "output_tokens": reply.usage[1]}}


def _agent_messages(text: str) -> JsonObject:
    return {"messages": [{"role": "assistant", "content": text}]}
