"""The simulated contracts of one session, by the dated rules of the real ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from optiq.market import calendar, contracts
from optiq.market.schema import CE, PE, BoolArray, FloatArray, IntArray, TimeArray
from optiq.market.simulated_interest import ContractKey
from optiq.market.simulated_settings import Simulation

PAIRS = slice(None, None, 2)
"""Picks the calls; the put of a strike follows its call."""


@dataclass(frozen=True)
class Chain:
    """What is quoted in a session, in the order of the store: expiry, strike, CE before PE.

    Attributes
    ----------
    expiries : (n_expiries,) datetime64[D]
    closes : (n_expiries,) datetime64[us]
        When each stops trading.
    sessions_left : (n_expiries,) int
        Sessions after this one up to the expiry; 0 on expiry day.
    expiry_index, strike, right, lot : (n_contracts,)
    step
        Between strikes, in rupees.
    """

    expiries: TimeArray
    closes: TimeArray
    sessions_left: IntArray
    expiry_index: IntArray
    strike: FloatArray
    right: IntArray
    lot: FloatArray
    step: float

    @property
    def expiry(self) -> TimeArray:
        """Expiry of each contract."""
        expiry: TimeArray = self.expiries[self.expiry_index]
        return expiry

    @property
    def is_nearest(self) -> BoolArray:
        """Whether a contract is of the nearest expiry."""
        nearest: BoolArray = self.expiry_index == 0
        return nearest

    @property
    def keys(self) -> list[ContractKey]:
        """What names each contract from session to session."""
        return list(
            zip(self.expiry.tolist(), self.strike.tolist(), self.right.tolist(), strict=True)
        )


def list_chain(simulation: Simulation, date: dt.date, level: float) -> Chain:
    """Return the contracts around the opening level."""
    underlying, count = simulation.underlying, simulation.expiries
    expiries = contracts.expiries_after(underlying, date, count)
    dates = np.array(expiries, "datetime64[D]")
    step = float(contracts.usual_strike_step(underlying, date)["step"])
    each_side = np.arange(-simulation.strikes_each_side, simulation.strikes_each_side + 1)
    strikes = step * (np.round(level / step) + each_side)
    index = np.repeat(np.arange(count), 2 * len(strikes))
    return Chain(
        expiries=dates,
        closes=contracts.expiry_close_utc(dates, underlying),
        sessions_left=np.array([_sessions_after(date, e, underlying) for e in expiries]),
        expiry_index=index,
        strike=np.tile(np.repeat(strikes, 2), count),
        right=np.tile(np.array([CE, PE], np.int64), count * len(strikes)),
        lot=contracts.lot_sizes(underlying, dates, date).astype(np.float64)[index],
        step=step,
    )


def _sessions_after(date: dt.date, expiry: dt.date, underlying: str) -> int:
    following = date + calendar.ONE_DAY
    return len(calendar.sessions_between(following, expiry, underlying, with_muhurat=False))
