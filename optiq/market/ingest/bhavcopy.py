"""NSE's end-of-day F&O file, old (to 2024-07-05) and UDiFF: one closing row a contract.

Every row is stamped with its session's close: such a day is one snapshot, good for levels, open
interest and volatility from day to day, and too sparse to trade within.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from optiq.errors import InputError, RuleError
from optiq.market.calendar import session
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Document, csv_rows, read_document
from optiq.market.ingest.numbers import day, shown
from optiq.market.ingest.quotes import Quotes
from optiq.market.schema import CE, PE, UNDERLYINGS

NAME = "bhavcopy"

_HEAD = re.compile(rb"\W{0,4}(INSTRUMENT\s*,\s*SYMBOL\s*,\s*EXPIRY_DT|TradDt\s*,\s*BizDt\s*,)")
_FIELDS = {
    "ltp": "last",
    "volume": "volume",
    "oi": "oi",
    "oi_change": "oi_change",
    "spot": "spot",
}

_Key = tuple[str, np.datetime64]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Column names of one vintage; ``index_options`` is the instrument code of our rows."""

    instrument: str
    index_options: str
    symbol: str
    expiry: str
    strike: str
    right: str
    date: str
    values: dict[str, str]


_LAYOUTS = (
    _Layout(
        "INSTRUMENT",
        "OPTIDX",
        "SYMBOL",
        "EXPIRY_DT",
        "STRIKE_PR",
        "OPTION_TYP",
        "TIMESTAMP",
        {"last": "CLOSE", "volume": "CONTRACTS", "oi": "OPEN_INT", "oi_change": "CHG_IN_OI"},
    ),
    _Layout(
        "FinInstrmTp",
        "IDO",
        "TckrSymb",
        "XpryDt",
        "StrkPric",
        "OptnTp",
        "TradDt",
        {
            "last": "LastPric",
            "volume": "TtlTradgVol",
            "oi": "OpnIntrst",
            "oi_change": "ChngInOpnIntrst",
            "spot": "UndrlygPric",
        },
    ),
)


def recognises(sample: Sample) -> bool:
    """Tell the file by its header, or, still zipped, by its name."""
    is_zip = sample.head.startswith(b"PK\x03\x04") and "bhav" in sample.path.name.lower()
    return is_zip or bool(_HEAD.match(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield the index options of one file."""
    document = read_document(path)
    quotes, keys, left_out = _parse(document)
    if not quotes.row and not quotes.broken:
        raise InputError(
            f"{path} holds no options on {', '.join(UNDERLYINGS)}", "leave it out: nothing to keep"
        )
    columns, rows = quotes.columns(_FIELDS)
    found = [keys[row] for row in rows.tolist()]
    columns["ts"] = np.array([close for _, close in found], dtype="datetime64[us]")
    columns["underlying"] = np.array([underlying for underlying, _ in found], dtype=object)
    columns["ltp"] = np.where(columns["volume"] > 0, columns["ltp"], np.nan)
    yield Batch(
        columns,
        document.source,
        document.sha256,
        clock="UTC",
        oi_unit="units",
        volume_unit="contracts",
        row_number=rows,
        broken=tuple(quotes.broken),
        left_out=left_out,
    )


def _parse(document: Document) -> tuple[Quotes, dict[int, _Key], int]:
    """Return the quotes, underlying and close by line, and how many rows are something else."""
    rows = csv_rows(document)
    line, names = next(rows, (1, []))
    layout = _layout(names, f"{document.source}, line {line}")
    quotes, keys, left_out = Quotes(), dict[int, _Key](), 0
    for line, cells in rows:
        row = dict(zip(names, cells, strict=False))
        symbol = row.get(layout.symbol, "")
        if row.get(layout.instrument) == layout.index_options and symbol in UNDERLYINGS:
            try:
                keys[line] = symbol, _close(row.get(layout.date, ""), symbol)
                _add(quotes, line, row, layout)
            except ValueError as error:
                quotes.refuse(line, str(error), ",".join(cells))
        else:
            left_out += 1
    return quotes, keys, left_out


def _layout(names: list[str], where: str) -> _Layout:
    for layout in _LAYOUTS:
        keys = (layout.instrument, layout.symbol, layout.expiry, layout.strike, layout.right)
        if {*keys, layout.date, *layout.values.values()} <= set(names):
            return layout
    raise InputError(f"{where}: the columns are not those of a bhavcopy", "fetch it again")


def _add(quotes: Quotes, line: int, row: dict[str, str], layout: _Layout) -> None:
    """Take one row; ValueError says what is wrong with its key."""
    right = {"CE": CE, "PE": PE}.get(row.get(layout.right, ""))
    if right is None:
        raise ValueError(f"option type {shown(row.get(layout.right))} is neither CE nor PE")
    values = {ours: row.get(theirs) for ours, theirs in layout.values.items()}
    quotes.add(line, day(row.get(layout.expiry, "")), row.get(layout.strike), right, values)


@lru_cache(maxsize=64)
def _close(date: str, underlying: str) -> np.datetime64:
    """Return when the session of a row ended, UTC; ValueError for what is no session."""
    try:
        return session(day(date).astype(dt.date), underlying).close_utc
    except RuleError as error:
        raise ValueError(str(error)) from error
