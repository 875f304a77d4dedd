"""Trading symbols of index options: ``NIFTY26SEP24200CE`` and ``NIFTY2691524200CE``."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from optiq.errors import RuleError
from optiq.market.contracts import expiries_after
from optiq.market.ingest.numbers import shown
from optiq.market.schema import CE, PE, UNDERLYINGS

_TAIL = r"(?P<strike>\d{2,6}(?:\.\d{1,2})?)(?P<right>CE|PE)"
_HEAD = rf"(?P<underlying>{'|'.join(UNDERLYINGS)})(?P<year>\d{{2}})"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTHS = "123456789OND"
_MONTHLY = re.compile(rf"{_HEAD}(?P<month>{'|'.join(_MONTHS)}){_TAIL}", re.ASCII)
_WEEKLY = re.compile(rf"{_HEAD}(?P<month>[1-9OND])(?P<day>\d{{2}}){_TAIL}", re.ASCII)


class Option(NamedTuple):
    """What a trading symbol names."""

    underlying: str
    expiry: np.datetime64
    strike: float
    right: int


@lru_cache(maxsize=8192)
def option_of_symbol(symbol: str) -> Option:
    """Return the contract of a symbol; ValueError where it names no index option.

    A weekly symbol spells its day; a monthly one means the month's last expiry by the dated rules.
    """
    if match := _WEEKLY.fullmatch(symbol):
        month = _WEEKLY_MONTHS.index(match["month"]) + 1
        try:
            expiry = dt.date(2000 + int(match["year"]), month, int(match["day"]))
        except ValueError as error:
            raise ValueError(f"{shown(symbol)} names no day") from error
    elif match := _MONTHLY.fullmatch(symbol):
        month = _MONTHS.index(match["month"]) + 1
        expiry = monthly_expiry(match["underlying"], 2000 + int(match["year"]), month)
    else:
        raise ValueError(f"{shown(symbol)} is not an index option")
    right = CE if match["right"] == "CE" else PE
    return Option(match["underlying"], np.datetime64(expiry, "D"), float(match["strike"]), right)


@lru_cache(maxsize=1024)
def monthly_expiry(underlying: str, year: int, month: int) -> dt.date:
    """Return the last expiry of a month; ValueError where no dated rule gives one."""
    last = None
    found = _next_expiry(underlying, dt.date(year, month, 1))
    while found is not None and (found.year, found.month) == (year, month):
        last, found = found, _next_expiry(underlying, found + dt.timedelta(days=1))
    if last is None:
        raise ValueError(f"no rule gives {underlying} an expiry in {year}-{month:02d}")
    return last


def _next_expiry(underlying: str, on: dt.date) -> dt.date | None:
    try:
        return expiries_after(underlying, on, 1)[0]
    except RuleError:  # beyond the calendar's last year
        return None
