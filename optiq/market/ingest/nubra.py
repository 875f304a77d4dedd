"""Nubra's option chain: prices in paise, UTC nanoseconds, nulls for the untraded, no book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Record, json_record, read_document
from optiq.market.ingest.naming import underlying_of
from optiq.market.ingest.numbers import expiry_day, number
from optiq.market.ingest.quotes import Quotes
from optiq.market.schema import CE, PE

NAME = "nubra"

_CHAIN = re.compile(rb'"chain"\s*:\s*\{\s*"asset"')
_FIELDS = {
    "ltp": "last_traded_price",
    "volume": "volume",
    "oi": "open_interest",
    "previous_oi": "previous_open_interest",
    "iv": "iv",
    "delta": "delta",
    "gamma": "gamma",
    "theta": "theta",
    "vega": "vega",
}
_PAISE = 100.0
_EARLIEST, _LATEST = 0.9e18, 4.1e18
"""Nanoseconds since 1970 of 1998 and 2099: seconds or milliseconds would lie far below."""


def recognises(sample: Sample) -> bool:
    """Tell a chain by how it opens."""
    return bool(_CHAIN.search(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield one chain; it is one poll, so its quotes share the latest leg's stamp."""
    document = read_document(path)
    chain = json_record(document).get("chain")
    legs = _legs(chain) if isinstance(chain, dict) else []
    if not isinstance(chain, dict) or not legs:
        raise InputError(f"{path} is an empty chain", "leave it out, or fetch it again")
    quotes = _quotes(legs, _expiry(chain, path))
    columns, rows = quotes.columns(_FIELDS)
    columns["strike"] = columns["strike"] / _PAISE
    columns["ltp"] = columns["ltp"] / _PAISE
    columns["ts"] = np.full(len(rows), _observed(legs, path))
    columns["spot"] = np.full(len(rows), _spot(chain, path))
    yield Batch(
        columns,
        document.source,
        document.sha256,
        underlying=_underlying(chain, path, options),
        clock="UTC",
        oi_unit="units",
        volume_unit="units",
        iv_unit="fraction",
        row_number=rows,
        broken=tuple(quotes.broken),
    )


def _legs(chain: Record) -> list[tuple[int, Any]]:
    sides = ((right, chain.get(name)) for name, right in (("ce", CE), ("pe", PE)))
    return [(right, leg) for right, side in sides if isinstance(side, list) for leg in side]


def _quotes(legs: list[tuple[int, Any]], expiry: np.datetime64) -> Quotes:
    quotes = Quotes()
    for position, (right, leg) in enumerate(legs, 1):
        if isinstance(leg, dict):
            quotes.add(position, expiry, leg.get("strike_price"), right, leg)
        else:
            quotes.refuse(position, "a leg of the chain is no object", leg)
    return quotes


def _expiry(chain: Record, path: Path) -> np.datetime64:
    try:
        return expiry_day(chain.get("expiry"))
    except ValueError as error:
        raise InputError(f"{path}, chain.expiry: {error}", "fetch the chain again") from error


def _observed(legs: list[tuple[int, Any]], path: Path) -> np.datetime64:
    """Return the latest leg's stamp; an untraded leg keeps that of the open."""
    stamps = [
        stamp
        for _, leg in legs
        if isinstance(leg, dict)
        and isinstance(stamp := leg.get("timestamp"), int)
        and _EARLIEST < stamp < _LATEST
    ]
    if not stamps:
        raise InputError(f"{path} has no timestamp in nanoseconds", "fetch the chain again")
    return np.datetime64(max(stamps) // 1000, "us")


def _spot(chain: Record, path: Path) -> float:
    try:
        return (number(chain.get("current_price")) or np.nan) / _PAISE
    except ValueError as error:
        raise InputError(f"{path}, chain.current_price: {error}") from error


def _underlying(chain: Record, path: Path, options: ReadOptions) -> str:
    asset = chain.get("asset")
    return asset if isinstance(asset, str) and asset else underlying_of(path, options)
