"""The strict serializer: JSON values and LangGraph's own types, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpoints.encryption import encrypted_without_key, plain_with_key
from state.errors import DatabaseError

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import CipherProtocol

ALLOWED_TYPES: tuple[tuple[str, str], ...] = ()
"""Types beside LangGraph's built-in safe ones that a checkpoint may hold.

Empty, as state is JSON all through. LangGraph's own list has the types its machinery
stores (interrupts, sends, overwrites).
"""


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serializer with an allow-list and without pickle.

    Its default imports and calls whatever a row names; this one returns the bare data of
    a type that is not allowed, and runs nothing.
    """

    def __init__(self) -> None:
        super().__init__(
            pickle_fallback=False,
            allowed_json_modules=None,
            allowed_msgpack_modules=ALLOWED_TYPES,
        )

    def loads_typed(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401  whatever was stored
        """Read a stored value.

        Raises:
            EncryptionError: It is encrypted.
            DatabaseError: It has a form that is never written here, such as a pickle.
        """
        if "+" in data[0]:
            raise encrypted_without_key()
        return self._read(data)

    def _read(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401  whatever was stored
        try:
            return super().loads_typed(data)
        except (NotImplementedError, ValueError) as error:
            raise DatabaseError(
                f"a stored value of type {data[0]!r} is refused, it was damaged or not written by "
                f"this project: {error}"
            ) from error


class EncryptedSerializer(StrictSerializer):
    """The strict serializer under encryption; rows look like those of LangGraph's.

    LangGraph's `EncryptedSerializer` also reads rows that are not encrypted, so whoever can
    write to the file can make up a state; this one refuses them. It is a `JsonPlusSerializer`
    for LangGraph's `with_allowlist`, which would replace an `EncryptedSerializer` by its own.
    """

    def __init__(self, cipher: CipherProtocol) -> None:
        super().__init__()
        self._cipher = cipher

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:  # noqa: ANN401  whatever is to be stored
        """Serialize and encrypt a value."""
        kind, value = super().dumps_typed(obj)
        name, sealed = self._cipher.encrypt(value)
        return f"{kind}+{name}", sealed

    def loads_typed(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401  whatever was stored
        """Decrypt and read a stored value.

        Raises:
            EncryptionError: It is not encrypted, or no key opens it.
            DatabaseError: As in `StrictSerializer`.
        """
        kind, plus, name = data[0].partition("+")
        if not plus:
            raise plain_with_key()
        return self._read((kind, self._cipher.decrypt(name, data[1])))


def strict_serializer(cipher: CipherProtocol | None = None) -> StrictSerializer:
    """Return the serializer for checkpoints, encrypting if there is a cipher."""
    return StrictSerializer() if cipher is None else EncryptedSerializer(cipher)
