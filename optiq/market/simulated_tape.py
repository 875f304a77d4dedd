"""Everything that is quoted in a simulated session, as the recorder of a chain would have it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from optiq.market import simulated_interest as interest
from optiq.market import simulated_quotes as quotes
from optiq.market import simulated_surface as surface
from optiq.market.plant_effect import Seeds
from optiq.market.schema import (
    CE,
    TICK_RUPEES,
    AnyArray,
    BoolArray,
    FloatArray,
    IntArray,
    TimeArray,
)
from optiq.market.simulated_chain import PAIRS, Chain
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import SpotPath

LEAST_DEVIATION = 0.006
"""Of the log of the index: in the last hours of an expiry its chain trades as wide as before."""


def quoted_fields(
    simulation: Simulation,
    chain: Chain,
    options: surface.Surface,
    path: SpotPath,
    hour: FloatArray,
    leaning: FloatArray | None,
    seeds: Seeds,
) -> dict[str, FloatArray]:
    """Return prices, sizes and volume, (n_contracts, n_rows) each.

    ``hour`` (n_rows,) is how lively it is, ``leaning`` (n_rows,) the log of puts over calls added.
    """
    law = simulation.laws.quotes
    worth = _worth(chain, options)
    depth = _depth(chain, options)
    minutes = simulation.row_seconds / 60.0
    busy = minutes * quotes.activity(depth, chain.is_nearest, hour, law)
    busy = busy if leaning is None else busy * by_right(chain, -0.5 * leaning, 0.5 * leaning)
    lots = quotes.traded_lots(busy, pulse(path), seeds("trades"))
    book = quotes.quote_book(
        worth, depth, hour / hour.min(), busy / minutes, chain.lot, law, seeds("book")
    )
    return {
        "ltp": quotes.last_prices(worth, book, lots, law, seeds("tape")),
        "bid": book.bid,
        "ask": book.ask,
        "bid_qty": book.bid_qty,
        "ask_qty": book.ask_qty,
        "volume": np.cumsum(lots, axis=1) * chain.lot[:, None],
    }


def _worth(chain: Chain, options: surface.Surface) -> FloatArray:
    index, strike = chain.expiry_index[PAIRS], chain.strike[PAIRS]
    distance = surface.distances(options, index, strike)
    return _interleave(*surface.fair_prices(options, index, strike, distance))


def _depth(chain: Chain, options: surface.Surface) -> FloatArray:
    """Return how many deviations each contract lies in the money."""
    index, strike = chain.expiry_index[PAIRS], chain.strike[PAIRS]
    above = surface.distances(options, index, strike, least=LEAST_DEVIATION)
    return _interleave(-above, above)


def _interleave(call: FloatArray, put: FloatArray) -> FloatArray:
    both: FloatArray = np.stack([call, put], axis=1).reshape(-1, call.shape[1])
    return both


def pulse(path: SpotPath) -> FloatArray:
    """Return how busy each row is for how far the index moved in it; about 1 on average."""
    moved = np.abs(np.diff(np.log(path.level), prepend=math.log(path.opening)))
    return np.minimum(0.6 + 0.5 * moved / path.deviation, 4.0)


def open_interest(
    simulation: Simulation,
    chain: Chain,
    options: surface.Surface,
    volume: FloatArray,
    carried: Mapping[interest.ContractKey, float],
    added: tuple[FloatArray, FloatArray] | None,
    seeds: Seeds,
) -> tuple[FloatArray, FloatArray]:
    """Return each contract's lots at the last close (n_contracts,) and in every row.

    ``added`` (n_rows,) to the log of the calls' and of the puts'.
    """
    law = simulation.laws.interest
    left: IntArray = chain.sessions_left[chain.expiry_index]
    depth = _depth(chain, options)[:, 0]
    usual = interest.usual_lots(depth, chain.strike, chain.step, chain.is_nearest, left, law)
    before = interest.before_the_open(chain.keys, carried, usual, seeds("interest before"))
    so_far = (volume / chain.lot[:, None]).sum(axis=0)
    share = so_far / max(so_far[-1], 1.0)
    lots = interest.session_interest(before, usual, left == 0, share, law, seeds("interest"))
    return before, lots if added is None else np.round(lots * by_right(chain, *added))


def by_right(chain: Chain, calls: FloatArray, puts: FloatArray) -> FloatArray:
    """Return factors (n_contracts, n_rows) whose logs are those of each one's right."""
    factor: FloatArray = np.exp(np.where(chain.right[:, None] == CE, calls, puts))
    return factor


def interest_fields(chain: Chain, before: FloatArray, lots: FloatArray) -> dict[str, FloatArray]:
    """Return open interest and its change since the last close, in units."""
    lot = chain.lot[:, None]
    return {"oi": lots * lot, "oi_change": (lots - before[:, None]) * lot}


def as_columns(
    chain: Chain,
    ts: TimeArray,
    level: FloatArray,
    fields: Mapping[str, FloatArray],
    kept: BoolArray,
    missing: BoolArray,
) -> dict[str, AnyArray]:
    """Return the quotes as columns of the store, sorted; a quote with no price in it is absent.

    ``kept`` (n_rows,) are the recorded snapshots, ``missing`` the quotes they lack all the same.
    """
    empty = np.isnan(fields["ltp"]) & np.isnan(fields["bid"]) & np.isnan(fields["ask"])
    cells = ~empty & ~missing & kept
    quotes_each = cells.sum(axis=1)
    return {
        "expiry": np.repeat(chain.expiry, quotes_each),
        "strike": np.repeat(chain.strike, quotes_each),
        "right": np.repeat(chain.right.astype(np.int8), quotes_each),
        "ts": np.broadcast_to(ts, cells.shape)[cells],
        **{name: values[cells] for name, values in fields.items()},
        "spot": np.broadcast_to(published(level), cells.shape)[cells],
    }


def published(level: FloatArray) -> FloatArray:
    """Return the index as exchanges print it, to 0.05."""
    return quotes.on_grid(np.round(level / TICK_RUPEES))
