"""A JSON text as a tree of fields that can go one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from nodes.compression.atoms import Atom, Atoms, Part, words_of
from nodes.compression.counting import is_deep
from nodes.compression.mentions import Kind, is_record_id, kind_of, kind_of_text
from nodes.compression.prose import Prose

LONGEST_FIELD: Final = 100
"""Characters from which on a field is cut like a text."""
DEEPEST: Final = 40
_VALUE: Final = Part.VALUE


class Number(str):
    """A number as it is written: 140.50 stays that."""

    __slots__ = ()


class Node:
    """A value of a JSON text: an object, an array, or a field without children."""

    __slots__ = ("children", "end", "first", "is_object", "keys", "scalar", "text")

    def __init__(self, first: int) -> None:
        self.first = first
        self.end = first
        self.children: list[Node] | None = None
        self.keys: list[tuple[str, int]] = []
        """For an object, the name of each child, and the atom of the name if it is a value."""
        self.is_object = False
        self.scalar: Any = None
        self.text: Prose | None = None


class Fields:
    """A JSON text that is cut by fields."""

    def __init__(self, source: str, value: Any, atoms: Atoms) -> None:  # noqa: ANN401  any JSON value
        self.source = source
        self.first = len(atoms)
        self.layout = atoms.add(Atom(Part.LAYOUT, 0, source.count(" "), "", "", -1))
        self.is_ascii = "\\u" in source
        self.root = _Reader(atoms).node(value, "", atoms.open_context(), 0)
        self.end = len(atoms)

    def render(self, alive: bytearray) -> str:
        """Return what is left, as JSON."""
        if alive.find(0, self.first, self.end) < 0:
            return self.source
        return _Writer(alive, self.is_ascii).json(self.root)

    def digest(self, alive: bytearray) -> str:
        """Return what is left in few words, without JSON's signs."""
        return digest(self.root, alive)


class _Reader:
    def __init__(self, atoms: Atoms) -> None:
        self.atoms = atoms

    def node(self, value: Any, key: str, context: int, depth: int) -> Node:  # noqa: ANN401
        node = Node(len(self.atoms))
        if isinstance(value, dict) and value and depth < DEEPEST:
            self._object(node, value, key, context, depth)
        elif isinstance(value, list) and value and depth < DEEPEST:
            node.children = []
            for each in value:
                inner = self._inner(context) if isinstance(each, dict) else context
                node.children.append(self.node(each, key, inner, depth + 1))
        else:
            self._scalar(node, value, key, context)
        node.end = len(self.atoms)
        return node

    def _inner(self, context: int) -> int:
        return self.atoms.open_context(parent=context)

    def _object(
        self, node: Node, value: dict[str, Any], own: str, context: int, depth: int
    ) -> None:
        node.children, node.is_object = [], True
        holds_records = len(value) > 1 and all(isinstance(each, dict) for each in value.values())
        for name, each in value.items():
            inner = self._inner(context) if holds_records else context
            atom = -1
            if is_record_id(name):
                row = Atom(_VALUE, int(kind_of(name)), len(name) + 2, name, own, inner)
                atom = self.atoms.add(row)
            node.keys.append((name, atom))
            if each == own:
                child = Node(len(self.atoms))
                child.scalar = each
                self.atoms.add(Atom(Part.LAYOUT, 0, len(own) + len(name), "", name, -1))
                child.end = len(self.atoms)
            else:
                child = self.node(each, name, inner, depth + 1)
            node.children.append(child)

    def _scalar(self, node: Node, value: Any, key: str, context: int) -> None:  # noqa: ANN401
        node.scalar = value
        if isinstance(value, str) and len(value) > LONGEST_FIELD:
            node.text = Prose(value, self.atoms, key)
            return
        if isinstance(value, str):
            text, kind = value, kind_of_text(value)
            self.atoms.contexts[context].extend(words_of(value))
        else:
            text = _dumped(value)
            is_number = not isinstance(value, dict | list | bool | None)
            kind = kind_of(text.lstrip("-")) if is_number else Kind.PLAIN
        size = len(text) + len(key) + 4
        told = "" if value is None or isinstance(value, dict | list) else text
        self.atoms.add(Atom(_VALUE, int(kind), size, told, key, context))


def _dumped(value: Any, *, ensure_ascii: bool = False) -> str:  # noqa: ANN401  any JSON value
    if type(value) is Number:
        return str(value)
    if type(value) is int:
        return repr(value)
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))


class _Writer:
    def __init__(self, alive: bytearray, is_ascii: bool) -> None:  # noqa: FBT001  private
        self.alive = alive
        self.is_ascii = is_ascii

    def json(self, node: Node) -> str:
        if node.children is None:
            value = node.scalar if node.text is None else node.text.render(self.alive)
            return _dumped(value, ensure_ascii=self.is_ascii)
        if not node.is_object:
            kept = [each for each in node.children if _lives(each, self.alive)]
            return f"[{','.join(map(self.json, kept))}]"
        fields = (
            f"{json.dumps(name, ensure_ascii=self.is_ascii)}:{self.json(child)}"
            for name, child in _living(node, self.alive)
        )
        return f"{{{','.join(fields)}}}"


def _living(node: Node, alive: bytearray) -> Iterator[tuple[str, Node]]:
    for (name, atom), child in zip(node.keys, node.children or (), strict=True):
        if _lives(child, alive):
            yield name, child
        elif atom >= 0 and alive[atom]:
            yield name, Node(-1)


def _lives(node: Node, alive: bytearray) -> bool:
    return alive.find(1, node.first, node.end) >= 0


def digest(node: Node, alive: bytearray) -> str:
    """Return what is left of a value in few words: names, values, `;` and brackets."""
    if node.children is None:
        if node.first < 0:
            return ""
        if node.text is not None:
            return node.text.render(alive)
        return node.scalar if isinstance(node.scalar, str) else _dumped(node.scalar)
    if node.is_object:
        return "; ".join(_named(name, child, alive) for name, child in _living(node, alive))
    kept = [each for each in node.children if _lives(each, alive)]
    if common := _common_name(kept, alive):
        values = (digest(child, alive) for each in kept for _, child in _living(each, alive))
        return f"{common}: {', '.join(values)}"
    inner: Callable[[Node], str] = lambda each: digest(each, alive)  # noqa: E731
    return " | ".join(map(inner, kept)) if kept[0].is_object else ", ".join(map(inner, kept))


def _common_name(kept: list[Node], alive: bytearray) -> str | None:
    """Return the name of the one field that is left of each of several objects."""
    if len(kept) < 2 or not all(each.is_object for each in kept):  # noqa: PLR2004
        return None
    names = {tuple(name for name, _ in _living(each, alive)) for each in kept}
    only = next(iter(names))
    return only[0] if len(names) == 1 and len(only) == 1 else None


def _named(name: str, child: Node, alive: bytearray) -> str:
    text = digest(child, alive)
    if not text:
        return name
    return f"{name} ({text})" if child.is_object else f"{name}: {text}"


def read_json(text: str) -> Any:  # noqa: ANN401  any JSON value
    """Return the object or array that a text is, or None."""
    stripped = text.lstrip()
    if not stripped.startswith(("{", "[")):
        return None
    try:
        value = json.loads(text, parse_float=Number, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and not is_deep(value) else None
