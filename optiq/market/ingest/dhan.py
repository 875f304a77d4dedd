"""DhanHQ v2 ``/v2/optionchain``: one expiry, named neither by the payload nor any clock in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Document, Record, read_document
from optiq.market.ingest.naming import expiry_of, underlying_of
from optiq.market.ingest.quotes import Quotes
from optiq.market.ingest.responses import Response, empty_chain, responses
from optiq.market.schema import CE, PE

NAME = "dhan"

_CHAIN = re.compile(rb'"oc"\s*:\s*\{')
_FIELDS = {
    "ltp": "last_price",
    "bid": "top_bid_price",
    "ask": "top_ask_price",
    "bid_qty": "top_bid_quantity",
    "ask_qty": "top_ask_quantity",
    "volume": "volume",
    "oi": "oi",
    "previous_oi": "previous_oi",
    "iv": "implied_volatility",
    "delta": "delta",
    "gamma": "gamma",
    "theta": "theta",
    "vega": "vega",
    "spot": "spot",
}


def recognises(sample: Sample) -> bool:
    """Tell a chain by its ``oc`` object of strikes."""
    return bool(_CHAIN.search(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield a batch a response; expiry and underlying come from options or names."""
    return batches(read_document(path), options)


def batches(document: Document, options: ReadOptions) -> Iterator[Batch]:
    """Yield a batch a response of a document, be it a file or what a server just sent."""
    path = Path(document.source)
    expiry, underlying = expiry_of(path, options), underlying_of(path, options)
    for response in responses(document, options):
        quotes = _quotes(response, expiry, document.source)
        columns, rows = quotes.columns(_FIELDS)
        columns["ts"] = np.full(len(rows), response.observed.time)
        yield Batch(
            columns,
            document.source,
            document.sha256,
            underlying=underlying,
            clock=response.observed.clock,
            oi_unit="units",
            volume_unit="units",
            iv_unit="percent",
            row_number=rows,
            broken=tuple(quotes.broken),
        )


def _quotes(response: Response, expiry: np.datetime64, source: str) -> Quotes:
    data = response.payload.get("data")
    strikes = data.get("oc") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(strikes, dict) or not strikes:
        raise empty_chain(response, source)
    quotes = Quotes()
    for position, (strike, sides) in enumerate(strikes.items(), 1):
        for name, right in (("ce", CE), ("pe", PE)):
            leg = sides.get(name) if isinstance(sides, dict) else sides
            if leg is None:
                continue
            greeks = leg.get("greeks") if isinstance(leg, dict) else None
            if not isinstance(leg, dict) or not isinstance(greeks, dict | None):
                quotes.refuse(position, f"{name} of strike {strike[:20]} is no object", leg)
                continue
            values: Record = {**leg, **(greeks or {}), "spot": data.get("last_price")}
            quotes.add(position, expiry, strike, right, values)
    return quotes
