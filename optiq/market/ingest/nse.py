"""NSE option-chain JSON: ``option-chain-indices`` and the newer ``option-chain-v3``.

The stamp inside is the exchange's, in IST. The name a recorder gave the file is not read: a copy
under another name must give the same trades.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Document, Record, json_record, read_document
from optiq.market.ingest.naming import moment_of, underlying_of
from optiq.market.ingest.numbers import Moment, expiry_day, moment, number
from optiq.market.ingest.quotes import Quotes
from optiq.market.schema import CE, PE

NAME = "nse"

_CHAIN = re.compile(rb'"(records|filtered)"\s*:\s*\{')
_COMMON = {
    "ltp": "lastPrice",
    "volume": "totalTradedVolume",
    "oi": "openInterest",
    "oi_change": "changeinOpenInterest",
    "iv": "impliedVolatility",
    "spot": "underlyingValue",
}
_OLD_BOOK = {"bid": "bidprice", "ask": "askPrice", "bid_qty": "bidQty", "ask_qty": "askQty"}
_V3_BOOK = {
    "bid": "buyPrice1",
    "ask": "sellPrice1",
    "bid_qty": "buyQuantity1",
    "ask_qty": "sellQuantity1",
}


def recognises(sample: Sample) -> bool:
    """Tell a chain by its outer keys; ``{}`` is what NSE sends to a client it blocks."""
    return sample.head.strip() == b"{}" or bool(_CHAIN.search(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield one response's quotes; open interest and volume are in contracts."""
    return batches(read_document(path), options)


def batches(document: Document, options: ReadOptions) -> Iterator[Batch]:
    """Yield the quotes of a document, be it a file or what a server just sent."""
    chain = _chain(document)
    quotes = _quotes(chain["data"])
    columns, rows = quotes.columns(_COMMON | _book(quotes))
    observed = _observed(document, chain, options)
    columns["ts"] = np.full(len(rows), observed.time)
    _fill_spot(columns, chain, document)
    yield Batch(
        columns,
        document.source,
        document.sha256,
        underlying=_underlying(quotes, options, Path(document.source)),
        clock=observed.clock,
        oi_unit="contracts",
        volume_unit="contracts",
        iv_unit="percent",
        row_number=rows,
        broken=tuple(quotes.broken),
    )


def _chain(document: Document) -> Record:
    """Return the part with all expiries; ``filtered`` repeats the nearest one."""
    response = json_record(document)
    for part in ("records", "filtered"):
        chain = response.get(part)
        if isinstance(chain, dict) and isinstance(chain.get("data"), list) and chain["data"]:
            return chain
    raise InputError(
        f"{document.source} is an empty option chain",
        "NSE sends one to a client it blocks and outside trading hours: leave the file out",
    )


def _quotes(data: list[Any]) -> Quotes:
    quotes = Quotes()
    for position, row in enumerate(data, 1):
        if isinstance(row, dict):
            _add_row(quotes, position, row)
        else:
            quotes.refuse(position, "a row of the chain is no object", row)
    return quotes


def _add_row(quotes: Quotes, position: int, row: Record) -> None:
    for name, right in (("CE", CE), ("PE", PE)):
        leg = row.get(name)
        if leg is None:  # a strike listed on one side only
            continue
        if not isinstance(leg, dict):
            quotes.refuse(position, f"{name} is no object", leg)
            continue
        try:
            expiry = expiry_day(_expiry(row, leg))
        except ValueError as error:
            quotes.refuse(position, str(error), _expiry(row, leg))
            continue
        quotes.add(position, expiry, row.get("strikePrice", leg.get("strikePrice")), right, leg)


def _expiry(row: Record, leg: Record) -> object:
    """Return the row's expiry: ``expiryDate``, or a string called ``expiryDates`` in v3."""
    return row.get("expiryDate") or row.get("expiryDates") or leg.get("expiryDate")


def _book(quotes: Quotes) -> dict[str, str]:
    is_v3 = any("buyPrice1" in leg or "sellPrice1" in leg for leg in quotes.values)
    return _V3_BOOK if is_v3 else _OLD_BOOK


def _observed(document: Document, chain: Record, options: ReadOptions) -> Moment:
    stamp = chain.get("timestamp")
    if not stamp:
        return moment_of(Path(document.source), options)
    try:
        found = moment(stamp if isinstance(stamp, str) else str(type(stamp)))
    except ValueError as error:
        raise InputError(f"{document.source}, records.timestamp: {error}", "give --at") from error
    return Moment(found.time, "IST") if found.clock == "unknown" else found


def _fill_spot(columns: dict[str, Any], chain: Record, document: Document) -> None:
    """Put the chain's own level where a leg has none."""
    try:
        level = number(chain.get("underlyingValue")) or np.nan
    except ValueError as error:
        raise InputError(f"{document.source}, records.underlyingValue: {error}") from error
    columns["spot"] = np.where(np.isnan(columns["spot"]), level, columns["spot"])


def _underlying(quotes: Quotes, options: ReadOptions, path: Path) -> str:
    for leg in quotes.values:
        if isinstance(leg.get("underlying"), str) and leg["underlying"]:
            return str(leg["underlying"])
    return underlying_of(path, options)
