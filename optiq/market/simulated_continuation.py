"""One contract's quotes, drawn on from a row of a simulated session as often as asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from optiq.errors import InputError
from optiq.market import simulated_quotes as quotes
from optiq.market import simulated_surface as surface
from optiq.market.schema import CE, FloatArray, IntArray
from optiq.market.simulated_chain import Chain, list_chain
from optiq.market.simulated_futures import Futures, futures
from optiq.market.simulated_index import IndexDay, options_of
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import SpotPath
from optiq.market.simulated_tape import LEAST_DEVIATION, by_right, pulse


@dataclass(frozen=True)
class Continuation:
    """A contract from one row to the close in many futures.

    Attributes
    ----------
    day, row
        Of which session and from which of its rows.
    lot
        Units in a lot.
    bid, ask, ltp : (n_rows - row, n_futures)
        Rupees; NaN where missing. The first row is the deciding one, quoted anew.
    """

    day: IndexDay
    row: int
    lot: int
    bid: FloatArray
    ask: FloatArray
    ltp: FloatArray


def contract_at(chain: Chain, expiry: dt.date, strike: float, right: int) -> int:
    """Return the place of a contract in the chain."""
    key = (expiry, strike, right)
    if key in chain.keys:
        return chain.keys.index(key)
    side = "CE" if right == CE else "PE"
    raise InputError(f"no {expiry} {strike:g} {side} was listed", "ask about a quoted contract")


def continuation(
    simulation: Simulation,
    day: IndexDay,
    contract: tuple[dt.date, float, int],
    row: int,
    n: int,
    rng: np.random.Generator,
) -> Continuation:
    """Return ``n`` futures of a contract (expiry, strike, right) after ``row``.

    Index, volatility, book and tape are drawn anew by their laws. What plants show without its
    having a price stays as it was drawn: marks of skew of later blocks, and activity.
    """
    chain = list_chain(simulation, day.session.date, day.path.opening)
    place = contract_at(chain, *contract)
    law, lag = simulation.laws.spot, simulation.horizon_rows
    drawn = futures(day, law, lag, row, len(day.ts), n, rng)
    stray = day.plan.volatility_futures(row, n, rng)
    paths = [_path(day.path, row, drawn, k) for k in range(n)]
    surfaces = [
        options_of(simulation, day, path, chain, None if stray is None else stray[k])
        for k, path in enumerate(paths)
    ]
    worth, depth = _worth(_joined(surfaces, chain.expiry_index[place], row), chain, place)
    awake = np.stack([pulse(path)[row:] for path in paths])
    book, ltp = _quoted(simulation, day, chain, place, row, (worth, depth, awake), rng)
    return Continuation(day, row, int(chain.lot[place]), book.bid.T, book.ask.T, ltp.T)


def _path(path: SpotPath, row: int, drawn: Futures, k: int) -> SpotPath:
    past = slice(None, row + 1)
    return replace(
        path,
        level=np.concatenate([path.level[past], drawn.level[k]]),
        log_volatility=np.concatenate([path.log_volatility[past], drawn.log_volatility[k]]),
        deviation=np.concatenate([path.deviation[past], drawn.deviation[k]]),
    )


def _joined(surfaces: list[surface.Surface], expiry: int, row: int) -> surface.Surface:
    """Return one expiry of each surface from ``row`` on, as if each were an expiry of its own."""
    names = ("forward", "variance", "smile", "skew")
    return surface.Surface(
        *(np.stack([getattr(one, name)[expiry, row:] for one in surfaces]) for name in names)
    )


def _worth(options: surface.Surface, chain: Chain, place: int) -> tuple[FloatArray, FloatArray]:
    """Return the contract's worth and how deep it is in the money, (n_futures, n_rows) each."""
    n = len(options.forward)
    every: IntArray = np.arange(n)
    strike, is_call = np.full(n, chain.strike[place]), chain.right[place] == CE
    distance = surface.distances(options, every, strike)
    call, put = surface.fair_prices(options, every, strike, distance)
    above = surface.distances(options, every, strike, least=LEAST_DEVIATION)
    return (call, -above) if is_call else (put, above)


def _quoted(
    simulation: Simulation,
    day: IndexDay,
    chain: Chain,
    place: int,
    row: int,
    priced: tuple[FloatArray, FloatArray, FloatArray],
    rng: np.random.Generator,
) -> tuple[quotes.Book, FloatArray]:
    """Return the book and the last prices, (n_futures, n_rows)."""
    worth, depth, awake = priced
    law, minutes, hour = simulation.laws.quotes, simulation.row_seconds / 60.0, day.hour[row:]
    n = len(worth)
    near = np.full(n, chain.is_nearest[place])
    busy = minutes * quotes.activity(depth, near, hour, law)
    if day.plan.activity is not None:
        leaning = 0.5 * day.plan.activity[row:]
        busy = busy * by_right(chain, -leaning, leaning)[place]
    lots = quotes.traded_lots(busy, awake, rng)
    lot, lively = np.full(n, chain.lot[place]), hour / day.hour.min()
    book = quotes.quote_book(worth, depth, lively, busy / minutes, lot, law, rng)
    return book, quotes.last_prices(worth, book, lots, law, rng)
