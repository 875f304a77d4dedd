"""What buying came to: the label of every contract that could have been bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from optiq.errors import InputError
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray, TimeArray
from optiq.run.backtest import Settings
from optiq.trade.book import PAISE, Records, Status, queue
from optiq.trade.charges import schedule
from optiq.trade.fills import WalkSettings
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.outcomes import outcomes
from optiq.trade.strategies import Strategy
from optiq.trade.tradability import Tradable, tradable

DEFAULT_RULE = "gamma_scalping"


@dataclass(frozen=True, slots=True)
class Labels:
    """The outcomes of one day's possible purchases, one lot alone, by row and column.

    Attributes
    ----------
    row, contract : (n,) int
        Row of the panel on which it was decided, a chain row, and column of the contract.
    net_pnl, r : (n,) float
        Rupees after charges, and the same in units of what the stop risks.
    entry_ts, label_end : (n,) datetime64[us]
        When it was filled, and when it had left: from then on the label is known.
    weight : (n,) float
        How much of its own time a label has to itself: 1 over the mean number of labels of its
        contract that are alive while it is (M. López de Prado, Advances in Financial Machine
        Learning, 2018, ch. 4).
    dropped
        How many purchases have no label, by reason: never filled, or still open at the last row.
    """

    row: IntArray
    contract: IntArray
    net_pnl: FloatArray
    r: FloatArray
    entry_ts: TimeArray
    label_end: TimeArray
    weight: FloatArray
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.row)


def exit_rule(strategy: Strategy) -> ExitRule:
    """Return the one exit rule of a strategy that buys single contracts.

    `InputError` for one without a target or stop of its own.
    """
    names = [field.name for field in fields(ExitRule)]
    given = {n: float(v) for n in names if (v := getattr(strategy.params, n, None)) is not None}
    if not isinstance(strategy.params, Tradable) or not {"target", "stop"} <= set(given):
        raise InputError(
            f"strategy {strategy.name!r} has no target and stop to label by",
            f"--rule {DEFAULT_RULE}, or another strategy that buys single contracts",
        )
    return ExitRule(**given)


def labels(panel: Panel, strategy: Strategy, settings: Settings) -> Labels:
    """Return the outcome of buying each tradable contract on each chain row of a day.

    Tradable by the strategy's band, premium, spread and life; its own conditions are not asked:
    they are what the scorer is to judge. The walk settings hold, but for ``lots``, which is 1.
    """
    orders = Orders.single(panel, tradable(panel, strategy.params), rule=exit_rule(strategy))
    rates = schedule(panel.underlying, panel.date, settings.broker).rates
    records = queue([orders])
    results = outcomes(panel, records, rates, _one_lot(settings))
    is_filled = results["status"] == Status.FILLED
    is_known = is_filled & ~results["position"]["stale"]
    kept = np.flatnonzero(is_known)
    position, asked = results["position"][kept], records[kept]
    row, contract = asked["row"].astype(np.int64), asked["legs"][:, 0].astype(np.int64)
    net_pnl = results["net_paise"][kept] / PAISE
    return Labels(
        row=row,
        contract=contract,
        net_pnl=net_pnl,
        r=net_pnl / _risk(panel, asked, position),
        entry_ts=panel.ts[position["entry_row"]],
        label_end=panel.ts[position["exit_row"]],
        weight=uniqueness(row, position["exit_row"], contract, panel),
        dropped={
            "never filled": int(np.count_nonzero(~is_filled)),
            "open at the last row": int(np.count_nonzero(is_filled & ~is_known)),
        },
    )


def uniqueness(row: IntArray, exit_row: IntArray, contract: IntArray, panel: Panel) -> FloatArray:
    """Return (n,) 1 over the mean concurrency of labels that live from ``row`` to ``exit_row``."""
    alive = np.zeros((panel.n_contracts, panel.n_rows + 1))
    np.add.at(alive, (contract, row), 1.0)
    np.add.at(alive, (contract, exit_row + 1), -1.0)
    until = np.zeros((panel.n_contracts, panel.n_rows + 2))
    until[:, 1:] = np.cumsum(np.cumsum(alive, axis=1), axis=1)
    rows = exit_row + 1 - row
    mean: FloatArray = (until[contract, exit_row + 1] - until[contract, row]) / rows
    return 1.0 / mean


def _one_lot(settings: Settings) -> WalkSettings:
    return replace(settings.walk, lots=1)


def _risk(panel: Panel, orders: Records, position: Records) -> FloatArray:
    """Return (n,) the rupees that the stop risks on one lot of what was bought."""
    premium = position["entry_paise"][:, 0] / PAISE * panel.lot[orders["legs"][:, 0]]
    stop = np.where(np.isnan(orders["stop"]), 1.0, orders["stop"])
    risk: FloatArray = stop * premium
    return risk
