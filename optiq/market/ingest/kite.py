"""Kite Connect ``/quote``: instruments by trading symbol, five levels of depth, IST stamps.

The answer is one poll, so its quotes share its latest stamp; an instrument's own stamp is when it
last changed. The quote of an index in the same answer is the spot of its options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.documents import Record, json_record, read_document
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.naming import moment_of
from optiq.market.ingest.numbers import Moment, moment, shown
from optiq.market.ingest.quotes import Quotes
from optiq.market.ingest.symbols import option_of_symbol
from optiq.market.schema import IST_OFFSET, UNDERLYINGS

NAME = "kite"

_QUOTE = re.compile(rb'"(NFO|BFO|NSE|BSE|MCX|CDS|BCD):[^"]+"\s*:\s*\{')
_FIELDS = {
    "ltp": "last_price",
    "bid": "bid",
    "ask": "ask",
    "bid_qty": "bid_qty",
    "ask_qty": "ask_qty",
    "volume": "volume",
    "oi": "oi",
    "spot": "spot",
}


class _Gathered(NamedTuple):
    quotes: Quotes
    underlyings: dict[int, str]
    """By the position of the instrument in the answer."""
    stamps: list[Moment]


def recognises(sample: Sample) -> bool:
    """Tell an answer by its ``EXCHANGE:SYMBOL`` keys."""
    return bool(_QUOTE.search(sample.head))


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield one answer's option quotes; other instruments become broken rows that say so."""
    document = read_document(path)
    data = json_record(document).get("data")
    if not isinstance(data, dict) or not data:
        raise InputError(
            f"{path} holds no quotes under data", "give the answer of /quote as it was received"
        )
    gathered = _gather(data)
    quotes = gathered.quotes
    if not quotes.row:
        raise InputError(
            f"{path} quotes no index option ({_examples(data)})",
            "ask /quote for symbols such as NFO:NIFTY26SEP24200CE",
        )
    columns, rows = quotes.columns(_FIELDS)
    observed = _latest(gathered.stamps) or moment_of(path, options)
    columns["ts"] = np.full(len(rows), observed.time)
    names = [gathered.underlyings[row] for row in rows.tolist()]
    columns["underlying"] = np.array(names, dtype=object)
    yield Batch(
        columns,
        document.source,
        document.sha256,
        clock=observed.clock,
        oi_unit="units",
        volume_unit="units",
        row_number=rows,
        broken=tuple(quotes.broken),
    )


def _examples(data: Record) -> str:
    return ", ".join(shown(key) for key in list(data)[:3])


def _gather(data: Record) -> _Gathered:
    gathered = _Gathered(Quotes(), {}, [])
    spots = {
        index_name(key): quote.get("last_price")
        for key, quote in data.items()
        if isinstance(quote, dict)
    }
    for position, (key, quote) in enumerate(data.items(), 1):
        if index_name(key) not in UNDERLYINGS:
            try:
                _add(gathered, position, key, quote, spots)
            except ValueError as error:
                gathered.quotes.refuse(position, str(error), key)
    return gathered


def _add(
    gathered: _Gathered, position: int, key: str, quote: Any, spots: dict[str, object]
) -> None:
    """Take one instrument; ValueError says why it is no option quote."""
    option = option_of_symbol(key.partition(":")[2])
    if not isinstance(quote, dict):
        raise ValueError(f"{shown(key)} is no object")
    stamp = quote.get("timestamp")
    if stamp is not None:
        found = moment(stamp if isinstance(stamp, str) else type(stamp).__name__)
        gathered.stamps.append(found if found.clock == "UTC" else _ist_to_utc(found))
    values = {**quote, **_best(quote.get("depth")), "spot": spots.get(option.underlying)}
    gathered.underlyings[position] = option.underlying
    gathered.quotes.add(position, option.expiry, option.strike, option.right, values)


def _ist_to_utc(found: Moment) -> Moment:
    return Moment(found.time - IST_OFFSET, "UTC")


def _latest(stamps: list[Moment]) -> Moment | None:
    return max(stamps, key=lambda stamp: stamp.time) if stamps else None


def _best(depth: Any) -> dict[str, object]:
    """Return the first level of either side; levels are padded with zeros, which mean none."""
    best: dict[str, object] = {}
    for side, name in (("buy", "bid"), ("sell", "ask")):
        levels = depth.get(side) if isinstance(depth, dict) else None
        if isinstance(levels, list) and levels and isinstance(levels[0], dict):
            best[name] = levels[0].get("price")
            best[f"{name}_qty"] = levels[0].get("quantity")
    return best
