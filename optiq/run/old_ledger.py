"""A ledger as some other system booked it: read as it stands, nothing mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.aliases import ALIASES, plain
from optiq.market.ingest.batch import Clock
from optiq.market.ingest.cells import day_cells, flat, moment_cells, number_cells, side_cells
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.numbers import moment, shown
from optiq.market.ingest.symbols import Option, option_of_symbol
from optiq.market.ingest.tables import one_line
from optiq.market.schema import UNDERLYINGS
from optiq.run.old_ledger_source import whole_table

if TYPE_CHECKING:
    import pyarrow as pa

_SPELLINGS = {
    "trade_id": "trade_id tradeid trade_no id",
    "entry_time": "entry_time entry_ts entry_at entry_datetime entry_timestamp opened_at",
    "exit_time": "exit_time exit_ts exit_at exit_datetime exit_timestamp closed_at",
    "symbol": "symbol tradingsymbol trading_symbol underlying index_name index instrument name",
    "side": "side direction transaction_type buy_sell action",
    "entry_price": "entry_price entry_premium price_in entry",
    "exit_price": "exit_price exit_premium price_out exit",
    "quantity": "quantity qty units",
    "gross_pnl": "gross_pnl gross_p_l gross gross_profit",
    "brokerage": "brokerage charges total_charges commission fees",
    "taxes": "taxes tax statutory_charges",
    "net_pnl": "net_pnl net_p_l net net_profit pnl p_l",
    "strategy": "strategy_name strategy",
    "status": "status state trade_status",
}
_ALIASES = {ours: tuple(theirs.split()) for ours, theirs in _SPELLINGS.items()} | {
    name: ALIASES[name] for name in ("right", "strike", "expiry")
}
_REQUIRED = ("entry_time", "exit_time", "symbol", "entry_price", "exit_price", "quantity")
_CONTRACT = ("right", "strike", "expiry")
_NUMBERS = ("entry_price", "exit_price", "quantity", "gross_pnl", "brokerage", "taxes", "net_pnl")
_SIDES = {"BUY": 1, "B": 1, "LONG": 1, "BOUGHT": 1, "SELL": -1, "S": -1, "SHORT": -1, "SOLD": -1}
_RIGHTS_MISSING = ("it is neither a call nor a put", "it has no strike", "it has no expiry")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment as booked: ``time`` as its clock reads, NaT where ``reason`` says why."""

    text: str
    time: np.datetime64
    clock: Clock
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it could be read at all."""
        return not np.isnat(self.time)


@dataclass(frozen=True, slots=True)
class Booked:
    """One trade as booked; numbers are rupees and units, NaN where nothing readable stands.

    ``side`` is +1 where it was bought first, ``quantity`` never negative; ``contract`` is None
    where ``contract_problem`` says why.
    """

    trade_id: str
    underlying: str
    contract: Option | None
    contract_problem: str
    entry: Stamp
    exit: Stamp
    side: int
    quantity: float
    entry_price: float
    exit_price: float
    gross_pnl: float
    brokerage: float
    taxes: float
    net_pnl: float
    strategy: str
    status: str

    @property
    def charges(self) -> float:
        """Brokerage and taxes together, NaN where neither is booked."""
        booked = [part for part in (self.brokerage, self.taxes) if not np.isnan(part)]
        return sum(booked) if booked else np.nan

    @property
    def price_gain(self) -> float:
        """What its own prices and quantity make, in rupees."""
        return self.side * (self.exit_price - self.entry_price) * self.quantity


@dataclass(frozen=True)
class OldLedger:
    """All trades of one ledger, in its order, and the table they came in."""

    name: str
    trades: tuple[Booked, ...]
    table: pa.Table


def read_ledger(source: str) -> OldLedger:
    """Read a CSV or Parquet file, or the table ``trades`` of a PostgreSQL URL.

    `InputError` for a column that is missing and for a ledger without trades.
    """
    name, table = whole_table(source)
    columns = ledger_columns(name, table.column_names)
    if not table.num_rows:
        raise InputError(f"{name} holds no trades", "give a ledger with at least one")
    trades = tuple(_trades(table, columns))
    _require_contracts(name, table.column_names, columns, trades)
    return OldLedger(name, trades, table)


def ledger_columns(name: str, headers: Sequence[str]) -> dict[str, str]:
    """Return which of a table's columns is which of ours, whatever the case they are written in."""
    by_plain = {plain(header): header for header in reversed(headers)}
    found = {
        ours: next(by_plain[alias] for alias in aliases if alias in by_plain)
        for ours, aliases in _ALIASES.items()
        if any(alias in by_plain for alias in aliases)
    }
    _require(name, headers, [ours for ours in _REQUIRED if ours not in found])
    return found


def _require(name: str, headers: Sequence[str], missing: Sequence[str]) -> None:
    if missing:
        raise InputError(
            f"{name}: no column for {', '.join(missing)} among {one_line(', '.join(headers))}",
            "rename the ledger's columns; see optiq reprice --help",
        )


def _require_contracts(
    name: str, headers: Sequence[str], columns: dict[str, str], trades: Sequence[Booked]
) -> None:
    """Refuse a ledger that can name no contract at all, for want of a column."""
    if all(trade.contract is None for trade in trades):
        _require(name, headers, [ours for ours in _CONTRACT if ours not in columns])


def _trades(table: pa.Table, columns: dict[str, str]) -> Iterator[Booked]:
    n = table.num_rows
    cells = {ours: flat(table.column(theirs)) for ours, theirs in columns.items()}
    numbers = {
        ours: number_cells(cells[ours]).values if ours in cells else np.full(n, np.nan)
        for ours in _NUMBERS
    }
    words = {ours: _words(cells.get(ours), n) for ours in ("symbol", "side", "strategy", "status")}
    ids = _words(cells.get("trade_id"), n)
    contracts = _contracts(cells, words["symbol"], n)
    entries, exits = stamps(cells["entry_time"]), stamps(cells["exit_time"])
    for row in range(n):
        contract, problem = contracts[row]
        quantity = float(numbers["quantity"][row])
        yield Booked(
            trade_id=ids[row] or str(row + 1),
            underlying=contract.underlying if contract else _underlying(words["symbol"][row]),
            contract=contract,
            contract_problem=problem,
            entry=entries[row],
            exit=exits[row],
            side=_SIDES.get(words["side"][row].upper(), -1 if quantity < 0 else 1),
            quantity=abs(quantity),
            **{name: float(numbers[name][row]) for name in _NUMBERS if name != "quantity"},
            strategy=words["strategy"][row],
            status=words["status"][row].upper(),
        )


def stamps(column: pa.Array) -> list[Stamp]:
    """Return each moment of a column of texts or of timestamps."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [stamp((text or "").strip()) for text in column.to_pylist()]
    cells = moment_cells(column)
    return [
        Stamp(
            "" if np.isnat(time) else _written(time), time, cells.clock, cells.broken.get(row, "")
        )
        for row, time in enumerate(cells.values)
    ]


def stamp(text: str) -> Stamp:
    """Return the moment that a text names, or why it names none."""
    nothing = np.datetime64("NaT", "us")
    if not text:
        return Stamp("", nothing, "unknown", "nothing is booked")
    try:
        found = moment(text)
    except ValueError as reason:
        return Stamp(text, nothing, "unknown", str(reason))
    return Stamp(text, found.time, found.clock)


def _written(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")


def _words(column: pa.Array | None, n: int) -> list[str]:
    if column is None:
        return [""] * n
    return ["" if cell is None else one_line(cell) for cell in column.to_pylist()]


def _contracts(
    cells: dict[str, Any], symbols: Sequence[str], n: int
) -> list[tuple[Option | None, str]]:
    rights = side_cells(cells["right"]).values if "right" in cells else np.zeros(n, np.int8)
    strikes = number_cells(cells["strike"]).values if "strike" in cells else np.full(n, np.nan)
    nowhere = np.full(n, np.datetime64("NaT", "D"))
    expiries = day_cells(cells["expiry"]).values if "expiry" in cells else nowhere
    return [_contract(*parts) for parts in zip(symbols, rights, strikes, expiries, strict=True)]


def _contract(
    symbol: str, right: int, strike: float, expiry: np.datetime64
) -> tuple[Option | None, str]:
    """Return the contract that a trading symbol names, else the one that the columns name."""
    try:
        return option_of_symbol(symbol.replace(" ", "").upper()), ""
    except ValueError:
        pass
    underlying = index_name(symbol)
    if underlying not in UNDERLYINGS:
        return None, f"{shown(symbol)} is no index whose options are known"
    for problem, is_missing in zip(
        _RIGHTS_MISSING, (right == 0, np.isnan(strike), np.isnat(expiry)), strict=True
    ):
        if is_missing:
            return None, problem
    return Option(underlying, expiry, float(strike), int(right)), ""


def _underlying(symbol: str) -> str:
    """Return whose session a trade without a known contract is held against."""
    name = index_name(symbol)
    return name if name in UNDERLYINGS else UNDERLYINGS[0]
