"""Strategies that other distributions bring: entry points of the group ``optiq.strategies``.

The entry point's name is the strategy's, its value the module that holds ``Params`` and
``entries``. In a distribution's ``pyproject.toml``::

    [project.entry-points."optiq.strategies"]
    my_idea = "my_package.my_idea"
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from optiq.errors import StrategyError
from optiq.run.strategy_names import name_fault
from optiq.trade.strategies import Strategy, from_module
from optiq.trade.user_code import USER_CODE_ERRORS

GROUP = "optiq.strategies"


@dataclass(frozen=True, slots=True)
class Installed:
    """One entry point and the distribution it comes from."""

    entry: EntryPoint
    distribution: str


def by_name() -> dict[str, Installed]:
    """Return the installed strategies, by name; nothing is imported yet.

    A name that cannot be had is an error that says whose it is.
    """
    found: dict[str, Installed] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        distribution = entry.dist.name if entry.dist else "an unnamed distribution"
        fault = name_fault(entry.name)
        if entry.name in found:
            fault = f"{found[entry.name].distribution} brings one of that name too"
        if fault:
            raise StrategyError(
                f"distribution {distribution!r} brings a strategy {entry.name!r}: {fault}",
                f"pip uninstall {distribution}, or ask its author for another name",
            )
        found[entry.name] = Installed(entry, distribution)
    return found


def load(found: Installed) -> Strategy:
    """Import an installed strategy."""
    name, value = found.entry.name, found.entry.value
    where = f"{value} of {found.distribution}"
    try:
        module = found.entry.load()
    except USER_CODE_ERRORS as error:
        raise StrategyError(
            f"strategy {name!r}: {where} cannot be imported: {type(error).__name__}: {error}",
            f"pip install --upgrade {found.distribution}, or uninstall it",
        ) from error
    if not isinstance(module, ModuleType):
        raise StrategyError(
            f"strategy {name!r}: {where} is no module",
            "its entry point must name the module with `Params` and `entries`",
        )
    return from_module(name, module)
