"""The file a user writes to name a table's columns: ours on the left, the table's on the right."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from optiq.errors import InputError


def read_column_map(path: Path) -> dict[str, str]:
    """Read TOML or JSON; the names may stand in a table ``[columns]``."""
    try:
        text = path.read_text("utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as reason:
        raise InputError(f"--map {path}: {reason.strerror}") from reason
    except ValueError as reason:
        raise InputError(
            f"--map {path}: {reason}", 'write lines like ltp = "Last Rate"'
        ) from reason
    names = values.get("columns", values) if isinstance(values, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"--map {path}: not a list of names", 'write lines like ltp = "Last Rate"')
    return names
