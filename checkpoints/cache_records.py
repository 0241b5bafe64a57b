"""How an entry of a cache is written: sealed, and bound to its key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from checkpoints.serializer import strict_serializer
from state.errors import DatabaseError

if TYPE_CHECKING:
    from langgraph.cache.base import FullKey

    from checkpoints.encryption import Keyring

SCHEMA: Final = 1
"""Of a record; others are misses."""


class Setting(NamedTuple):
    """What stores are opened with."""

    clock: Callable[[], float]
    """What time it is, in seconds since the epoch."""
    keyring: Keyring | None = None
    """Encrypts what is kept outside the process."""
    secret: bytes = b""
    """Makes ids of entries that nobody without it can guess from a question."""


class CacheRecords:
    """Writes and reads records; what cannot be read is not there."""

    def __init__(self, setting: Setting) -> None:
        self.serializer = strict_serializer(setting.keyring)
        self._clock = setting.clock
        self._secret = setting.secret

    def entry_id(self, key: FullKey) -> str:
        """The id of a key's entry."""
        namespace, name = key
        text = json.dumps([*namespace, name], separators=(",", ":"))
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def sealed(self, entry_id: str, value: object, until: float) -> bytes:
        """Write a value; its own id stands inside, so that no row can pass for another."""
        content = {"schema": SCHEMA, "id": entry_id, "until": until, "value": value}
        kind, data = self.serializer.dumps_typed(content)
        return kind.encode() + b":" + data

    def opened(self, entry_id: str, record: object) -> tuple[Any] | None:
        """Read a value, in a tuple as it may be None; None if there is none to be read."""
        if not isinstance(record, bytes):  # a column of SQLite takes numbers and texts, too
            return None
        kind, _, data = record.partition(b":")
        try:
            content = self.serializer.loads_typed((kind.decode("ascii"), data))
        except (DatabaseError, ValueError, RecursionError):
            return None
        if not isinstance(content, dict) or not self._is_valid(content, entry_id):
            return None
        return (content.get("value"),)

    def value(self, entry_id: str, record: object) -> Any:  # noqa: ANN401  what was kept
        """Read a value; None if there is none to be read."""
        opened = self.opened(entry_id, record)
        return None if opened is None else opened[0]

    def _is_valid(self, content: dict[str, Any], entry_id: str) -> bool:
        until = content.get("until")
        return (
            content.get("schema") == SCHEMA
            and content.get("id") == entry_id
            and isinstance(until, int | float)
            and until > self._clock()
        )
