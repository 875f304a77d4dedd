"""The dated facts that ship beside the code as CSV files: each row has its source."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from optiq.errors import InputError, RuleError
from optiq.market.schema import UNDERLYINGS

Row = Mapping[str, str]
"""One line of a table by column name; an empty cell is ``""``."""

MARKET_TABLES = (
    "holidays",
    "session_hours",
    "expiry_rules",
    "lot_sizes",
    "strike_steps",
    "freeze_quantities",
)
BSE_UNDERLYINGS = ("SENSEX", "BANKEX")


@cache
def rows(name: str, package: str = "optiq.market") -> tuple[Row, ...]:
    """Return the lines of ``name``.csv, in the order of the file; read once."""
    text = resources.files(package).joinpath(f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def rows_of(name: str, underlying: str) -> tuple[Row, ...]:
    """Return the lines of a market table about one underlying."""
    exchange_of(underlying)
    return tuple(row for row in rows(name) if row["underlying"] == underlying)


def exchange_of(underlying: str) -> str:
    """Return ``NSE`` or ``BSE``.

    >>> exchange_of("NIFTY"), exchange_of("SENSEX")
    ('NSE', 'BSE')
    """
    if underlying not in UNDERLYINGS:
        raise InputError(
            f"no index named {underlying}", f"known underlyings are {', '.join(UNDERLYINGS)}"
        )
    return "BSE" if underlying in BSE_UNDERLYINGS else "NSE"


def is_for(row: Row, exchange: str) -> bool:
    """Return whether a row holds for ``exchange``; its cell reads like ``NSE`` or ``NSE+BSE``."""
    return exchange in row["exchange"].split("+")


def is_in_force(row: Row, on: dt.date) -> bool:
    """Return whether ``on`` lies in ``effective_from`` to ``effective_to``, both included."""
    return first_day(row) <= on <= last_day(row)


def first_day(row: Row) -> dt.date:
    """Return the first day a row holds."""
    return dt.date.fromisoformat(row["effective_from"])


def last_day(row: Row) -> dt.date:
    """Return the last day a row holds; an open row holds until further notice."""
    return day(row["effective_to"], dt.date.max)


def in_force(candidates: Iterable[Row], on: dt.date, table: str, what: str) -> Row:
    """Return the row that covers ``on``; `RuleError` where none does."""
    for row in candidates:
        if is_in_force(row, on):
            return row
    raise no_row(table, what, on)


def no_row(table: str, what: str, on: dt.date) -> RuleError:
    """Return the error for a date that no row of a table covers."""
    return RuleError(
        f"no row of {table}.csv covers {what} on {on}",
        f"choose another date, or add a dated row with its source to {table}.csv",
    )


def day(text: str, otherwise: dt.date) -> dt.date:
    """Return the date of a cell; ``otherwise`` where it is empty."""
    return dt.date.fromisoformat(text) if text else otherwise
