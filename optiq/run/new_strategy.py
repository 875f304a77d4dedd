"""Write a new strategy and its test for a user to change."""

from __future__ import annotations

import importlib.util
from importlib.resources import files
from pathlib import Path

from optiq.errors import CannotCreateError, InputError
from optiq.run import installed
from optiq.run.strategy_names import name_fault

TEMPLATE = "my_idea"
"""The example that is copied under the new name, with its test."""


def write_new(name: str, folder: Path) -> tuple[Path, Path]:
    """Write ``name``.py and its test into ``folder``, made if need be; return both paths."""
    file, test = folder / f"{name}.py", folder / f"test_{name}.py"
    _require_free(name, file, test)
    folder.mkdir(parents=True, exist_ok=True)
    for path, source in ((file, f"{TEMPLATE}.py"), (test, f"test_{TEMPLATE}.py")):
        text = files("optiq.examples").joinpath(source).read_text(encoding="utf-8")
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text.replace(TEMPLATE, name))
    return file, test


def _require_free(name: str, file: Path, test: Path) -> None:
    if fault := name_fault(name):
        raise InputError(fault, "choose another, such as my_idea")
    for path in (file, test):
        if path.exists():
            raise CannotCreateError(f"{path} exists", "choose another name, or take it away first")
    if name in installed.by_name() or importlib.util.find_spec(name) is not None:
        raise InputError(
            f"{name!r} is the name of something installed, which your file would hide",
            "choose another name",
        )
