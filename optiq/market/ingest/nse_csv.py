"""NSE option chains saved as CSV: the website's download and the older page's table.

Three headers are known, all with calls left of the strike and puts right of it. Open interest is
in contracts today and was in units on the older page; volume is in contracts on both. None says
which expiry it shows or when: names, folders, ``--expiry`` and ``--at`` do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample, Unit
from optiq.market.ingest.documents import Document, csv_rows, read_document
from optiq.market.ingest.naming import expiry_of, moment_of, underlying_of
from optiq.market.ingest.quotes import Quotes
from optiq.market.schema import CE, PE

NAME = "nse_csv"

_HEAD = re.compile(rb'\W{0,4}(CALLS"?,[^,\n]*,"?PUTS|"?,?"?CallOI"?,)', re.I)
_COLUMNS = {
    "LTP": "ltp",
    "BID": "bid",
    "BIDPRICE": "bid",
    "ASK": "ask",
    "ASKPRICE": "ask",
    "BIDQTY": "bid_qty",
    "ASKQTY": "ask_qty",
    "VOLUME": "volume",
    "OI": "oi",
    "CHNGINOI": "oi_change",
    "IV": "iv",
    "CURRENTVAL": "spot",
}
_STRIKES = ("STRIKE", "STRIKEPRICE")


@dataclass(frozen=True, slots=True)
class _Header:
    """Where each column stands: ``calls`` and ``puts`` map a store column to a cell."""

    width: int
    strike: int
    calls: dict[str, int]
    puts: dict[str, int]
    oi_unit: Unit


def recognises(sample: Sample) -> bool:
    """Tell a page by its first line."""
    return bool(_HEAD.match(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield one saved page; a time without a zone in its name is IST, as the page shows."""
    document = read_document(path)
    underlying, expiry = underlying_of(path, options), expiry_of(path, options)
    observed = moment_of(path, options)
    header, quotes = _parse(document, expiry)
    names = {column: column for column in header.calls | header.puts}
    columns, rows = quotes.columns(names)
    columns["ts"] = np.full(len(rows), observed.time)
    yield Batch(
        columns,
        document.source,
        document.sha256,
        underlying=underlying,
        clock="IST" if observed.clock == "unknown" else observed.clock,
        oi_unit=header.oi_unit,
        volume_unit="contracts",
        iv_unit="percent",
        row_number=rows,
        broken=tuple(quotes.broken),
    )


def _parse(document: Document, expiry: np.datetime64) -> tuple[_Header, Quotes]:
    """Return the header and the quotes; the page's line of totals is none."""
    rows = csv_rows(document)
    header, quotes = _header(rows, document), Quotes()
    for line, cells in rows:
        if cells[0].lower() == "total":
            continue
        if len(cells) != header.width:
            quotes.refuse(line, f"{len(cells)} cells under {header.width} names", ",".join(cells))
        else:
            for right, places in ((CE, header.calls), (PE, header.puts)):
                values = {column: cells[place] for column, place in places.items()}
                quotes.add(line, expiry, cells[header.strike], right, values)
    if not quotes.row and not quotes.broken:
        raise InputError(f"{document.source} has a header and no strikes", "leave it out")
    return header, quotes


def _header(rows: Iterator[tuple[int, list[str]]], document: Document) -> _Header:
    """Return the header among the first two rows; a line ``CALLS,,PUTS`` may stand above it."""
    for _, (line, cells) in zip(range(2), rows, strict=False):
        names = [re.sub(r"[^A-Z]", "", cell.upper()) for cell in cells]
        strikes = [place for place, name in enumerate(names) if name in _STRIKES]
        if len(strikes) == 1:
            return _columns(names, strikes[0], f"{document.source}, line {line}")
    raise InputError(
        f"{document.source} has no header with one STRIKE column", "save the page's CSV unchanged"
    )


def _columns(names: list[str], strike: int, where: str) -> _Header:
    calls: dict[str, int] = {}
    puts: dict[str, int] = {}
    for place, name in enumerate(names):
        column = _COLUMNS.get(re.sub("^(CALL|PUT)", "", name))
        sides = (calls, puts) if column == "spot" else (calls if place < strike else puts,)
        for side in sides if column else ():
            if column in side:
                raise InputError(f"{where}: {name} stands twice", "save the page's CSV unchanged")
            side[str(column)] = place
    missing = {"ltp", "oi"} - calls.keys() | {"ltp", "oi"} - puts.keys()
    if missing:
        raise InputError(f"{where}: no column {', '.join(sorted(missing))} on both sides")
    is_old = names[0] == "CHART" or "CURRENTVAL" in names
    return _Header(len(names), strike, calls, puts, "units" if is_old else "contracts")
