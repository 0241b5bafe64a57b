"""The variables of the environment that say which agents there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, NamedTuple

FILE_VARIABLE: Final = "ORCHESTRATION_AGENTS_FILE"
"""The path of an agents file."""
NAMES_VARIABLE: Final = "ORCHESTRATION_AGENTS"
"""Ids of agents, beside the four, that variables speak of; separated by commas."""
BUILT_IN_IDS: Final = ("ticketing", "sales", "finance", "hr")
"""Variables speak of these in any case."""
ENDPOINT: Final = "_ENDPOINT"


class Suffix(NamedTuple):
    """What the end of a variable's name says of an agent."""

    path: tuple[str, ...]
    """The same key in an agents file."""
    read: Callable[[str], object]
    """Turns its value into the file's; leaves what it cannot read for the checks to refuse."""
    form: str
    """What its value looks like, for people."""


def prefix_of(agent_id: str) -> str:
    """How the names of an agent's variables begin."""
    return "".join(each if each.isalnum() else "_" for each in agent_id).upper()


ENDPOINT_VARIABLES: Final = MappingProxyType(
    {agent_id: prefix_of(agent_id) + ENDPOINT for agent_id in BUILT_IN_IDS}
)
"""Put a company's own agent in place of a built-in one."""


def _text(value: str) -> object:
    return value


def _number(value: str) -> object:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _flag(value: str) -> object:
    words = {"true": True, "1": True, "yes": True, "on": True}
    words |= {"false": False, "0": False, "no": False, "off": False}
    return words.get(value.lower(), value)


def _words(value: str) -> object:
    return [each.strip() for each in value.split(",") if each.strip()]


def _object(value: str) -> object:
    """Read a JSON object.

    Raises:
        ValueError: It is none; its text, which may be secret, is not in the message.
    """
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise ValueError("should be a JSON object, e.g. '{\"key\": 1}'")  # noqa: TRY004  as promised
    return read


def _price(value: str) -> object:
    return _object(value) if value.startswith("{") else _number(value)


_NUMBER, _WHOLE, _FLAG, _JSON = "number", "whole number", "`true` or `false`", "JSON object"
SUFFIXES: Final = MappingProxyType(
    {
        "_SETTINGS": Suffix(("settings",), _object, _JSON),
        "_KIND": Suffix(("kind",), _text, "text"),
        "_NAME": Suffix(("name",), _text, "text"),
        "_DESCRIPTION": Suffix(("description",), _text, "text"),
        "_CAPABILITIES": Suffix(("capabilities",), _words, "texts, separated by commas"),
        "_VERSION": Suffix(("version",), _text, "text"),
        "_WEIGHT": Suffix(("weight",), _number, _NUMBER),
        "_PRIORITY": Suffix(("priority",), _number, _WHOLE),
        "_COST": Suffix(("cost",), _price, "number or JSON object"),
        "_READ_ONLY": Suffix(("read_only",), _flag, _FLAG),
        "_IDEMPOTENT": Suffix(("idempotent",), _flag, _FLAG),
        "_ENABLED": Suffix(("enabled",), _flag, _FLAG),
        "_MAX_CONCURRENCY": Suffix(("max_concurrency",), _number, _WHOLE),
        "_MAX_QUEUE": Suffix(("max_queue",), _number, _WHOLE),
        "_QUEUE_TIMEOUT_SECONDS": Suffix(("queue_timeout",), _number, _NUMBER),
        "_BALANCING": Suffix(("balancing",), _text, "text"),
        "_RESILIENCE": Suffix(("resilience",), _object, _JSON),
        "_TRANSPORT": Suffix(("settings", "transport"), _text, "text"),
        "_API_ENDPOINT": Suffix(("settings", "api_endpoint"), _text, "text"),
        "_CREDENTIALS_FILE": Suffix(("settings", "credentials_file"), _text, "path"),
        "_API_KEY": Suffix(("settings", "api_key"), _text, "text"),
        "_GRAPH": Suffix(("settings", "graph"), _text, "text"),
        "_MODEL": Suffix(("settings", "model"), _text, "text"),
        "_TIMEOUT_SECONDS": Suffix(("settings", "timeout_seconds"), _number, _NUMBER),
        "_HEALTH_PATH": Suffix(("settings", "health_path"), _text, "text"),
        "_HEADERS": Suffix(("settings", "headers"), _object, _JSON),
    }
)
"""Beside `_ENDPOINT`, without which they are not read. Settings of their own come after all."""
