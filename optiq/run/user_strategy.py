"""Find a strategy by name, or load it from a user's own file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from optiq.errors import StrategyError
from optiq.trade.strategies import (
    BUILT_IN,
    USER_CODE_ERRORS,
    Strategy,
    built_in,
    from_module,
)


def find(name_or_path: str) -> Strategy:
    """Return the strategy of that name, or the one in that Python file, with its defaults."""
    if name_or_path.endswith(".py"):
        return from_file(Path(name_or_path))
    return built_in(name_or_path)


def find_all(names: list[str]) -> list[Strategy]:
    """Return the named strategies in order; none or ``all`` means every one that ships."""
    wanted = [name for name in names if name != "all"]
    if not wanted or "all" in names:
        wanted = [*BUILT_IN, *(name for name in wanted if name not in BUILT_IN)]
    found = [find(name) for name in wanted]
    twice = {s.name for s in found if sum(s.name == other.name for other in found) > 1}
    if twice:
        raise StrategyError(f"strategy {sorted(twice)[0]!r} was given twice", "name it once")
    return found


def from_file(path: Path) -> Strategy:
    """Return the strategy in a Python file; its name is the file's stem."""
    if not path.is_file():
        raise StrategyError(f"no file {path}", "give the path of a Python file with `entries`")
    if path.stem in BUILT_IN:
        raise StrategyError(f"{path} has the name of a strategy of optiq", "rename the file")
    spec = importlib.util.spec_from_file_location(f"optiq_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be imported", "give a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except USER_CODE_ERRORS as error:
        line = getattr(error, "lineno", None) or _line_in(path, error)
        raise StrategyError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    return from_module(path.stem, module)


def _line_in(path: Path, error: BaseException) -> int:
    """Return the last line of ``path`` in an error's traceback."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
