"""What names in definitions look like."""

from __future__ import annotations

from typing import Final

NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
"""Of workflows; `@` stands between a name and a version."""
SIGNAL: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$"
