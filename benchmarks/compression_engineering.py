"""Transcripts of agents that work in a shell and in files."""

from __future__ import annotations

import random
from typing import Final

from benchmarks.compression_talk import Message, Talk, code, digits

WORDS: Final = [
    "parse",
    "render",
    "cache",
    "token",
    "queue",
    "merge",
    "user",
    "order",
    "session",
    "field",
    "schema",
    "route",
    "batch",
    "index",
    "retry",
    "stream",
    "header",
    "model",
    "filter",
    "writer",
]
TASK: Final = (
    "You are given a repository. Fix the issue below; the tests must pass. Do not change the "
    "tests.\n\n"
)


def _name(chance: random.Random, parts: int = 2) -> str:
    return "_".join(chance.sample(WORDS, parts))


def _function(chance: random.Random) -> tuple[str, str]:
    """Return a function's name and its source."""
    name, first, second = _name(chance), chance.choice(WORDS), chance.choice(WORDS)
    limit = chance.randrange(2, 100)
    lines = [
        f"def {name}(self, {first}, {second}=None):",
        f'    """Return the {first} for a {second}."""',
        f"    if {first} is None:",
        f"        return self._{second}s.get({limit})",
        f"    result = self.{_name(chance)}({first}, limit={limit})",
        f"    for {second} in result.{first}s:",
        f"        if {second}.{chance.choice(WORDS)} > {limit}:",
        f"            result.{_name(chance)}({second})",
        "    return result",
    ]
    return name, "\n".join(lines[: chance.choice([3, 5, 9, 9])])


class Tree:
    """A repository that never was."""

    def __init__(self, chance: random.Random, root: str) -> None:
        self.root = root
        self.package = _name(chance, 1)
        self.files: dict[str, str] = {}
        self.functions: dict[str, tuple[str, str]] = {}
        for _ in range(chance.randrange(5, 12)):
            made = [_function(chance) for _ in range(chance.randrange(2, 7))]
            path = f"{root}/{self.package}/{_name(chance)}.py"
            imports = (
                f"import json\nimport logging\n\nfrom {self.package}.{_name(chance)} import X\n"
            )
            self.files[path] = imports + "\n\n" + "\n\n\n".join(text for _, text in made) + "\n"
            self.functions[path] = chance.choice(made)

    def listing(self) -> str:
        """Return what `find` prints."""
        return "\n".join([self.root, f"{self.root}/{self.package}", *self.files])

    def use(self, chance: random.Random, name: str, path: str) -> list[str]:
        """Let two or three other files call a function; return these."""
        others = [each for each in self.files if each != path]
        callers = chance.sample(others, min(len(others), chance.randrange(2, 4)))
        for caller in callers:
            indent = "    " * chance.randrange(1, 4)
            line = f"{indent}{chance.choice(WORDS)} = self.{name}({chance.choice(WORDS)})\n"
            self.files[caller] += f"\n\ndef {_name(chance)}(self):\n{line}"
        return callers

    def found(self, word: str) -> str:
        """Return what `grep -rn` prints."""
        hits = []
        for path, text in self.files.items():
            for number, line in enumerate(text.splitlines(), 1):
                if word in line:
                    hits.append(f"{path}:{number}:{line}")
        return "\n".join(hits)


def _failures(chance: random.Random, tree: Tree, path: str, name: str) -> str:
    dots = "\n".join(
        f"tests/test_{_name(chance)}.py {'.' * chance.randrange(3, 30)} [{n * 9}%]"
        for n in range(1, 9)
    )
    return (
        "============ test session starts ============\nplatform linux -- Python 3.11.7, pytest-8\n"
        f"rootdir: {tree.root}\ncollected {digits(chance, 3)} items\n\n{dots}\n\n"
        f"=========== FAILURES ===========\n____ test_{name} ____\n\n"
        f"    def test_{name}():\n>       assert {name}(1) == {digits(chance, 2)}\n"
        "E       assert None\n\n"
        f"{path}:{chance.randrange(5, 60)}: AssertionError\n"
        f"FAILED tests/test_{tree.package}.py::test_{name} - assert None\n"
        f"==== 1 failed, {digits(chance, 3)} passed in 4.{digits(chance, 2)}s ===="
    )


def coding(chance: random.Random) -> list[Message]:
    """Find, view, edit and test, with an editor tool and a shell."""
    tree = Tree(chance, chance.choice(["/testbed", "/repo", "/workspace/app"]))
    path = chance.choice(list(tree.files))
    name, source = tree.functions[path]
    callers = tree.use(chance, name, path)
    talk = Talk(chance, "You are a software engineer with a shell and an editor.")
    talk.user(
        TASK + f"<issue>\n`{name}` returns nothing when its first argument is empty. We noticed it "
        f"after the last release, in production. Steps: call `{name}(0)`; it should give the "
        "default, as the documentation says, and it does not. Nobody looked into it so far, and "
        f"there are several places where it is used.\n</issue>\nThe repository is in {tree.root}."
    )
    talk.call("bash", {"command": f"find {tree.root} -name '*.py'"}, tree.listing())
    command = f"grep -rn {name} {tree.root}"
    talk.call("bash", {"command": command}, tree.found(name), said="Let me look for it.")
    for other in callers[:2]:
        talk.call("str_replace_editor", {"command": "view", "path": other}, tree.files[other])
    talk.call(
        "str_replace_editor",
        {"command": "view", "path": path},
        tree.files[path],
        said=f"The function `{name}` is defined in {path}. I will look at it as a whole now.",
    )
    test = f"cd {tree.root} && python -m pytest -q tests/test_{tree.package}.py"
    talk.call("bash", {"command": test}, _failures(chance, tree, path, name))
    lines = source.splitlines()
    start = chance.randrange(max(1, len(lines) - 2))
    old = "\n".join(lines[start : start + chance.randrange(1, 4)])
    talk.call(
        "str_replace_editor",
        {
            "command": "str_replace",
            "path": path,
            "old_str": old,
            "new_str": old + "\n    # the default, as documented",
        },
        f"The file {path} has been edited. Here's the result of running `cat -n` on a snippet:\n"
        + "\n".join(f"{n:6}\t{line}" for n, line in enumerate(lines, 12)),
        said="The reason is clear: the value is compared with None only.",
    )
    talk.call("bash", {"command": test}, _failures(chance, tree, path, name))
    second = callers[-1]
    talk.call("str_replace_editor", {"command": "view", "path": second}, tree.files[second])
    talk.call("bash", {"command": command}, tree.found(name))
    talk.call("bash", {"command": test}, "........ [100%]\n8 passed in 0.31s")
    talk.call("str_replace_editor", {"command": "view", "path": path}, tree.files[path])
    return talk.messages


def terminal(chance: random.Random) -> list[Message]:
    """Look after servers: processes, logs, containers, files."""
    talk = Talk(chance, "You operate Linux servers through tools. Be careful.")
    hosts = [f"web-{n}.eu{chance.randrange(1, 4)}.example.net" for n in range(1, 5)]
    host, service = chance.choice(hosts), chance.choice(["billing", "search", "gateway"])
    talk.user(
        f"The {service} service is slow since this morning, customers complain. It runs on "
        f"{', '.join(hosts)}. Please find out why and put it right. Don't restart the database."
    )
    processes = [
        f"{chance.choice(['root', 'app', 'www-data']):10}{digits(chance, 5)} "
        f"{chance.randrange(100)}.{chance.randrange(10)} /usr/bin/{chance.choice(WORDS)} --port "
        f"{digits(chance, 4)}"
        for _ in range(chance.randrange(10, 30))
    ]
    guilty = chance.choice(processes).split()[1]
    containers = [
        f"{code(chance, 12, 'abcdef0123456789')}   registry.example.net/{chance.choice(WORDS)}:"
        f"1.{chance.randrange(20)}.{chance.randrange(9)}   Up {chance.randrange(2, 50)} hours   "
        f"{service}_{chance.choice(WORDS)}_{number}"
        for number in range(1, 8)
    ]
    logs = [
        f"2024-06-{chance.randrange(1, 28):02}T{chance.randrange(24):02}:11:{digits(chance, 2)}Z "
        f"{chance.choice(['INFO', 'WARN', 'ERROR'])} [{_name(chance)}] request "
        f"{code(chance, 16, 'abcdef0123456789')} took {digits(chance, 4)} ms"
        for _ in range(chance.randrange(20, 60))
    ]
    for each in hosts[: hosts.index(host) + 1]:
        load = f" 10:11:02 up {chance.randrange(300)} days, load average: {chance.randrange(40)}.20"
        talk.call("run", {"host": each, "command": "uptime"}, load)
    talk.call("run", {"host": host, "command": "ps aux --sort=-%cpu"}, "\n".join(processes))
    talk.call("run", {"host": host, "command": "docker ps"}, "\n".join(containers))
    container = chance.choice(containers).split()
    talk.call("read_log", {"host": host, "container": container[0], "lines": 60}, "\n".join(logs))
    slow = chance.choice(logs).split()
    config = f"/etc/{service}/{_name(chance)}.yaml"
    settings = "\n".join(f"{_name(chance)}: {chance.randrange(1000)}" for _ in range(25))
    talk.call(
        "find_trace", {"request_id": slow[4]}, {"spans": [], "config": config, "took": slow[6]}
    )
    talk.call("read_file", {"host": host, "path": config}, settings)
    talk.say(f"Process {guilty} on {host} takes most of the processor. May I end it?")
    talk.user("Yes, do that, and then restart that container.")
    talk.call("kill_process", {"host": host, "pid": guilty, "signal": "TERM"}, "ok")
    talk.call("restart_container", {"host": host, "name": container[-1]}, "ok")
    line = chance.choice(settings.splitlines())
    talk.call("edit_file", {"host": host, "path": config, "old": line, "new": line + "0"}, "ok")
    return talk.messages
