"""What an order costs: brokerage, taxes and fees of its date, exact to the paisa.

Money is whole paise and rates are whole billionths, so every line is an exact number of
billionths of a paisa; an order's total is rounded half up to the paisa once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from optiq.errors import InputError, RuleError
from optiq.market import tables
from optiq.market.compiling import compiled
from optiq.market.schema import FloatArray, IntArray

BILLION = 1_000_000_000
PERCENT = 100
PAISE_PER_RUPEE = 100
LARGEST_PREMIUM_PAISE = 10**11
"""Rs 100 crore of premium in one order; up to there no step leaves 64 bits."""
LARGEST_BROKERAGE_RUPEES = 100_000

LINES = ("brokerage", "stt", "exchange_txn", "ipft", "sebi", "stamp", "gst")
"""The lines of a bill, in its order, by their names in charges.csv."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Whose brokerage is paid; the settings section ``charges``.

    Attributes
    ----------
    broker
        A name in charges.csv.
    brokerage_per_order
        Rupees per executed order instead of that broker's; None takes the table's.
    """

    broker: str = "Zerodha"
    brokerage_per_order: float | None = None

    def __post_init__(self) -> None:
        fee = self.brokerage_per_order
        if fee is not None and not 0 <= fee <= LARGEST_BROKERAGE_RUPEES:
            raise ValueError(
                f"brokerage_per_order is {fee}; give 0 to {LARGEST_BROKERAGE_RUPEES} rupees"
            )


USUAL_BROKER = Broker()


class Rates(NamedTuple):
    """One schedule as integers: billionths of the premium, but paise and percent where named."""

    brokerage_paise: int
    stt_buy: int
    stt_sell: int
    exchange_txn: int
    ipft: int
    sebi: int
    stamp_buy: int
    stamp_sell: int
    gst_percent: int


class Lines(NamedTuple):
    """One order's bill in rupees: the lines unrounded, the total to the paisa."""

    brokerage: float
    stt: float
    exchange_txn: float
    ipft: float
    sebi: float
    stamp: float
    gst: float
    total: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """The charges of one underlying on one day with one broker, and the rows that say so."""

    underlying: str
    on: dt.date
    broker: str
    rates: Rates
    rows: tuple[tables.Row, ...]

    @property
    def low_confidence(self) -> tuple[str, ...]:
        """The rows it leans on that no official page or second source confirms."""
        return tuple(
            f"{row['charge']} {row['rate']} of {row['broker'] or row['exchange']} since "
            f"{row['effective_from']} ({row['confidence']} confidence)"
            for row in self.rows
            if row["confidence"] != "high"
        )


@cache
def schedule(underlying: str, on: dt.date, broker: Broker = USUAL_BROKER) -> Schedule:
    """Return the charges in force; `RuleError` where a line has no row for that day."""
    rows = {name: _row(name, underlying, on) for name in LINES if name != "brokerage"}
    if broker.brokerage_per_order is None:
        rows = {"brokerage": _brokerage(broker.broker, on), **rows}
        fee = Fraction(rows["brokerage"]["rate"])
    else:
        fee = Fraction(str(broker.brokerage_per_order))
    return Schedule(underlying, on, broker.broker, _rates(fee, rows), tuple(rows.values()))


@compiled
def line_billionths(premium_paise: int, side: int, rates: Rates) -> tuple[int, ...]:
    """Return an order's lines before GST, in billionths of a paisa, in the order of `LINES`.

    ``side`` is +1 for a buy, -1 for a sale. The one place where charges are computed.
    """
    if premium_paise < 0 or premium_paise > LARGEST_PREMIUM_PAISE:
        raise OverflowError("charges are exact for a premium of 0 to 100 crore rupees an order")
    is_buy = side > 0
    return (
        rates.brokerage_paise * BILLION,
        premium_paise * (rates.stt_buy if is_buy else rates.stt_sell),
        premium_paise * rates.exchange_txn,
        premium_paise * rates.ipft,
        premium_paise * rates.sebi,
        premium_paise * (rates.stamp_buy if is_buy else rates.stamp_sell),
    )


@compiled
def gst_base(lines: tuple[int, ...]) -> int:
    """Return what GST is paid on: brokerage and the fees, never STT or stamp duty."""
    brokerage, _, exchange_txn, ipft, sebi, _ = lines
    return brokerage + exchange_txn + ipft + sebi


@compiled
def order_charge_paise(premium_paise: int, side: int, rates: Rates) -> int:
    """Return the total charges of one executed order in paise, rounded half up once.

    ``premium_paise`` is price x quantity, at most `LARGEST_PREMIUM_PAISE`.
    """
    lines = line_billionths(premium_paise, side, rates)
    before_gst = lines[0] + lines[1] + lines[2] + lines[3] + lines[4] + lines[5]
    whole, rest = divmod(before_gst, BILLION)  # apart, so that x 100 stays in 64 bits
    hundredths = PERCENT * rest + rates.gst_percent * gst_base(lines)
    return whole + (hundredths + PERCENT * BILLION // 2) // (PERCENT * BILLION)


@compiled
def leg_charge_paise(price_paise: int, quantity: int, freeze: int, side: int, rates: Rates) -> int:
    """Return what trading ``quantity`` units costs, in paise.

    The exchange takes at most ``freeze`` units in one order: as many full orders as needed and one
    of the rest, each charged and rounded by itself.
    """
    full, rest = quantity // freeze, quantity % freeze
    total = 0
    if full > 0:
        total += full * order_charge_paise(price_paise * freeze, side, rates)
    if rest > 0:
        total += order_charge_paise(price_paise * rest, side, rates)
    return total


def order_premiums(
    price_paise: IntArray, quantity: IntArray, freeze: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the orders that legs (n,) are split into, as `leg_charge_paise` does.

    Returns
    -------
    premium_paise, leg : (n_orders,) int
        Every order's premium, leg by leg, and which leg it belongs to.
    """
    full, rest = quantity // freeze, quantity % freeze
    count = full + (rest > 0)
    leg = np.repeat(np.arange(len(quantity)), count)
    is_last = np.append(leg[1:] != leg[:-1], True) if len(leg) else np.empty(0, bool)
    units = np.where(is_last & (rest[leg] > 0), rest[leg], np.minimum(freeze, quantity)[leg])
    return price_paise[leg] * units, leg


def charge_lines(premium_paise: int, side: int, schedule: Schedule) -> Lines:
    """Return every line of one executed order's bill, in rupees."""
    if not 0 <= premium_paise <= LARGEST_PREMIUM_PAISE:
        raise InputError(
            f"a premium of {premium_paise / PAISE_PER_RUPEE:.2f} rupees in one order is beyond the "
            "0 to 100 crore for which charges are exact",
            "split the order",
        )
    lines = line_billionths(premium_paise, side, schedule.rates)
    gst = Fraction(schedule.rates.gst_percent * gst_base(lines), PERCENT)
    rupees = [float(line / (BILLION * PAISE_PER_RUPEE)) for line in (*map(Fraction, lines), gst)]
    total = order_charge_paise(premium_paise, side, schedule.rates)
    return Lines._make((*rupees, total / PAISE_PER_RUPEE))


def line_totals(orders: tuple[IntArray, IntArray], schedule: Schedule) -> dict[str, float]:
    """Return the sum of each line over many orders, in rupees, unrounded.

    ``orders`` are their premiums in paise and their sides, (n,) each. Every order's total is
    rounded, so these sums may differ from the charges booked by half a paisa an order.
    """
    premiums, sides = orders
    return dict(zip(LINES, _sums(premiums, sides, schedule.rates).tolist(), strict=True))


@compiled
def _sums(premiums: IntArray, sides: IntArray, rates: Rates) -> FloatArray:
    sums = np.zeros(7)
    for k in range(len(premiums)):
        lines = line_billionths(premiums[k], sides[k], rates)
        for i in range(6):
            sums[i] += lines[i]
        sums[6] += gst_base(lines) * (rates.gst_percent / PERCENT)
    return sums / (BILLION * PAISE_PER_RUPEE)


def is_about(row: tables.Row, underlying: str) -> bool:
    """Return whether a row of charges.csv is about an underlying's options."""
    exchange = tables.exchange_of(underlying)
    return tables.is_for(row, exchange) and row["underlying"] in ("", underlying)


def brokers() -> tuple[str, ...]:
    """Return the brokers whose fee is in the table."""
    return tuple(dict.fromkeys(row["broker"] for row in _rows("brokerage")))


def _rows(name: str) -> list[tables.Row]:
    return [row for row in tables.rows("charges", "optiq.trade") if row["charge"] == name]


def _row(name: str, underlying: str, on: dt.date) -> tables.Row:
    candidates = (row for row in _rows(name) if is_about(row, underlying))
    return tables.in_force(candidates, on, "charges", f"{name} for {underlying}")


def _brokerage(broker: str, on: dt.date) -> tables.Row:
    candidates = [row for row in _rows("brokerage") if row["broker"].lower() == broker.lower()]
    if not candidates:
        raise InputError(
            f"no broker named {broker} in charges.csv",
            f"known are {', '.join(brokers())}; or set charges.brokerage_per_order",
        )
    return tables.in_force(candidates, on, "charges", f"the brokerage of {broker}")


def _rates(brokerage: Fraction, rows: dict[str, tables.Row]) -> Rates:
    return Rates(
        brokerage_paise=_whole(brokerage * PAISE_PER_RUPEE, "brokerage"),
        stt_buy=_billionths(rows["stt"], "buy"),
        stt_sell=_billionths(rows["stt"], "sell"),
        exchange_txn=_billionths(rows["exchange_txn"], "both"),
        ipft=_billionths(rows["ipft"], "both"),
        sebi=_billionths(rows["sebi"], "both"),
        stamp_buy=_billionths(rows["stamp"], "buy"),
        stamp_sell=_billionths(rows["stamp"], "sell"),
        gst_percent=_whole(Fraction(rows["gst"]["rate"]) * PERCENT, "gst"),
    )


def _billionths(row: tables.Row, side: str) -> int:
    if row["side"] not in ("both", side):
        return 0
    return _whole(Fraction(row["rate"]) * BILLION, row["charge"])


def _whole(amount: Fraction, name: str) -> int:
    if amount.denominator != 1 or amount < 0:
        raise RuleError(
            f"the {name} rate is negative or finer than the arithmetic of charges",
            "give brokerage in whole paise, GST in whole percent, the others in billionths",
        )
    return int(amount)
