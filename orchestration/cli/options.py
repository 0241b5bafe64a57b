"""Options that several commands take."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Where threads are kept, e.g. sqlite:///runs.db or memory://. Default: "
        "ORCHESTRATION_DATABASE_URL, or a file in .orchestration/.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document to stdout; progress goes to stderr."),
]
FileArgument = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A workflow in YAML or JSON.", show_default=False),
]
ThreadArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A thread's id.", show_default=False)
]
GraphOption = Annotated[
    bool, typer.Option("--graph/--no-graph", help="Draw the graph before it runs.")
]


def command_line(*words: str, database: str | None = None) -> str:
    """Return a command to paste into a shell."""
    tail = ("--database", database) if database else ()
    return shlex.join(("orchestration", *words, *tail))
