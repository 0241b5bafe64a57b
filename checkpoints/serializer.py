"""The strict serializer: JSON values and LangGraph's own types, and nothing else."""

from __future__ import annotations

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

ALLOWED_TYPES: tuple[tuple[str, str], ...] = ()
"""Types beside LangGraph's built-in safe ones that a checkpoint may hold.

Empty, as state is JSON all through. LangGraph's own list has the types its machinery
stores (interrupts, sends, overwrites).
"""


def strict_serializer() -> JsonPlusSerializer:
    """Return LangGraph's serializer with an allow-list and without pickle.

    Its default imports and calls whatever a row names; this one returns the bare data of
    a type that is not allowed, and runs nothing.
    """
    return JsonPlusSerializer(
        pickle_fallback=False,
        allowed_json_modules=None,
        allowed_msgpack_modules=ALLOWED_TYPES,
    )
