"""What it costs to start: our imports, against `import langgraph.graph`.

Fresh interpreters, one after another, interleaved. The least that an interpreter which does
nothing took is subtracted from each, so that a busy machine makes no time negative. The subjects
are `import orchestration` and, once there is a command line, `orchestration --help`.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Final

from benchmarks.measure import Comparison, Effort, Report, Target, Times, interleave, main

BARE, REFERENCE = "nothing", "import langgraph.graph"
IMPORT, HELP = "import orchestration", "orchestration --help"
SNIPPETS: Final = {
    BARE: "pass",
    REFERENCE: "import langgraph.graph",
    IMPORT: "import orchestration",
    HELP: (
        "import sys; sys.argv = ['orchestration', '--help']; "
        "from orchestration.cli import main; main()"
    ),
}


async def run_fresh(code: str) -> None:
    """Run a snippet in an interpreter of its own.

    Raises:
        RuntimeError: It failed, with what it printed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{code!r} failed:\n{errors.decode()}")


def subtract(times: Times, bare: Times) -> Times:
    """Take the least that a bare interpreter took off every run."""
    least = min(map(min, bare.rounds))
    return Times([[seconds - least for seconds in run] for run in times.rounds])


async def benchmark(quick: bool) -> Report:  # noqa: FBT001  called by `main`
    """Measure the subjects that there are."""
    effort = Effort(rounds=2 if quick else 15, runs=1, warm_up=1)
    subjects = [IMPORT]
    notes = [f"each minus a bare interpreter (`{sys.executable} -c pass`)"]
    try:
        await run_fresh(SNIPPETS[HELP])
    except RuntimeError as error:  # the command line may be under construction
        notes.append(f"`{HELP}` is left out, as it does not run: {str(error).splitlines()[-1]}")
    else:
        subjects.append(HELP)
    times = await interleave(
        {name: partial(run_fresh, SNIPPETS[name]) for name in (BARE, REFERENCE, *subjects)},
        effort,
    )
    reference = subtract(times[REFERENCE], times[BARE])
    rows = [
        Comparison(
            name=name,
            subject=subtract(times[name], times[BARE]),
            reference=reference,
            target=Target(0.35),
        )
        for name in subjects
    ]
    return Report(f"start-up: ours / `{REFERENCE}`", rows, notes)


if __name__ == "__main__":
    main(benchmark, __doc__)
