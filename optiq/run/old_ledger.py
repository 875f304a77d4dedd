"""An old ledger as it was booked: its columns under our names, its cells read, nothing judged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from optiq.errors import InputError
from optiq.market.ingest.aliases import ALIASES, named
from optiq.market.ingest.batch import BrokenRow
from optiq.market.ingest.cells import SIDES, day_of
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.numbers import NOTHING, Moment, moment, number, shown
from optiq.market.ingest.symbols import Option, option_of_symbol
from optiq.market.ingest.tables import one_line
from optiq.market.ingest.text_table import TextTable, read_text_table
from optiq.market.schema import RIGHT_NAMES, UNDERLYINGS

USUAL_TABLE = "trades"

_SPELLINGS = {
    "trade_id": "trade_id tradeid trade_no trade_number id order_id",
    "entry_time": "entry_time entry_datetime entry_timestamp decided_ts entry_ts entry_at opened_at"
    " open_time time_in buy_time",
    "exit_time": "exit_time exit_datetime exit_timestamp exit_decided_ts exit_ts exit_at closed_at"
    " close_time time_out sell_time",
    "entry_date": "entry_date trade_date date",
    "exit_date": "exit_date",
    "symbol": "symbol tradingsymbol trading_symbol instrument scrip contract underlying"
    " underlying_symbol index_name index",
    "entry_price": "entry_price avg_entry_price entry_avg entry_rate buy_price",
    "exit_price": "exit_price avg_exit_price exit_avg exit_rate sell_price",
    "quantity": "quantity qty filled_quantity units shares",
    "side": "side transaction_type buy_sell action position",
    "exit_type": "exit_type exit_reason reason",
    "gross_pnl": "gross_pnl gross_p_l gross pnl_gross gross_profit",
    "brokerage": "brokerage",
    "taxes": "taxes tax statutory_charges",
    "charges": "charges total_charges fees costs",
    "net_pnl": "net_pnl net_p_l net pnl_net realised_net realized_net",
    "strategy": "strategy_name strategy",
    "status": "status state trade_status",
}
COLUMNS = {
    **{ours: tuple(theirs.split()) for ours, theirs in _SPELLINGS.items()},
    "strike": ALIASES["strike"],
    "right": ALIASES["right"],
    "expiry": ALIASES["expiry"],
}
_NEEDED = ("entry_time", "exit_time", "symbol", "entry_price", "exit_price", "quantity")
_CONTRACT = {"strike": "its strike", "right": "whether it is a call", "expiry": "its expiry"}
"""Needed too, unless the symbols are trading symbols and say it all."""
_SIDE_WORDS = {
    **dict.fromkeys(("BUY", "B", "LONG", "BOUGHT", "1", "+1", "1.0"), 1),
    **dict.fromkeys(("SELL", "S", "SHORT", "SOLD", "-1", "-1.0"), -1),
}
_CHARGES = {"brokerage", "taxes", "charges"}
_TIME_ALONE = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", re.ASCII)
_DAY_WITH_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(?=\d{4})", re.ASCII)
_RUPEE_SIGN = re.compile(r"^(?:₹|Rs\.?|INR)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BookedMoment:
    """A moment as booked: its text, and its reading or why there is none.

    ``found.clock`` is "unknown" where no zone stands beside it.
    """

    text: str
    found: Moment | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BookedTrade:
    """One trade of an old ledger, in rupees and units; NaN where the ledger says nothing.

    Attributes
    ----------
    number
        Line of the file, or position in the database.
    contract
        None where it cannot be told; ``contract_problem`` then says why.
    side, quantity
        +1 bought first, -1 sold first; the quantity without its sign.
    brokerage, taxes
        As booked; a ledger with one column of charges has them in ``taxes``, and 0 there where
        all its columns are empty.
    unreadable
        What stands in cells that are no numbers, in words.
    """

    number: int
    trade_id: str
    entry: BookedMoment
    exit: BookedMoment
    contract: Option | None
    contract_problem: str
    symbol: str
    side: int
    quantity: float
    entry_price: float
    exit_price: float
    gross_pnl: float
    brokerage: float
    taxes: float
    net_pnl: float
    exit_type: str
    strategy: str
    status: str
    unreadable: tuple[str, ...]

    @property
    def charges(self) -> float:
        """Brokerage and taxes together; NaN where neither is booked."""
        booked = [amount for amount in (self.brokerage, self.taxes) if not math.isnan(amount)]
        return sum(booked) if booked else math.nan


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger read: its trades, which of our columns it has, and the lines that are torn."""

    name: str
    trades: list[BookedTrade]
    columns: frozenset[str]
    torn: tuple[BrokenRow, ...] = ()

    @property
    def has_charges(self) -> bool:
        """Whether it says what was charged."""
        return bool(_CHARGES & self.columns)


def read_ledger(given: str) -> Ledger:
    """Read a CSV or Parquet file or the table ``trades`` of a PostgreSQL database."""
    table = read_text_table(given, USUAL_TABLE)
    found = named(table.headers, COLUMNS)
    _require(found, table)
    texts = {ours: table.column(theirs) for ours, theirs in found.items()}
    trades = [
        _trade(number, {ours: _said_in(column[row]) for ours, column in texts.items()})
        for row, number in enumerate(table.numbers)
    ]
    _refuse_unreadable(trades, table.name)
    return Ledger(table.name, trades, frozenset(found), table.broken)


def _said_in(cell: str) -> str:
    return "" if cell.lower() in NOTHING else cell


def _require(found: dict[str, str], table: TextTable) -> None:
    missing = [name for name in _NEEDED if name not in found]
    unsaid = [name for name in _CONTRACT if name not in found]
    if "symbol" in found and unsaid and not _any_symbol(table.column(found["symbol"])):
        missing += unsaid
    if missing:
        headers = one_line(", ".join(table.headers))
        raise InputError(
            f"{table.name}: no column for {', '.join(missing)} among {headers}",
            "rename the ledger's columns: optiq reprice --help lists the names",
        )
    if not table.rows:
        raise InputError(f"{table.name} holds no trade", "give a ledger with at least one")


def _any_symbol(symbols: Iterable[str]) -> bool:
    return not any(symbols) or any(_option(symbol) is not None for symbol in set(symbols))


def _refuse_unreadable(trades: list[BookedTrade], name: str) -> None:
    if not any(trade.entry.found or trade.exit.found for trade in trades):
        example = next((trade.entry for trade in trades if trade.entry.text), trades[0].entry)
        raise InputError(
            f"{name}: not one of its trades has a time that can be read "
            f"({example.problem or 'all are empty'})",
            "write times like 2025-11-20 10:15:00",
        )


def _trade(number: int, cells: dict[str, str]) -> BookedTrade:
    numbers, unreadable = _numbers(cells)
    contract, problem = _contract(cells)
    side = _SIDE_WORDS.get(cells.get("side", "").upper(), 0)
    quantity = numbers["quantity"]
    taxes = numbers["taxes"]
    if math.isnan(taxes) and math.isnan(numbers["brokerage"]):
        says_charges = bool(_CHARGES & set(cells))
        taxes = 0.0 if says_charges and not cells.get("charges") else numbers["charges"]
    day = cells.get("entry_date", "")
    return BookedTrade(
        number=number,
        trade_id=cells.get("trade_id", "") or f"line {number}",
        entry=_moment(cells["entry_time"], day),
        exit=_moment(cells["exit_time"], cells.get("exit_date", "") or day),
        contract=contract,
        contract_problem=problem,
        symbol=cells["symbol"],
        side=side or (-1 if quantity < 0 else 1),
        quantity=abs(quantity),
        entry_price=numbers["entry_price"],
        exit_price=numbers["exit_price"],
        gross_pnl=numbers["gross_pnl"],
        brokerage=numbers["brokerage"],
        taxes=taxes,
        net_pnl=numbers["net_pnl"],
        exit_type=cells.get("exit_type", ""),
        strategy=cells.get("strategy", ""),
        status=cells.get("status", ""),
        unreadable=unreadable,
    )


_NUMBERS = (
    *("quantity", "entry_price", "exit_price"),
    *("gross_pnl", "brokerage", "taxes", "charges", "net_pnl"),
)


def _numbers(cells: dict[str, str]) -> tuple[dict[str, float], tuple[str, ...]]:
    found, unreadable = {}, []
    for name in _NUMBERS:
        try:
            found[name] = number(_RUPEE_SIGN.sub("", cells.get(name, "")))
        except ValueError as reason:
            found[name] = math.nan
            unreadable.append(f"{name}: {reason}")
    return found, tuple(unreadable)


def _moment(text: str, day: str) -> BookedMoment:
    if not text:
        return BookedMoment(text, None)
    whole = f"{day.split(' ')[0]} {text}" if _TIME_ALONE.fullmatch(text) and day else text
    whole = _DAY_WITH_SLASHES.sub(r"\1-\2-", whole)
    try:
        return BookedMoment(whole, moment(whole))
    except ValueError as reason:
        return BookedMoment(whole, None, str(reason))


def _contract(cells: dict[str, str]) -> tuple[Option | None, str]:
    """Return the contract the columns name, what they leave open from the trading symbol."""
    symbol = cells["symbol"]
    whole = _option(symbol)
    underlying = whole.underlying if whole else index_name(symbol)
    if underlying not in UNDERLYINGS:
        return None, f"{shown(symbol)} is no index and no symbol of an index option"
    try:
        said = _said(cells)
    except ValueError as reason:
        return None, str(reason)
    if whole is not None:
        option = whole._replace(**said)
        if option != whole:
            return None, f"the symbol says {words(whole)}, the columns say {words(option)}"
        return whole, ""
    if missing := [words for name, words in _CONTRACT.items() if name not in said]:
        return None, f"it does not say {' or '.join(missing)}"
    return Option(underlying, **said), ""


def _said(cells: dict[str, str]) -> dict[str, Any]:
    """Return what the columns say of strike, right and expiry; ValueError where unreadable."""
    said: dict[str, Any] = {}
    strike, right, expiry = (cells.get(name, "") for name in _CONTRACT)
    if not math.isnan(level := number(strike)):
        said["strike"] = level
    if right.upper() in SIDES:
        said["right"] = SIDES[right.upper()]
    if expiry:
        said["expiry"] = day_of(_DAY_WITH_SLASHES.sub(r"\1-\2-", expiry))
    return said


@lru_cache(maxsize=8192)
def _option(symbol: str) -> Option | None:
    """Return the contract of a trading symbol, whatever exchange stands before it."""
    try:
        return option_of_symbol(re.sub(r"^.*[|:]|\s", "", symbol.upper()))
    except ValueError:
        return None


def words(option: Option) -> str:
    """Return a contract as people say it.

    >>> words(option_of_symbol("NIFTY25N2526000CE"))
    'NIFTY 2025-11-25 26000 CE'
    """
    return f"{option.underlying} {option.expiry} {option.strike:g} {RIGHT_NAMES[option.right]}"
