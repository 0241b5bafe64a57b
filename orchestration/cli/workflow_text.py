"""Reads YAML or JSON text into plain values, strictly: nothing is guessed or dropped."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class BadTextError(ValueError):
    """Raised for text that is not YAML or JSON; the message says where."""


def read_json(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        BadTextError: It is none, or an object has a key twice.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadTextError(f"not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise BadTextError("nested too deeply") from error
    return value


def read_yaml(text: str) -> object:
    """Return the value of a YAML text; dates stay text, as in JSON.

    Raises:
        BadTextError: It is none, or a mapping has a key twice.
    """
    try:
        value: object = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise BadTextError(f"not YAML: {_said(error)}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise BadTextError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadTextError("nested too deeply") from error
    return value


class _Loader(yaml.SafeLoader):
    """YAML's safe loader without dates, and without silently overwritten keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [pair for pair in resolvers if pair[0] != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a mapping that has a key twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _said(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context}{where}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise BadTextError(f"not usable: the key {key!r} is there {count} times in one object")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise BadTextError(f"not JSON: {name} is no JSON number; use null")
