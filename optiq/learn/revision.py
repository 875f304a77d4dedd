"""Which code made a figure."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from optiq import __version__


@cache
def code_revision() -> str:
    """Return optiq's version and a digest of its source, dated tables among it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.csv")]):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:16]}"
