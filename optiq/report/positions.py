"""Whole trades out of a run's legs: one element each, money in whole paise."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from optiq.errors import DamagedError
from optiq.market.panel import minute_of_day
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray, TimeArray
from optiq.run.recorded import session_days, to_paise
from optiq.trade.ledger import Columns


@dataclass(frozen=True, slots=True)
class Positions:
    """The trades of a run in the order of its file, each of one to four legs.

    Attributes
    ----------
    trade_id, strategy, reason : (n,) object
    decided, entry, exit_decided, exit : (n,) datetime64[us]
        UTC.
    expiry : (n,) datetime64[D]
        The earliest of its legs.
    stale : (n,) bool
        Whether it left without an executable quote.
    gross, charges, net : (n,) int64
        Paise, summed over the legs.
    first_leg : (n + 1,) int64
        Trade i has the rows ``first_leg[i]`` to ``first_leg[i + 1]`` of the file.
    """

    trade_id: AnyArray
    strategy: AnyArray
    reason: AnyArray
    decided: TimeArray
    entry: TimeArray
    exit_decided: TimeArray
    exit: TimeArray
    expiry: TimeArray
    stale: BoolArray
    gross: IntArray
    charges: IntArray
    net: IntArray
    first_leg: IntArray

    def __len__(self) -> int:
        return len(self.trade_id)

    @property
    def day(self) -> TimeArray:
        """The day in India on which each was entered; none is held overnight."""
        return session_days(self.entry)

    @property
    def dates(self) -> list[dt.date]:
        """The days with a trade, ascending."""
        dates: list[dt.date] = np.unique(self.day).tolist()
        return dates

    @property
    def entry_minute(self) -> FloatArray:
        """IST minute of the day of each entry."""
        return minute_of_day(self.entry)

    @property
    def exit_minute(self) -> FloatArray:
        """IST minute of the day of each exit."""
        return minute_of_day(self.exit)

    def largest(self, limit: int, among: BoolArray | None = None) -> IntArray:
        """Return the trades of the largest gains and losses, at most ``limit``, in file order."""
        chosen = np.arange(len(self)) if among is None else np.flatnonzero(among)
        by_size = chosen[np.argsort(-np.abs(self.net[chosen]), kind="stable")]
        return np.sort(by_size[:limit])


def positions_of(trades: Columns) -> Positions:
    """Return the trades whose legs lie one after the other in a run's file."""
    ids = trades["trade_id"]
    is_new = np.ones(len(ids), np.bool_)
    is_new[1:] = ids[1:] != ids[:-1]
    start = np.flatnonzero(is_new)
    if len(set(ids.tolist())) != len(start):
        raise DamagedError("trades.parquet: the legs of a trade do not lie together", "run it anew")
    return Positions(
        trade_id=ids[start],
        strategy=trades["strategy"][start],
        reason=trades["exit_reason"][start],
        decided=trades["decided_ts"][start],
        entry=trades["entry_ts"][start],
        exit_decided=trades["exit_decided_ts"][start],
        exit=trades["exit_ts"][start],
        expiry=np.minimum.reduceat(trades["expiry"], start) if len(start) else trades["expiry"],
        stale=trades["stale_exit"][start].astype(np.bool_),
        gross=np.add.reduceat(to_paise(trades["gross_pnl"]), start),
        charges=np.add.reduceat(to_paise(trades["charges"]), start),
        net=np.add.reduceat(to_paise(trades["net_pnl"]), start),
        first_leg=np.append(start, len(ids)),
    )
