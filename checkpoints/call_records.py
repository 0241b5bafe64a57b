"""Call records as a store can keep them, whatever an agent said."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from checkpoints.traffic import CallRecord

MOST_TOKENS: Final = 10**12
"""Counted for one task; what an agent says beyond that is not believed, and would not add up."""


def storable(record: CallRecord) -> CallRecord:
    """Return a record without what no database takes: it must not keep a run from its end."""
    texts = (record.tenant or "") + record.version + record.endpoint
    tokens = max(record.input_tokens, record.output_tokens)
    cost = record.cost
    if texts.isascii() and tokens <= MOST_TOKENS and (cost is None or math.isfinite(cost)):
        return record
    return record._replace(
        tenant=None if record.tenant is None else _encodable(record.tenant),
        version=_encodable(record.version),
        endpoint=_encodable(record.endpoint),
        input_tokens=min(record.input_tokens, MOST_TOKENS),
        output_tokens=min(record.output_tokens, MOST_TOKENS),
        cost=cost if cost is not None and math.isfinite(cost) else None,
    )


def _encodable(text: str) -> str:
    """Text without halves of characters, which JSON can have, and UTF-8 cannot."""
    return text.encode(errors="replace").decode()
