"""Options that several commands take."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated, Final

import typer

PROGRAM: Final = "orchestration"

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
WorkflowArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_NAME",
        help="A workflow in YAML or JSON, or the name of a registered one (NAME@VERSION).",
        show_default=False,
    ),
]
ThreadArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A thread's id.", show_default=False)
]
TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", metavar="NAME", help="Whose agents and data.", show_default=False),
]
GraphOption = Annotated[
    bool, typer.Option("--graph/--no-graph", help="Draw the graph before it runs.")
]
AsOption = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Who decides. Default: your name in the operating system.",
        show_default=False,
    ),
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="What they are, for approvals that want a role; give it once for each.",
        show_default=False,
    ),
]


def who_decides(given: str | None, *, option: str = "--as") -> str:
    """Return the name in an option, or else the operating system's name for the user.

    Raises:
        typer.BadParameter: It is empty, or the operating system has none.
    """
    if given is not None:
        if not given.strip():
            raise typer.BadParameter(f"{option} is empty; give the name of who it is")
        return given
    import getpass  # noqa: PLC0415  `--help` needs none

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise typer.BadParameter(f"who are you? Say it with {option} USER") from None


def command_line(*words: str, database: str | None = None) -> str:
    """Return a command to paste into a shell."""
    tail = ("--database", database) if database else ()
    return shlex.join((_program(), *words, *tail))


def _program() -> str:
    """What this program is called by: where it is not on the path, as it was called now."""
    import shutil  # noqa: PLC0415  `--help` needs none

    called = sys.argv[0]
    is_on_path = shutil.which(PROGRAM) is not None
    return PROGRAM if is_on_path or os.path.basename(called) != PROGRAM else called  # noqa: PTH119
