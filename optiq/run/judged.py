"""A booked trade with its verdict, and a whole ledger of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.run.ledger_clock import Reading
from optiq.run.ledger_faults import NAMES, Fault, contract_name
from optiq.run.ledger_money import to_paise
from optiq.run.old_ledger import Booked, OldLedger
from optiq.trade.book import PAISE

NO_FILL = "no_fill"
"""Why a trade without a fault has no true price: nothing to fill on within ``walk.max_wait_s``."""
NO_RULE = "no_rule"
"""Why it has none though it would fill: no dated charges, or a quantity no order can have."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A booked trade and the true one; rupees, NaN where ``unpriced`` says why there is none.

    ``reading`` is the clock of its naive times.
    """

    booked: Booked
    reading: Reading
    entry_utc: np.datetime64
    exit_utc: np.datetime64
    entry_price: float
    exit_price: float
    charges: float
    gross_pnl: float
    net_pnl: float
    faults: tuple[Fault, ...]
    unpriced: str

    @property
    def booked_gross(self) -> float:
        """What the ledger says it made before charges; from its prices where it does not say."""
        trade = self.booked
        return trade.price_gain if np.isnan(trade.gross_pnl) else trade.gross_pnl

    @property
    def booked_net(self) -> float:
        """What the ledger says it made; gross less charges where it does not say."""
        if not np.isnan(self.booked.net_pnl):
            return self.booked.net_pnl
        charges = self.booked.charges
        return self.booked_gross - (0.0 if np.isnan(charges) else charges)

    @property
    def flattered_by(self) -> float:
        """Rupees by which the ledger makes it look better than it was, to the paisa."""
        if self.unpriced:
            return np.nan
        return (to_paise(self.booked_net) - to_paise(self.net_pnl)) / PAISE


@dataclass(frozen=True)
class Repriced:
    """A whole ledger, judged; ``clock`` is the one most of its naive times are written in."""

    ledger: OldLedger
    clock: Reading
    trades: tuple[Judged, ...]

    def counts(self) -> dict[str, int]:
        """Return how many trades have each fault, in the order of the faults."""
        names = [fault.name for trade in self.trades for fault in trade.faults]
        return {name: names.count(name) for name in NAMES if name in names}

    def unpriced(self) -> dict[str, int]:
        """Return how many trades have no true price, by the reason."""
        reasons = [trade.unpriced for trade in self.trades if trade.unpriced]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}

    def totals(self) -> dict[str, dict[str, float]]:
        """Return gross, charges and net as booked and in truth, over the trades with a price."""
        priced = [trade for trade in self.trades if not trade.unpriced]
        return {
            "booked": {
                "gross_pnl": _sum(trade.booked_gross for trade in priced),
                "charges": _sum(trade.booked.charges for trade in priced),
                "net_pnl": _sum(trade.booked_net for trade in priced),
                "wins": sum(trade.booked_net > 0 for trade in priced),
            },
            "true": {
                "gross_pnl": _sum(trade.gross_pnl for trade in priced),
                "charges": _sum(trade.charges for trade in priced),
                "net_pnl": _sum(trade.net_pnl for trade in priced),
                "wins": sum(trade.net_pnl > 0 for trade in priced),
            },
        }

    def worst(self) -> list[Judged]:
        """Return the trades, those furthest from the truth first, unpriced ones last."""
        by_distance = {
            number: np.inf if trade.unpriced else -abs(trade.flattered_by)
            for number, trade in enumerate(self.trades)
        }
        return [self.trades[number] for number in sorted(by_distance, key=by_distance.__getitem__)]


def _sum(rupees: Iterator[float]) -> float:
    """Return a sum exact to the paisa; what is not booked counts nothing."""
    return sum(to_paise(amount) for amount in rupees if not np.isnan(amount)) / PAISE


def as_result(judged: Judged) -> dict[str, Any]:
    """Return one trade as a program reads it; rupees, times UTC."""
    trade = judged.booked
    return {
        "trade_id": trade.trade_id,
        "contract": contract_name(trade),
        "strategy": trade.strategy,
        "side": "buy" if trade.side > 0 else "sell",
        "quantity": trade.quantity,
        "booked_entry_time": trade.entry.text,
        "booked_exit_time": trade.exit.text,
        "read_as": judged.reading,
        "entry_ts": judged.entry_utc,
        "exit_ts": judged.exit_utc,
        "booked_entry_price": trade.entry_price,
        "true_entry_price": judged.entry_price,
        "booked_exit_price": trade.exit_price,
        "true_exit_price": judged.exit_price,
        "booked_gross_pnl": judged.booked_gross,
        "true_gross_pnl": judged.gross_pnl,
        "booked_charges": trade.charges,
        "true_charges": judged.charges,
        "booked_net_pnl": judged.booked_net,
        "true_net_pnl": judged.net_pnl,
        "flattered_by": judged.flattered_by,
        "unpriced": judged.unpriced or None,
        "faults": {fault.name: fault.evidence for fault in judged.faults},
    }
