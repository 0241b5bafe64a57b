"""Headers that a user sets, in which `${NAME}` stands for a variable of the environment.

So secrets need not stand in files; they are read for each call, and may change.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestration.agents.addresses import is_clear, told
from state.errors import AgentAuthError, AgentError
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REFERENCE: Final = re.compile(r"\$\$(?=\{)|\$\{([^}]*)\}")
"""A variable; or two signs that stand for one, as in the rest of an agents file."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_CREDENTIAL: Final = re.compile(r"auth|cookie|key|passw|secret|signature|token", re.IGNORECASE)
"""In the name of a header whose value is secret, also where it stands in a file."""
_SCHEME: Final = re.compile(r"^[A-Za-z]+\s+")
"""`Bearer` and the like, which may be told."""
OF_HTTP: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
)
"""Headers that every client over HTTP sets itself."""
_SHORTEST_SECRET: Final = 4
"""Characters; hiding something shorter would only garble what is said."""


class Filled(NamedTuple):
    """Headers as they are sent."""

    headers: Mapping[str, str]
    secrets: tuple[str, ...]
    """What came from the environment, and credentials that did not; the longest first. They may
    stand in no message."""

    def hide_in(self, text: str) -> str:
        """Return text without the secrets, e.g. of an agent that repeats what it got."""
        for secret in self.secrets:
            for written in {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}:
                text = text.replace(written, "***")
        return text

    def without_secrets(self, error: AgentError) -> AgentError:
        """Take the secrets out of an error's message, which may quote what an agent said."""
        error.message = self.hide_in(error.message)
        error.args = (error.message, *error.args[1:])
        return error


def header_problems(headers: Any, *, taken: Iterable[str]) -> Iterator[str]:  # noqa: ANN401  as in a file
    """What is wrong with headers, in words.

    Args:
        headers: What the user set.
        taken: Names, in lower case, that the connector sets itself.
    """
    if not isinstance(headers, Mapping):
        yield f"headers are a {type(headers).__name__}; give names and values"
        return
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"the header {name!r} has a name that HTTP does not allow"
        elif name.lower() in taken:
            yield f"the header {name!r} is set by the connector; leave it out"
        elif not isinstance(value, str) or not _VALUE.fullmatch(value):
            yield f"the header {name!r} has a value that is not one line of ASCII text"
        else:
            yield from reference_problems(f"the header {name!r}", value)


def clear_text_problems(
    urls: Iterable[str],
    headers: Any,  # noqa: ANN401  as in a file
    *,
    allowed: Any,  # noqa: ANN401  likewise
) -> Iterator[str]:
    """What is wrong with where credentials go, in words.

    Args:
        urls: Where they go.
        headers: Those that are sent; a variable of the environment counts as a secret.
        allowed: The setting `allow_clear_text`.
    """
    if not isinstance(allowed, bool):
        yield f"allow_clear_text is {described(allowed)}; give true or false"
    elif not allowed and isinstance(headers, Mapping):
        secret = [name for name, value in headers.items() if _is_secret(str(name), str(value))]
        yield from (
            f"{told(url)} would get the headers {secret!r} in clear text; use https://, or say "
            "allow_clear_text: true if the network is trusted"
            for url in urls
            if secret and is_clear(url)
        )


def _is_secret(name: str, value: str) -> bool:
    return bool(_CREDENTIAL.search(name)) or any(_variables_in(value))


def _variables_in(value: str) -> Iterator[str]:
    return (found[1] for found in _REFERENCE.finditer(value) if found[1] is not None)


def reference_problems(where: str, value: str) -> Iterator[str]:
    """What is wrong with the variables that a text refers to."""
    for variable in _variables_in(value):
        if not _VARIABLE.fullmatch(variable):
            yield f"{where} refers to ${{{variable}}}, which is no name of a variable"
        elif (problem := _problem_of(variable)) is not None:
            yield f"{where} refers to {problem}"


def filled(headers: Mapping[str, str]) -> Filled:
    """Put the values of variables in.

    Raises:
        AgentAuthError: A variable is not set, or its value cannot stand in a header.
    """
    secrets: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        variable = match[1]
        if variable is None:
            return "$"
        if (problem := _problem_of(variable)) is not None:
            raise AgentAuthError(f"credentials are missing: {problem}")
        secrets.append(os.environ[variable].strip())
        return secrets[-1]

    # space around a value is refused when it is sent, with the value in the message
    sent = {name: _REFERENCE.sub(value_of, value).strip() for name, value in headers.items()}
    for name, value in sent.items():
        if _CREDENTIAL.search(name):
            secrets.append(_SCHEME.sub("", value, count=1))
    hidden = {each for each in secrets if len(each) >= _SHORTEST_SECRET}
    return Filled(sent, tuple(sorted(hidden, key=len, reverse=True)))


def _problem_of(variable: str) -> str | None:
    value = os.environ.get(variable, "").strip()
    if not value:
        return f"the variable {variable} of the environment, which is not set; set it"
    if not _VALUE.fullmatch(value):
        return f"the variable {variable} of the environment, which is not one line of ASCII text"
    return None
