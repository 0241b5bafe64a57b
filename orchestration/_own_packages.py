"""The guard: makes sure that packages with common names are this project's own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

OWN_PACKAGES = ("checkpoints", "graph", "nodes", "state")


def check_own_packages(root: Path | None = None) -> None:
    """Return if `graph`, `nodes`, `state` and `checkpoints` stand beside this package.

    Their names are common, so a script's folder or another distribution may have one of
    its own, and it would be imported instead.

    Raises:
        ImportError: One resolves elsewhere; names both paths and the remedy.
    """
    root = root or Path(__file__).resolve().parent.parent
    for name in OWN_PACKAGES:
        expected = root / name / "__init__.py"
        found = _location(name)
        if found is None or Path(found).resolve() != expected:
            where = f"it resolves to {found}" if found else "it is not found"
            raise ImportError(
                f"the package {name!r} must be the one of agent-orchestration-layer, at "
                f"{expected}, but {where}. Rename or move the other one, or run from another "
                "folder, so that it does not come first on sys.path."
            )


def _location(name: str) -> str | None:
    """Where importing `name` would load, or has loaded, it from."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    spec = find_spec(name)
    return None if spec is None else spec.origin
