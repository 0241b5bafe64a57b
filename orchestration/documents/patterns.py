"""What texts in several sorts of files look like."""

from __future__ import annotations

from typing import Final

VERSION: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,49}$"
VERSION_WORDS: Final = "use 1 to 50 letters, digits, '_', '-', '+' or '.'"
