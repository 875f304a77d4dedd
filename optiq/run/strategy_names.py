"""Which names a strategy can have: each is a file, an option and a section of the settings."""

from __future__ import annotations

import keyword

from optiq.trade.strategies import BUILT_IN

RESERVED = (
    *("all", "store", "models", "runs", "walk", "limits", "charges", "sizing", "none"),
    *("random", "equal", "champion", "candidate", "previous"),
)
"""Words that mean something else in a command or in the settings file."""


def name_fault(name: str) -> str:
    """Return why a strategy cannot have this name; empty where it can."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{name!r} is no Python identifier"
    if name in BUILT_IN:
        return f"{name!r} is the name of a strategy of optiq"
    if name in RESERVED:
        return f"{name!r} means something else in commands and settings"
    return ""
