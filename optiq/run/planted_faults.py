"""Faults to plant in a true ledger, as old live systems make them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from optiq.market.ingest.symbols import Option
from optiq.market.schema import RIGHT_NAMES
from optiq.run.ledger_case import Flag

UTC_OFFSET = dt.timedelta(hours=5, minutes=30)
FLAT_TAXES_PAISE = 1358
"""Rs 13.58 a trade: what one live system booked whatever it traded."""
SWING = 0.12
"""How far a price must have moved for an exit at the entry price to be no coincidence."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One line of a ledger of bought options; money in paise, times in India without a zone."""

    trade_id: str
    entry: dt.datetime
    exit: dt.datetime
    option: Option
    entry_paise: int
    exit_paise: int
    quantity: int
    lot: int
    exit_type: str
    strategy: str
    brokerage_paise: int = 0
    taxes_paise: int = 0
    status: str = "CLOSED"
    entry_text: str = ""
    net_paise: int | None = None

    @property
    def gross_paise(self) -> int:
        """What the prices make."""
        return (self.exit_paise - self.entry_paise) * self.quantity

    def line(self) -> dict[str, str]:
        """Return the cells of the line."""
        charged = self.brokerage_paise + self.taxes_paise
        net = self.gross_paise - charged if self.net_paise is None else self.net_paise
        closed = self.status == "CLOSED"
        return {
            "trade_id": self.trade_id,
            "entry_time": self.entry_text or str(self.entry),
            "exit_time": str(self.exit) if closed else "",
            "symbol": self.option.underlying,
            "instrument_type": RIGHT_NAMES[self.option.right],
            "strike_price": f"{self.option.strike:.2f}",
            "expiry_date": str(self.option.expiry),
            "entry_price": _rupees(self.entry_paise),
            "quantity": str(self.quantity),
            "exit_price": _rupees(self.exit_paise) if closed else "",
            "exit_type": self.exit_type if closed else "",
            "gross_pnl": _rupees(self.gross_paise) if closed else "",
            "brokerage": _rupees(self.brokerage_paise) if closed else "",
            "taxes": _rupees(self.taxes_paise) if closed else "",
            "net_pnl": _rupees(net) if closed else "",
            "strategy_name": self.strategy,
            "signal_strength": "",
            "ml_score": "",
            "model_version": "",
            "status": self.status,
        }


def _rupees(paise: int) -> str:
    return f"{'-' if paise < 0 else ''}{abs(paise) // 100}.{abs(paise) % 100:02d}"


def _swung(booking: Booking) -> bool:
    moved = abs(booking.exit_paise / booking.entry_paise - 1)
    return moved >= SWING and booking.exit - booking.entry >= dt.timedelta(minutes=10)


def _always(_booking: Booking) -> bool:
    return True


def _lives_on(booking: Booking) -> bool:
    """Whether it expires on a later day: on the last one a price may well halve in minutes."""
    return bool(booking.option.expiry > np.datetime64(booking.entry.date(), "D"))


def _between_strikes(booking: Booking) -> Booking:
    return replace(booking, option=booking.option._replace(strike=booking.option.strike + 13))


def _lasted(booking: Booking) -> bool:
    return booking.exit > booking.entry


Plant = tuple[Flag, Callable[[Booking], bool], Callable[[Booking], Booking]]
PLANTS: tuple[Plant, ...] = (
    (Flag.EXIT_EQUALS_ENTRY, _swung, lambda b: replace(b, exit_paise=b.entry_paise)),
    (Flag.EXIT_BEFORE_ENTRY, _lasted, lambda b: replace(b, entry=b.exit, exit=b.entry)),
    (
        Flag.IMPOSSIBLE_TIME,
        _always,
        lambda b: replace(b, entry_text=f"{b.entry:%Y-%m-%d} 09:90:{b.entry:%S}"),
    ),
    (
        Flag.UTC_AS_IST,
        _always,
        lambda b: replace(b, entry=b.entry - UTC_OFFSET, exit=b.exit - UTC_OFFSET),
    ),
    (
        Flag.CHARGES_UNDERSTATED,
        _always,
        lambda b: replace(b, brokerage_paise=0, taxes_paise=FLAT_TAXES_PAISE),
    ),
    (Flag.WRONG_LOT, _always, lambda b: replace(b, quantity=b.quantity + b.lot // 3)),
    (Flag.UNKNOWN_CONTRACT, _always, _between_strikes),
    (Flag.PRICE_OFF_CHAIN, _lives_on, lambda b: replace(b, entry_paise=b.entry_paise // 10 * 5)),
    (Flag.NET_DOES_NOT_ADD_UP, _always, lambda b: replace(b, net_paise=b.gross_paise)),
    (Flag.NOT_CLOSED, _always, lambda b: replace(b, status="OPEN")),
)
"""The fault, the bookings it can be planted in, and what it makes of one."""
