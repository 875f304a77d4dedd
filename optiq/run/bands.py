"""How many signals a tighter strike band loses, and how much scanning it saves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.store import Store
from optiq.run.stored import panels
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy
from optiq.trade.tradability import in_band


def compare_bands(
    store: Store,
    underlying: str,
    dates: list[dt.date],
    strategy: Strategy,
    wide: float,
    tight: float,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    """Return signals and scanned quotes of a strategy under two bands, over stored days."""
    if "band" not in {field.name for field in fields(strategy.params)}:
        raise InputError(f"{strategy.name!r} has no parameter `band`", "name another strategy")
    if not 0 < tight < wide:
        raise InputError(f"bands {wide:g} and {tight:g}", "give the wider one first, as 0.08 0.05")
    asked = [
        replace(strategy, params=replace(strategy.params, band=band)) for band in (wide, tight)
    ]
    kept = lost = 0
    scanned = np.zeros(2, np.int64)
    for panel, context in panels(store, underlying, dates, ("ltp", "bid", "ask")):
        wide_keys, tight_keys = (_keys(s.entries(panel, context)) for s in asked)
        kept += len(wide_keys & tight_keys)
        lost += len(wide_keys - tight_keys)
        quoted = panel.observed & panel.is_chain[:, None]
        scanned += [int((quoted & in_band(panel, band)).sum()) for band in (wide, tight)]
        advance(1)
    return {
        "strategy": strategy.name,
        "underlying": underlying,
        "days": len(dates),
        "wide": wide,
        "tight": tight,
        "signals_wide": kept + lost,
        "signals_kept": kept,
        "signals_lost": lost,
        "quotes_scanned_wide": int(scanned[0]),
        "quotes_scanned_tight": int(scanned[1]),
        "quotes_saved": int(scanned[0] - scanned[1]),
    }


def _keys(orders: Orders) -> set[tuple[int, int]]:
    return set(zip(orders.row.tolist(), orders.legs[:, 0].tolist(), strict=True))
