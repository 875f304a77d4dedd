"""Upstox v2 ``/v2/option/chain``: one expiry, quantities in units, no clock inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Document, Record, read_document
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.naming import underlying_of
from optiq.market.ingest.numbers import expiry_day
from optiq.market.ingest.quotes import Quotes
from optiq.market.ingest.responses import Response, empty_chain, responses
from optiq.market.schema import CE, PE, UNDERLYINGS

NAME = "upstox"

_CHAIN = re.compile(rb'"(call_options|put_options|underlying_spot_price)"\s*:')
_FIELDS = {
    "ltp": "ltp",
    "bid": "bid_price",
    "ask": "ask_price",
    "bid_qty": "bid_qty",
    "ask_qty": "ask_qty",
    "volume": "volume",
    "oi": "oi",
    "previous_oi": "prev_oi",
    "iv": "iv",
    "delta": "delta",
    "gamma": "gamma",
    "theta": "theta",
    "vega": "vega",
    "spot": "spot",
}


def recognises(sample: Sample) -> bool:
    """Tell a chain by the names of its sides."""
    return bool(_CHAIN.search(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield a batch a response; when it was observed comes from beside it, see ``responses``."""
    return batches(read_document(path), options)


def batches(document: Document, options: ReadOptions) -> Iterator[Batch]:
    """Yield a batch a response of a document, be it a file or what a server just sent."""
    for response in responses(document, options):
        yield _batch(response, document, options)


def _batch(response: Response, document: Document, options: ReadOptions) -> Batch:
    data = response.payload.get("data")
    if not isinstance(data, list) or not data:
        raise empty_chain(response, document.source)
    quotes = _quotes(data)
    columns, rows = quotes.columns(_FIELDS)
    columns["ts"] = np.full(len(rows), response.observed.time)
    return Batch(
        columns,
        document.source,
        document.sha256,
        underlying=_underlying(data, Path(document.source), options),
        clock=response.observed.clock,
        oi_unit="units",
        volume_unit="units",
        iv_unit="percent",
        row_number=rows,
        broken=tuple(quotes.broken),
    )


def _quotes(data: list[Any]) -> Quotes:
    quotes = Quotes()
    for position, row in enumerate(data, 1):
        if not isinstance(row, dict):
            quotes.refuse(position, "a row of the chain is no object", row)
            continue
        try:
            expiry = expiry_day(row.get("expiry"))
        except ValueError as error:
            quotes.refuse(position, str(error), row.get("expiry"))
            continue
        for name, right in (("call_options", CE), ("put_options", PE)):
            if row.get(name) is not None:
                _add_leg(quotes, position, expiry, right, row, row[name])
    return quotes


def _add_leg(
    quotes: Quotes, position: int, expiry: np.datetime64, right: int, row: Record, leg: Any
) -> None:
    parts = [leg.get(part) for part in ("market_data", "option_greeks")] if _is(leg) else [leg]
    if not all(part is None or _is(part) for part in parts):
        quotes.refuse(position, "a side of the strike is no object", leg)
        return
    values: Record = {"spot": row.get("underlying_spot_price")}
    for part in parts:
        values |= part or {}
    quotes.add(position, expiry, row.get("strike_price"), right, values)


def _is(value: object) -> bool:
    return isinstance(value, dict)


def _underlying(data: list[Any], path: Path, options: ReadOptions) -> str:
    keys = {str(row.get("underlying_key")) for row in data if isinstance(row, dict)}
    if len(keys) > 1:
        raise InputError(f"{path} mixes {len(keys)} underlyings", "store one chain a response")
    named = index_name(keys.pop()) if keys else ""
    return named if named in UNDERLYINGS else underlying_of(path, options)
