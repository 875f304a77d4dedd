"""Trading symbols of index options: ``NIFTY26SEP24200CE`` and ``NIFTY2691524200CE``."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from optiq.errors import RuleError
from optiq.market.contracts import monthly_expiry
from optiq.market.ingest.numbers import MONTHS, shown
from optiq.market.schema import CE, PE, UNDERLYINGS

_TAIL = r"(?P<strike>\d{2,6}(?:\.\d{1,2})?)(?P<right>CE|PE)"
_HEAD = rf"(?P<underlying>{'|'.join(UNDERLYINGS)})(?P<year>\d{{2}})"
_WEEKLY_MONTHS = "123456789OND"
_MONTHLY = re.compile(rf"{_HEAD}(?P<month>{'|'.join(MONTHS)}){_TAIL}", re.ASCII)
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
        month = MONTHS.index(match["month"]) + 1
        try:
            expiry = monthly_expiry(match["underlying"], 2000 + int(match["year"]), month)
        except RuleError as error:
            raise ValueError(str(error)) from error
    else:
        raise ValueError(f"{shown(symbol)} is not an index option")
    right = CE if match["right"] == "CE" else PE
    return Option(match["underlying"], np.datetime64(expiry, "D"), float(match["strike"]), right)
