"""Margins that a broker showed, and how far the approximation is from each."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from optiq.market import calendar, tables
from optiq.market.schema import CE, PE
from optiq.trade.margin import Margin, margin_rates
from optiq.trade.priced_legs import Leg, Quoted, priced


@dataclass(frozen=True, slots=True)
class MarginRecord:
    """One sold option and what a broker asked for it, in rupees; ``row`` says who and where."""

    underlying: str
    on: dt.date
    leg: Leg
    spot: float
    span: float
    exposure: float
    row: tables.Row

    @property
    def total(self) -> float:
        """Return what the broker asked for."""
        return self.span + self.exposure

    def model(self) -> Margin:
        """Return what the approximation says at the open of that day, the forward at the spot."""
        level = np.array([self.spot])
        unknown = np.full(1, math.nan)
        moment = calendar.session(self.on, self.underlying).open_utc
        package = priced(
            [self.leg], self.underlying, moment, Quoted(self.spot, level, unknown, unknown)
        )
        return package.margin(margin_rates(self.underlying, self.on))

    def error(self) -> float:
        """Return how much more the approximation asks for, as a fraction of the broker's total."""
        return self.model().total / self.total - 1.0


def margin_records() -> tuple[MarginRecord, ...]:
    """Return the recorded figures, in the order of margin_records.csv."""
    return tuple(_record(row) for row in tables.rows("margin_records", "optiq.trade"))


def _record(row: tables.Row) -> MarginRecord:
    leg = Leg(
        side=-1,
        lots=int(row["lots"]),
        strike=float(row["strike"]),
        right=CE if row["right"] == "CE" else PE,
        expiry=dt.date.fromisoformat(row["expiry"]),
        price=float(row["price"]),
    )
    return MarginRecord(
        underlying=row["underlying"],
        on=dt.date.fromisoformat(row["on"]),
        leg=leg,
        spot=float(row["spot"]),
        span=float(row["span"]),
        exposure=float(row["exposure"]),
        row=row,
    )
