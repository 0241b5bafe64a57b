"""Turns what goes wrong in a command into a message and an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from orchestration.cli.exit_codes import ExitCode, code_of_error
from orchestration.cli.terminal import console, print_json, printable, styled
from state.errors import DrainedError, MigrationError, OrchestrationError, UpgradeError

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject


class RunStoppedError(KeyboardInterrupt):
    """Raised when Ctrl-C stopped a run that had begun; it can be resumed."""

    def __init__(self, thread_id: str, message: str) -> None:
        self.thread_id = thread_id
        self.message = message
        super().__init__(thread_id, message)

    def __str__(self) -> str:
        return self.message


@contextmanager
def reported(*, json_output: bool = False) -> Iterator[None]:
    """Let the body end the command with an exit code, whatever it raises.

    Raises:
        typer.Exit: The body raised an error or was stopped; it has been reported.
    """
    more: JsonObject
    try:
        yield
    except DrainedError as drained:
        more = {"thread_id": drained.thread_id}
        _tell("drained", str(drained), json_output=json_output, more=more)
        raise typer.Exit(ExitCode.COMPLETED) from None
    except OrchestrationError as error:
        _tell(error.code, str(error), json_output=json_output, more=_details(error))
        raise typer.Exit(code_of_error(error)) from None
    except KeyboardInterrupt as stop:
        more = {"thread_id": stop.thread_id} if isinstance(stop, RunStoppedError) else {}
        _tell("stopped", str(stop) or "Stopped.", json_output=json_output, more=more)
        raise typer.Exit(ExitCode.STOPPED) from None
    except Exception as error:
        if isinstance(error, typer.Exit | typer.Abort | typer.BadParameter | BrokenPipeError):
            raise  # Typer reports these itself
        sys.stderr.write(printable(traceback.format_exc()))
        message = f"unexpected {type(error).__name__}: {error}"
        _tell("unexpected", message, json_output=json_output)
        raise typer.Exit(ExitCode.UNEXPECTED) from None


def _details(error: OrchestrationError) -> JsonObject:
    """What a program wants to know of a refusal, beside its words."""
    match error:
        case UpgradeError():
            return {
                "thread_id": error.thread_id,
                "workflow": error.name,
                "old_version": error.old,
                "new_version": error.new,
                "differences": [*error.differences],
            }
        case MigrationError():
            return {"thread_id": error.thread_id, "problems": [*error.problems]}
    return {}


def _tell(code: str, message: str, *, json_output: bool, more: JsonObject | None = None) -> None:
    if json_output:
        print_json({"error": {"code": code, "message": message, **(more or {})}})
        return
    stopped = code in {"stopped", "drained"}
    line = styled(message) if stopped else styled("Error: ", "bold red") + styled(message)
    console(stderr=True).print(line, soft_wrap=True)
