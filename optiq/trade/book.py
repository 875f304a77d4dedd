"""What the walk holds: the orders asked for, the positions they became, and the day so far.

All of it is plain numpy records, so that the state of a day can be compared byte for byte.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.read_only import read_only
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.charges import Rates
from optiq.trade.margin import MarginRates
from optiq.trade.orders import MAX_LEGS, Orders

Records = NDArray[Any]
PAISE = 100
MICROSECONDS_PER_MINUTE = 60_000_000


class Status(IntEnum):
    """What became of an order; the names are those of ``decisions.parquet``."""

    NOT_REACHED = 0
    PENDING = 1
    FILLED = 2
    EXPIRED = 3
    DAY_OVER = 4
    HOURS = 5
    MIN_SCORE = 6
    MAX_OPEN = 7
    SAME_CONTRACT = 8
    COOLDOWN = 9
    MAX_TRADES = 10
    CAPITAL = 11
    THIN_BASIS = 12
    SIZE = 13
    STRATEGY_DAY_OVER = 14
    STRATEGY_MAX_OPEN = 15
    STRATEGY_COOLDOWN = 16
    STRATEGY_MAX_TRADES = 17
    STRATEGY_CAPITAL = 18


class Stage(IntEnum):
    """Where a position stands between its order and its exit."""

    PENDING = 0
    OPEN = 1
    LEAVING = 2


ORDER = np.dtype(
    [
        ("row", "i4"),
        ("strategy", "i4"),
        ("index", "i4"),
        ("legs", "i4", (MAX_LEGS,)),
        ("side", "i4", (MAX_LEGS,)),
        ("ratio", "i4", (MAX_LEGS,)),
        ("rank", "f8"),
        ("score", "f8"),
        ("target", "f8"),
        ("stop", "f8"),
        ("trail_after", "f8"),
        ("trail", "f8"),
        ("max_hold_minutes", "f8"),
    ],
    align=True,
)
"""One order: ``rank`` is the score where there is a scorer, else the strength."""

POSITION = np.dtype(
    [
        ("order", "i8"),
        ("stage", "i8"),
        ("reason", "i8"),
        ("stale", "?"),
        ("lots", "i8"),
        ("entry_row", "i8"),
        ("exit_decided_row", "i8"),
        ("exit_row", "i8"),
        ("entry_paise", "i8", (MAX_LEGS,)),
        ("exit_paise", "i8", (MAX_LEGS,)),
        ("charges_paise", "i8", (MAX_LEGS,)),
        ("mark", "f8", (MAX_LEGS,)),
        ("held", "f8"),
        ("basis", "f8"),
        ("gain", "f8"),
        ("peak", "f8"),
        ("open_pnl", "f8"),
        ("askable", "?"),
    ],
    align=True,
)
"""One pending order or position. ``mark`` is each leg's last, ``gain`` the last g of the package,
``open_pnl`` its last known profit in rupees, ``askable`` whether prices may close it at this row,
``lots`` its size, ``held`` the capital it binds."""

DAY = np.dtype(
    [
        ("rows", "i8"),
        ("next_order", "i8"),
        ("n_active", "i8"),
        ("n_closed", "i8"),
        ("accepted", "i8"),
        ("realised_paise", "i8"),
        ("over", "?"),
        ("spot", "f8"),
    ],
    align=True,
)

OWN_DAY = np.dtype(
    [("accepted", "i8"), ("realised_paise", "i8"), ("last_exit_row", "i8"), ("over", "?")],
    align=True,
)
"""The day so far of one strategy; ``last_exit_row`` is -1 before its first exit."""


class Quotes(NamedTuple):
    """What the walk reads of a panel, as the compiled code wants it.

    Times are microseconds since 1970 UTC, ``expiry`` days since 1970; the price arrays are
    (n_rows, n_contracts) in Fortran order. ``chain_count[r]`` is the number of chain rows up to r.
    """

    ts: IntArray
    known: IntArray
    is_chain: BoolArray
    chain_count: IntArray
    spot: FloatArray
    ltp: FloatArray
    bid: FloatArray
    ask: FloatArray
    strike: FloatArray
    right: IntArray
    expiry: IntArray
    lot: IntArray
    has_book: bool

    @classmethod
    def frozen(cls, **arrays: Any) -> Quotes:
        """Return quotes whose arrays are all read-only; mixtures would each be compiled anew."""
        has_book = arrays.pop("has_book")
        return cls(**{n: read_only(values) for n, values in arrays.items()}, has_book=has_book)


class Rules(NamedTuple):
    """What the exchange says of the day's contracts.

    ``freeze`` (n_contracts,) is the most units one order may have, a multiple of the contract's
    lot; `NO_FREEZE` where no row says. ``margin`` prices sold legs.
    """

    freeze: IntArray
    margin: MarginRates


NO_FREEZE = 2**62


class Risk(NamedTuple):
    """What the margin of sold legs reads of a panel; without rows where no limit asks for it.

    ``forward`` and ``volatility`` (n_rows, n_contracts), ``expiry_close_us`` and
    ``expires_today`` (n_contracts,).
    """

    forward: FloatArray
    volatility: FloatArray
    expiry_close_us: IntArray
    expires_today: BoolArray


class Given(NamedTuple):
    """What a walk is given: it changes none of it.

    ``orders`` are ORDER records sorted by row, ``terms`` one TERMS record, ``own`` an OWN_TERMS
    record a strategy.
    """

    quotes: Quotes
    orders: Records
    terms: Records
    own: Records
    rates: Rates
    rules: Rules
    risk: Risk


class Book(NamedTuple):
    """The explicit state of one day's walk.

    Attributes
    ----------
    day : (1,) DAY
        Counters and the realised profit.
    active : POSITION
        Pending and open positions in order of decision; the first ``day.n_active`` count.
    closed : POSITION
        In order of exit; the first ``day.n_closed`` count.
    status : (n_orders,) int8
        A :class:`Status` per order.
    own : (n_strategies,) OWN_DAY
        Each strategy's share of the day.
    """

    day: Records
    active: Records
    closed: Records
    status: NDArray[np.int8]
    own: Records

    @classmethod
    def opened(cls, n_orders: int, max_open: int, max_trades: int, n_strategies: int) -> Book:
        """Return the empty book of a morning with room for ``n_orders`` orders."""
        day = np.zeros(1, DAY)
        day["spot"] = np.nan
        own = np.zeros(n_strategies, OWN_DAY)
        own["last_exit_row"] = -1
        return cls(
            day=day,
            active=np.zeros(min(max_open, n_orders), POSITION),
            closed=np.zeros(min(max_trades, n_orders), POSITION),
            status=np.zeros(n_orders, np.int8),
            own=own,
        )


@compiled
def units(position: Any, order: Any, leg: int, given: Given) -> int:
    """Return the quantity of one leg of a position, in units."""
    quantity: int = position.lots * order.ratio[leg] * given.quotes.lot[order.legs[leg]]
    return quantity


def quotes_of(panel: Panel) -> Quotes:
    """Return the arrays of a panel the walk reads; without a book ``ltp`` stands in, unread."""
    ltp = np.asfortranarray(panel.ltp)
    return Quotes.frozen(
        ts=panel.ts.astype("datetime64[us]").astype(np.int64),
        known=panel.known.astype("datetime64[us]").astype(np.int64),
        is_chain=panel.is_chain,
        chain_count=np.cumsum(panel.is_chain),
        spot=np.ascontiguousarray(panel.spot, np.float64),
        ltp=ltp,
        bid=np.asfortranarray(panel.bid) if panel.has_book else ltp,
        ask=np.asfortranarray(panel.ask) if panel.has_book else ltp,
        strike=np.ascontiguousarray(panel.strike, np.float64),
        right=np.ascontiguousarray(panel.right, np.int64),
        expiry=panel.expiry.astype("datetime64[D]").astype(np.int64),
        lot=np.ascontiguousarray(panel.lot, np.int64),
        has_book=panel.has_book,
    )


def queue(asked: list[Orders], scores: list[FloatArray] | None = None) -> Records:
    """Return the orders of several strategies as one ORDER array, sorted by row.

    Within a row they stand by the strategy's place in ``asked``, then by their own index.
    ``scores`` has one (n,) array a strategy, NaN where the scorer cannot say.
    """
    records = np.empty(sum(map(len, asked)), ORDER)
    start = 0
    for place, orders in enumerate(asked):
        part = records[start : start + len(orders)]
        start += len(orders)
        part["strategy"] = place
        part["index"] = np.arange(len(orders))
        for name in ("row", "legs", "side", "ratio", "target", "stop"):
            part[name] = getattr(orders, name)
        for name in ("trail_after", "trail", "max_hold_minutes"):
            part[name] = getattr(orders, name)
        part["score"] = np.nan if scores is None else scores[place]
        part["rank"] = orders.strength if scores is None else scores[place]
    row = np.ascontiguousarray(records["row"])
    if (row[1:] >= row[:-1]).all():
        return records
    return records[np.argsort(row, kind="stable")]
