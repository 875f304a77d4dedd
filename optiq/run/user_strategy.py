"""Find a strategy: one that ships, one of an installed distribution, or a user's own file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from optiq.errors import StrategyError
from optiq.run import installed
from optiq.run.strategy_names import name_fault
from optiq.trade.strategies import BUILT_IN, Strategy, built_in, from_module
from optiq.trade.user_code import USER_CODE_ERRORS, line_in


def find(name_or_path: str) -> Strategy:
    """Return the strategy of that name, or the one in that Python file, with its defaults."""
    if name_or_path.endswith(".py"):
        return from_file(Path(name_or_path))
    if name_or_path in BUILT_IN:
        return built_in(name_or_path)
    others = installed.by_name()
    if name_or_path in others:
        return installed.load(others[name_or_path])
    raise StrategyError(
        f"no strategy named {name_or_path!r}",
        f"one of {', '.join((*BUILT_IN, *others))}, or a path to a .py file",
    )


def all_names() -> tuple[str, ...]:
    """Return the names there are without a file: those that ship, then the installed ones."""
    return (*BUILT_IN, *installed.by_name())


def origin(name: str) -> str:
    """Return the distribution that a strategy found by name comes from."""
    return "optiq" if name in BUILT_IN else installed.by_name()[name].distribution


def find_all(wanted: Sequence[str]) -> list[Strategy]:
    """Return the named strategies in order.

    No name means every one that ships; ``all`` means these and every installed one.
    """
    asked = [name for name in wanted if name != "all"]
    every = all_names() if "all" in wanted else BUILT_IN if not asked else ()
    found = [find(name) for name in (*every, *(name for name in asked if name not in every))]
    twice = {s.name for s in found if sum(s.name == other.name for other in found) > 1}
    if twice:
        raise StrategyError(f"strategy {sorted(twice)[0]!r} was given twice", "name it once")
    return found


def tokens(strategies: list[Strategy]) -> tuple[str, ...]:
    """Return what `find_all` takes to find the same strategies from any folder."""
    return tuple(s.source or s.name for s in strategies)


def from_file(path: Path) -> Strategy:
    """Return the strategy in a Python file; its name is the file's stem."""
    if not path.is_file():
        raise StrategyError(f"no file {path}", "give the path of a Python file with `entries`")
    if fault := name_fault(path.stem):
        raise StrategyError(f"{path}: {fault}", "rename the file")
    spec = importlib.util.spec_from_file_location(f"optiq_user_{path.stem}", path)
    if spec is None or spec.loader is None or spec.origin is None:
        raise StrategyError(f"{path} cannot be imported", "give a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except USER_CODE_ERRORS as error:
        line = getattr(error, "lineno", None) or line_in(spec.origin, error)
        raise StrategyError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    return replace(from_module(path.stem, module), source=str(path.resolve()))
