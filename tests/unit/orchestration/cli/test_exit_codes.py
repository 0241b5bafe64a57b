from __future__ import annotations

import pytest

from orchestration.cli.drawing import CannotWriteError
from orchestration.cli.exit_codes import EPILOG, ExitCode, code_of_error, code_of_status
from state.errors import (
    AgentNotFoundError,
    CallableLostError,
    ConfigurationError,
    DatabaseError,
    DecisionError,
    OrchestrationError,
    PlanError,
    ThreadBusyError,
    ThreadNotFoundError,
    WorkflowConflictError,
    WorkflowFileError,
    WorkflowNotFoundError,
)
from state.status import WorkflowStatus


def test_each_workflow_status_has_its_code() -> None:
    codes = {status: code_of_status(status).value for status in WorkflowStatus}
    assert codes == {
        "completed": 0,
        "failed": 1,
        "rejected": 1,
        "cancelled": 1,
        "partial": 3,
        "interrupted": 4,
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PlanError([]), ExitCode.BAD_INPUT),
        (AgentNotFoundError("x", []), ExitCode.BAD_INPUT),
        (DatabaseError("x"), ExitCode.BAD_INPUT),
        (ConfigurationError("x"), ExitCode.BAD_INPUT),
        (WorkflowFileError("x", []), ExitCode.BAD_INPUT),
        (WorkflowNotFoundError("x", []), ExitCode.BAD_INPUT),
        (WorkflowConflictError("x", "1"), ExitCode.BAD_INPUT),
        (CannotWriteError("x", "y"), ExitCode.BAD_INPUT),
        (ThreadBusyError("x", "y", 0.0), ExitCode.THREAD),
        (ThreadNotFoundError("x"), ExitCode.THREAD),
        (DecisionError("x", "y"), ExitCode.THREAD),
        (CallableLostError("x", ["y"]), ExitCode.THREAD),
        (OrchestrationError("x"), ExitCode.FAILED),
    ],
)
def test_each_error_has_its_code(error: OrchestrationError, expected: ExitCode) -> None:
    assert code_of_error(error) is expected


def test_help_tells_every_code() -> None:
    told = [int(line.split()[0]) for line in EPILOG.splitlines()[1:]]
    assert told == [code.value for code in ExitCode]
