"""The command line: `orchestration demo`, `run`, `agents`, `threads`, `approvals`, `graph`.

Nothing heavy loads before a command needs it, so that `orchestration --help` is quick.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point `orchestration`."""
    from orchestration.cli.app import app  # noqa: PLC0415  importing the package costs nothing
    from orchestration.cli.terminal import hush_google, never_fail_to_print  # noqa: PLC0415

    never_fail_to_print()
    hush_google()
    app()
