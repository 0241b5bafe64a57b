"""Messages as text, for a model that summarises them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from nodes.compression.view import View, inset


def transcript(views: Sequence[View]) -> str:
    """Return a line for each message and for each call."""
    return "\n".join(line for view in views for line in _lines(view))


def _lines(view: View) -> Iterator[str]:
    text = "\n".join(text for text in view.texts if text)
    if text:
        yield f"{view.side}: {inset(text)}"
    for call in view.calls:
        given = json.dumps(call.arguments, ensure_ascii=False, default=str)
        yield f"{view.side} calls {inset(call.name)}({given})"
