"""Reads YAML with positions, strictly: only what JSON has too, and nothing dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from orchestration.documents.source import (
    MOST_VALUES,
    BadTextError,
    Position,
    Source,
    Spot,
    is_text,
)

if TYPE_CHECKING:
    from orchestration.documents.source import KeyPath

_PREFIX: Final = "tag:yaml.org,2002:"
_TIMESTAMP: Final = f"{_PREFIX}timestamp"
_MERGE: Final = f"{_PREFIX}merge"
_TEXT: Final = f"{_PREFIX}str"
_SCALARS: Final = frozenset(f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float", "str"))
_KINDS: Final[dict[type[yaml.Node], str]] = {
    yaml.MappingNode: f"{_PREFIX}map",
    yaml.SequenceNode: f"{_PREFIX}seq",
}

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class _Loader(yaml.SafeLoader):
    """YAML's safe loader without dates, which stay text as in JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [pair for pair in resolvers if pair[0] != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str, file: str) -> Source:
    """Read a YAML text.

    Raises:
        BadTextError: It is none.
    """
    source = Source(file)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            source.value = _Walk(loader, source).value(node, (), None)
    except BadTextError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = None if mark is None else _position(mark)
        raise BadTextError(f"not YAML: {error.problem or error.context}", where) from error
    except (yaml.YAMLError, ValueError) as error:
        raise BadTextError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadTextError("nested too deeply") from error
    return source


class _Walk:
    """Turns nodes into values.

    Aliases and merges are followed here and not by PyYAML, which would let a few lines
    grow into gigabytes.
    """

    def __init__(self, loader: _Loader, source: Source) -> None:
        self._loader = loader
        self._source = source
        self._merged: dict[int, Pairs] = {}
        self._above: set[int] = set()
        self._brought = 0
        """Keys that merges brought, also where they were there already."""

    def value(self, node: yaml.Node, path: KeyPath, key: Position | None) -> object:
        """Return what a node says."""
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        self._source.note(path, Spot(_position(node.start_mark), key, text))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag != _KINDS[type(node)]:
            self._refuse_tag(node, path)
            return None
        if id(node) in self._above:
            self._source.refuse(path, "is an alias for something that it is a part of")
            return None
        self._above.add(id(node))
        made = self._inside(node, path)
        self._above.remove(id(node))
        return made

    def _inside(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*path, index), None) for index, each in enumerate(node.value)]
        return {
            name: self.value(value, (*path, name), _position(key.start_mark))
            for name, (key, value) in self._pairs(node, path).items()
        }

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> object:
        if node.tag not in _SCALARS:
            self._refuse_tag(node, path)
            return None
        try:
            value: object = self._loader.construct_object(node)
        except (ValueError, KeyError, IndexError, yaml.YAMLError):
            kind = node.tag.removeprefix(_PREFIX)
            self._source.refuse(path, f"{node.value[:40]!r} is no {kind}; put it in quotes")
            return None
        return self._source.scalar(path, value)

    def _refuse_tag(self, node: yaml.Node, path: KeyPath) -> None:
        message = f"could not determine a constructor for the tag {node.tag!r}; leave it out"
        self._source.refuse(path, message)

    def _pairs(self, node: yaml.Node, path: KeyPath) -> Pairs:
        """The pairs of a mapping; its own come before those that it merges."""
        if id(node) in self._merged:
            return self._merged[id(node)]
        self._merged[id(node)] = pairs = Pairs()
        merges: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merges.append(value)
            elif self._is_key(key, path, pairs):
                pairs[key.value] = (key, value)
        for merged in merges:
            for each in self._mappings(merged, path):
                self._bring(self._pairs(each, path), pairs, merged)
        return pairs

    def _bring(self, inside: Pairs, pairs: Pairs, merged: yaml.Node) -> None:
        """Add the pairs of a merged mapping; the same one may be merged thousands of times."""
        self._brought += len(inside)
        if self._brought > MOST_VALUES:
            where = _position(merged.start_mark)
            raise BadTextError(f"merges more than {MOST_VALUES:,} keys", where)
        for name, pair in inside.items():
            pairs.setdefault(name, pair)

    def _is_key(self, key: yaml.Node, path: KeyPath, pairs: Pairs) -> bool:
        where = _position(key.start_mark)
        if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
            said = f"the key {key.value!r}" if isinstance(key, yaml.ScalarNode) else "a key"
            self._source.refuse(path, f"{said} is no text; put it in quotes", where)
            return False
        if key.value in pairs:
            self._source.refuse((*path, key.value), "this key is there twice", where)
        if not is_text(key.value):
            self._source.refuse(path, "has a key that UTF-8 cannot hold", where)
            return False
        return True

    def _mappings(self, merged: yaml.Node, path: KeyPath) -> list[yaml.Node]:
        """The mappings that a `<<` brings."""
        wanted = merged.value if isinstance(merged, yaml.SequenceNode) else [merged]
        if all(isinstance(each, yaml.MappingNode) for each in wanted):
            return list(wanted)
        where = _position(merged.start_mark)
        self._source.refuse((*path, "<<"), "should be a mapping, or a list of mappings", where)
        return []


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)
