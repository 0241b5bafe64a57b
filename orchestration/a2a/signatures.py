"""The signatures of agent cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from a2a.utils.signing import SignatureVerificationError, create_signature_verifier
from jwt.api_jwk import PyJWK
from jwt.exceptions import PyJWTError

from state.errors import ConfigurationError, DiscoveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from a2a.types import AgentCard

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA")
"""With public keys only: whoever checks a signature should not be able to make one."""


class UnknownKeyError(PyJWTError):
    """Raised for a key id that was not configured; the SDK then tries the next signature."""


class CardSignatures:
    """Checks the signatures of cards against keys that were configured.

    A signature may name an address for its keys; that is never asked.

    Args:
        keys: Public keys by key id, as PEM or as a JWK.
        required: Whether a card needs one.

    Raises:
        ConfigurationError: A key cannot be read.
    """

    def __init__(
        self, keys: Mapping[str, str | Mapping[str, object]], *, required: bool = False
    ) -> None:
        self._keys = {key_id: _key(key_id, key) for key_id, key in keys.items()}
        self._required = required
        self._verify = create_signature_verifier(self._key_of, [*ALGORITHMS])

    def check(self, card: AgentCard) -> None:
        """Return if a card has a good signature, or none and needs none.

        Raises:
            DiscoveryError: It has none that is good.
        """
        if not card.signatures:
            if self._required:
                raise DiscoveryError("it has no signature, and one is required")
            return
        try:
            self._verify(card)
        except (SignatureVerificationError, ValueError, TypeError, RecursionError) as error:
            known = sorted(self._keys)
            message = f"none of its signatures is good by the keys {known!r}: {error}"
            raise DiscoveryError(message) from error

    def _key_of(self, key_id: str | None, _address: str | None) -> PyJWK | str:
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise UnknownKeyError("unknown key id")
        return key


def _key(key_id: str, key: str | Mapping[str, object]) -> PyJWK | str:
    if isinstance(key, str):
        if "PUBLIC KEY" not in key:
            raise ConfigurationError(f"key {key_id!r} is no public key in PEM")
        return key
    try:
        read = PyJWK.from_dict(dict(key))
    except PyJWTError as error:
        raise ConfigurationError(f"key {key_id!r} is no JWK: {error}") from error
    if read.algorithm_name not in ALGORITHMS:
        raise ConfigurationError(
            f"key {key_id!r} is for {read.algorithm_name!r}; use one of {list(ALGORITHMS)!r}"
        )
    return read
