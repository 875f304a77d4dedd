"""The strategies that come with optiq, one file each, and what makes a module a strategy.

A strategy is a module with a frozen dataclass ``Params``, a function
``entries(panel, context, params) -> Orders`` and, if it likes, ``NEEDS``: the panel fields
without which it stays silent. A function ``silent_because(panel, context, params) -> str | None``
says in a few words why a day gets no orders at all, such as too short a history. It may go by the
context, by which fields the day has and by rows already past for good; orders would be none anyway.

A function ``lookback_minutes(params) -> float`` promises that what is said of a row depends on no
older rows, but for what ``panel.so_far`` tells of the session. On paper such a strategy is shown
the last rows only, so that a decision takes as long in the afternoon as in the morning; without
that promise it is shown the whole day so far. `optiq strategies check` holds it to its word.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.limits import StrategyLimits
from optiq.trade.order_checks import check_orders
from optiq.trade.orders import Orders
from optiq.trade.user_code import USER_CODE_ERRORS, check_module, failed

BUILT_IN = (
    "gamma_scalping",
    "institutional_oi",
    "quantum_edge",
    "opening_range",
    "vwap_deviation",
    "iv_rank",
    "oi_buildup",
    "pcr_reversal",
)

NO_LIMITS = StrategyLimits()


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy's name, its rule, the parameters it runs with and the limits of its own.

    ``source`` is the path of a user's file, empty for a strategy that is found by its name.
    """

    name: str
    rule: Callable[[Panel, Context, Any], Orders]
    params_type: type[Any]
    params: Any
    needs: tuple[str, ...]
    about: str
    limits: StrategyLimits = NO_LIMITS
    source: str = ""
    silent_because: Callable[[Panel, Context, Any], str | None] | None = None
    lookback_minutes: Callable[[Any], float] | None = None

    def entries(self, panel: Panel, context: Context) -> Orders:
        """Return the checked orders of a panel by row; none where the strategy stays silent."""
        if self.silence(panel, context) is not None:
            return Orders.empty()
        orders: Orders = self._ask(self.rule, panel, context)
        check_orders(self.name, orders, panel)
        return orders.by_row()

    def shown_from(self, panel: Panel, row: int) -> int:
        """Return the first row that is needed to be asked about ``row`` and those after it."""
        limit = self.lookback_minutes
        if limit is None:
            return 0
        minutes = self._ask(lambda _panel, _context, params: limit(params), panel, Context())
        if not (isinstance(minutes, int | float) and 0.0 <= minutes < math.inf):
            raise StrategyError(
                f"strategy {self.name!r}: lookback_minutes returned {minutes!r}",
                "return minutes, 0 or more; leave it out where there is no limit",
            )
        oldest = panel.ts[row] - np.timedelta64(math.ceil(60e6 * minutes), "us")
        return int(np.searchsorted(panel.ts, oldest))

    def silence(self, panel: Panel, context: Context) -> str | None:
        """Return in a few words why the day gets no orders; None where it may get some."""
        if missing := self.missing(panel):
            return f"the day has no {', '.join(missing)}"
        if self.silent_because is None:
            return None
        reason = self._ask(self.silent_because, panel, context)
        if not isinstance(reason, str | None):
            raise StrategyError(
                f"strategy {self.name!r}: silent_because returned {reason!r}",
                "return a few words, or None where nothing keeps it silent",
            )
        return reason

    def _ask(self, function: Callable[..., Any], panel: Panel, context: Context) -> Any:
        try:
            return function(panel, context, self.params)
        except USER_CODE_ERRORS as error:
            raise failed(self.name, function, panel, error) from error

    def missing(self, panel: Panel) -> tuple[str, ...]:
        """Return the needed fields that the whole day lacks."""
        return tuple(name for name in self.needs if panel.said_from(name) == panel.n_rows)


def built_in(name: str, params: Any = None) -> Strategy:
    """Return one of the strategies that come with optiq; default parameters unless given."""
    if name not in BUILT_IN:
        raise StrategyError(
            f"no strategy named {name!r}", f"one of {', '.join(BUILT_IN)}, or a path to a .py file"
        )
    return from_module(name, importlib.import_module(f"{__name__}.{name}"), params)


def from_module(name: str, module: ModuleType, params: Any = None) -> Strategy:
    """Return the strategy a module holds; an error that names it where it holds none."""
    check_module(name, module)
    params_type = module.Params
    return Strategy(
        name=name,
        rule=module.entries,
        params_type=params_type,
        params=params_type() if params is None else params,
        needs=tuple(getattr(module, "NEEDS", ())),
        about=(module.__doc__ or "").strip(),
        silent_because=getattr(module, "silent_because", None),
        lookback_minutes=getattr(module, "lookback_minutes", None),
    )
