"""Where the command line prints, and how it keeps what it prints harmless."""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


PIPED_WIDTH = 120
"""Columns where nobody says how wide the output is."""


def hush_google() -> None:
    """Leave out what Google's clients say to their developers, dozens of times, when imported."""
    warnings.filterwarnings("ignore", ".*Post-Quantum Cryptography", FutureWarning)


def never_fail_to_print() -> None:
    """Print `?` for a letter that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def console(*, stderr: bool = False) -> Console:
    """Return a console: coloured on a terminal, plain text anywhere else."""
    from rich.console import Console  # noqa: PLC0415  a tenth of a second

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system="auto" if terminal else None,
        width=None if terminal else PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def printable(text: str) -> str:
    """Replace what a terminal would act on: agents and files may say anything."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
        for letter in text.replace("\r\n", "\n").replace("\t", "    ")
    )


def styled(text: str, style: str = "") -> Text:
    """Return text from outside, made printable."""
    from rich.text import Text  # noqa: PLC0415

    return Text(printable(text), style=style)


def compact(value: object) -> str:
    """Say a JSON value in one line."""
    return json.dumps(value, ensure_ascii=False)


def print_json(document: object) -> None:
    """Print one JSON document, and nothing else, to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
