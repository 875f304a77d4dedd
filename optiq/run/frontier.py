"""How an edge is eaten: from the middle of the book, by spread and charges, down to the net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.market.schema import TICK_RUPEES, AnyArray
from optiq.trade.book import PAISE
from optiq.trade.charges import LINES
from optiq.trade.fill_quality import HALF_PAISE
from optiq.trade.ledger import Columns


@dataclass(slots=True)
class Frontier:
    """Exact sums over the fills of a run.

    Attributes
    ----------
    lost_half_paise
        What all fills lost against the middle of the book.
    units
        Bought and sold, both ways; a leg given up at 0.00 was not sold.
    without_middle
        Fills whose row had no middle, such as stale exits without a quote: they count as made at
        the middle, so what they lost is missing from the half spreads and from the edge alike.
    """

    lost_half_paise: int = 0
    units: int = 0
    without_middle: int = 0

    def add(self, fills: Columns) -> None:
        """Count the fills of one day."""
        quantity = fills["quantity"]
        for end in ("entry", "exit"):
            lost = fills[f"{end}_half_spread"]
            known = ~np.isnan(lost)
            half_paise = np.rint(lost[known] * HALF_PAISE).astype(np.int64) * quantity[known]
            self.lost_half_paise += int(half_paise.sum())
            self.without_middle += int((~known).sum())
            self.units += int(quantity[fills[f"{end}_price"] > 0].sum())

    def result(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return the frontier of a run in rupees: ``edge - half_spread - charges = net``.

        ``slippage_ticks_to_zero`` is how many ticks more, on every fill, bring the net to zero;
        linear, charges as they are. Negative: how many ticks better each fill would have to be.
        NaN without a fill.
        """
        net, gross = (round(summary[name] * PAISE) for name in ("net_pnl", "gross_pnl"))
        a_tick = TICK_RUPEES * self.units
        return {
            "edge": (2 * gross + self.lost_half_paise) / HALF_PAISE,
            "half_spread": self.lost_half_paise / HALF_PAISE,
            **{name: summary["charge_lines"][name] for name in LINES},
            "charges": summary["charges"],
            "net": net / PAISE,
            "units": self.units,
            "slippage_ticks_to_zero": net / PAISE / a_tick if self.units else np.nan,
            "fills_without_middle": self.without_middle,
        }


def time_in_market_us(entry_ts: AnyArray, exit_ts: AnyArray) -> int:
    """Return the microseconds of one day with at least one position open.

    >>> minutes = np.array([0, 5, 20], "datetime64[m]")
    >>> time_in_market_us(minutes, minutes + 10) / 60e6  # 0 to 15 and 20 to 30
    25.0
    """
    start, end = (ts.astype("datetime64[us]").astype(np.int64) for ts in (entry_ts, exit_ts))
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    start[1:] = np.maximum(start[1:], end[:-1])
    return int(np.maximum(end - start, 0).sum())
