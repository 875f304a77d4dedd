"""The lines of the page's table of trades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.calendar import time_of_day
from optiq.report.positions import Positions
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns

LINES = 2_000
"""At most 900 kB of page; a longer run shows its largest gains and losses."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a line: what was traded and at which prices, in rupees."""

    contract: str
    quantity: int
    entry_price: float
    exit_price: float


@dataclass(frozen=True, slots=True)
class Line:
    """One trade; times are India's, money is in paise, ``score`` None without a scorer."""

    trade_id: str
    strategy: str
    legs: tuple[Leg, ...]
    entered: str
    left: str
    minutes: float
    reason: str
    gross: int
    charges: int
    net: int
    score: float | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The trades that the table does not show; money in paise."""

    trades: int
    net: int
    largest: int
    """The largest gain or loss among them, without its sign."""


def ledger_lines(positions: Positions, trades: Columns) -> tuple[list[Line], LeftOut]:
    """Return the lines of the table, at most `LINES`, and what they leave out."""
    shown = positions.largest(LINES)
    hidden = np.ones(len(positions), np.bool_)
    hidden[shown] = False
    net = positions.net[hidden]
    left_out = LeftOut(len(net), int(net.sum()), int(np.abs(net).max(initial=0)))
    return [_line(positions, trades, index) for index in shown.tolist()], left_out


def contract(positions: Positions, trades: Columns, index: int) -> str:
    """Return what a trade was in, such as ``23500 CE 16 Jan``, with signs where a leg is sold."""
    return " ".join(leg.contract for leg in _legs(positions, trades, index))


def _line(positions: Positions, trades: Columns, index: int) -> Line:
    score = float(trades["score"][positions.first_leg[index]])
    return Line(
        trade_id=positions.trade_id[index],
        strategy=positions.strategy[index],
        legs=_legs(positions, trades, index),
        entered=time_of_day(positions.entry[index]),
        left=time_of_day(positions.exit[index]),
        minutes=float((positions.exit[index] - positions.entry[index]) / np.timedelta64(1, "m")),
        reason=positions.reason[index] + (" *" if positions.stale[index] else ""),
        gross=int(positions.gross[index]),
        charges=int(positions.charges[index]),
        net=int(positions.net[index]),
        score=None if np.isnan(score) else score,
    )


def _legs(positions: Positions, trades: Columns, index: int) -> tuple[Leg, ...]:
    rows = range(positions.first_leg[index], positions.first_leg[index + 1])
    is_plain = len(rows) == 1 and trades["side"][rows[0]] > 0
    return tuple(
        Leg(
            contract=("" if is_plain else "+" if trades["side"][row] > 0 else "−")
            + f"{trades['strike'][row]:g} {trades['right'][row]} "
            + f"{trades['expiry'][row].item():%-d %b}",
            quantity=int(trades["quantity"][row]),
            entry_price=round(float(trades["entry_price"][row]) * PAISE) / PAISE,
            exit_price=round(float(trades["exit_price"][row]) * PAISE) / PAISE,
        )
        for row in rows
    )
