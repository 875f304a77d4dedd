"""The strategies that come with optiq, one file each, and what makes a module a strategy.

A strategy is a module with a frozen dataclass ``Params``, a function
``entries(panel, context, params) -> Orders`` and, if it likes, ``NEEDS``: the panel fields
without which it stays silent.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from types import ModuleType
from typing import Any

from numba import njit

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.limits import StrategyLimits
from optiq.trade.orders import MAX_LEGS, NO_LEG, Orders

USER_CODE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What a user's own file may do wrong when it is read or asked for orders."""

BUILT_IN = ("gamma_scalping", "institutional_oi")


NO_LIMITS = StrategyLimits()


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy's name, its rule, the parameters it runs with and the limits of its own."""

    name: str
    rule: Callable[[Panel, Context, Any], Orders]
    params_type: type[Any]
    params: Any
    needs: tuple[str, ...]
    about: str
    limits: StrategyLimits = NO_LIMITS

    def entries(self, panel: Panel, context: Context) -> Orders:
        """Return the checked orders of a panel; none where the day lacks what the rule needs."""
        if self.missing(panel):
            return Orders.empty()
        try:
            orders = self.rule(panel, context, self.params)
        except StrategyError:
            raise
        except USER_CODE_ERRORS as error:
            raise StrategyError(
                f"strategy {self.name!r} failed on {panel.underlying} {panel.date}: "
                f"{type(error).__name__}: {error}",
                "run its `entries` on that day's panel to see where",
            ) from error
        check_orders(self.name, orders, panel)
        return orders

    def missing(self, panel: Panel) -> tuple[str, ...]:
        """Return the needed fields that the whole day lacks."""
        return tuple(name for name in self.needs if not _says_anything(panel.fields[name]))


def built_in(name: str, params: Any = None) -> Strategy:
    """Return one of the strategies that come with optiq; default parameters unless given."""
    if name not in BUILT_IN:
        raise StrategyError(
            f"no strategy named {name!r}", f"one of {', '.join(BUILT_IN)}, or a path to a .py file"
        )
    return from_module(name, importlib.import_module(f"{__name__}.{name}"), params)


def from_module(name: str, module: ModuleType, params: Any = None) -> Strategy:
    """Return the strategy a module holds; an error that names it where it holds none."""
    params_type, rule = getattr(module, "Params", None), getattr(module, "entries", None)
    if not (isinstance(params_type, type) and is_dataclass(params_type)):
        raise StrategyError(
            f"strategy {name!r} has no dataclass `Params`",
            "add `@dataclass(frozen=True) class Params:` with its thresholds",
        )
    if not callable(rule):
        raise StrategyError(
            f"strategy {name!r} has no function `entries`",
            "add `def entries(panel, context, params): ...` returning Orders",
        )
    return Strategy(
        name=name,
        rule=rule,
        params_type=params_type,
        params=params_type() if params is None else params,
        needs=tuple(getattr(module, "NEEDS", ())),
        about=(module.__doc__ or "").strip(),
    )


def check_orders(name: str, orders: object, panel: Panel) -> None:
    """Refuse, naming the strategy, whatever the walk could not make sense of."""
    if not isinstance(orders, Orders):
        raise StrategyError(
            f"strategy {name!r} returned {type(orders).__name__}, not Orders",
            "build them with Orders.single(...) or Orders.packages(...)",
        )
    shapes = {orders.legs.shape, orders.side.shape, orders.ratio.shape}
    if shapes != {(len(orders), MAX_LEGS)}:
        raise StrategyError(
            f"strategy {name!r} gave legs of shapes {sorted(shapes)} for {len(orders)} orders",
            f"legs, side and ratio have shape (n, {MAX_LEGS})",
        )
    fault, first = _first_fault(
        orders.row,
        orders.legs,
        orders.side,
        orders.ratio,
        orders.strength,
        panel.is_chain,
        panel.n_contracts,
    )
    if fault >= 0:
        raise StrategyError(
            f"strategy {name!r}: order {first} at row {int(orders.row[first])} has {FAULTS[fault]}",
            "see `optiq strategies show` for the shape of orders",
        )


FAULTS = (
    "a row the panel does not have",
    "a monitor row",
    "no first leg",
    "a contract the panel does not have",
    "a side other than +1 or -1",
    "a ratio below 1",
    "a strength outside 0 to 100",
)


@njit(cache=True)
def _first_fault(
    row: IntArray,
    legs: IntArray,
    side: IntArray,
    ratio: IntArray,
    strength: FloatArray,
    is_chain: BoolArray,
    n_contracts: int,
) -> tuple[int, int]:
    """Return the place in `FAULTS` and the number of the first faulty order; (-1, -1) if none."""
    for i in range(len(row)):
        if row[i] < 0 or row[i] >= len(is_chain):
            return 0, i
        if not is_chain[row[i]]:
            return 1, i
        if legs[i, 0] == NO_LEG:
            return 2, i
        for k in range(MAX_LEGS):
            if legs[i, k] == NO_LEG:
                continue
            if legs[i, k] < 0 or legs[i, k] >= n_contracts:
                return 3, i
            if abs(side[i, k]) != 1:
                return 4, i
            if ratio[i, k] < 1:
                return 5, i
        if not 0.0 <= strength[i] <= 100.0:
            return 6, i
    return -1, -1


@njit(cache=True)
def _says_anything(field: FloatArray) -> bool:
    """Return whether a field (n_rows, n_contracts) has one value; it mostly has, early on."""
    for c in range(field.shape[1]):
        for r in range(field.shape[0]):
            if not math.isnan(field[r, c]):
                return True
    return False
