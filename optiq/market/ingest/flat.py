"""The flat ``CALLS_``/``PUTS_`` table of NSE downloaders, one line a strike, CSV or Parquet.

``Fetch_Time`` is the exchange's stamp and ``collection_timestamp`` the recorder's clock, both IST
(measured: the recorder is a median 72 seconds behind). Open interest and volume are in contracts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.market.day_arrays import Columns
from optiq.market.ingest.batch import Batch, BrokenRow, ReadOptions, Sample
from optiq.market.ingest.documents import Record, csv_rows, read_document
from optiq.market.ingest.files import file_digest
from optiq.market.ingest.naming import underlying_of
from optiq.market.ingest.numbers import Moment, day, moment, shown
from optiq.market.ingest.quotes import Quotes
from optiq.market.schema import CE, IST_OFFSET, PE, AnyArray

NAME = "flat"

_SIDES = (("CALLS_", CE), ("PUTS_", PE))
_FIELDS = {
    "ltp": "LTP",
    "bid": "Bid_Price",
    "ask": "Ask_Price",
    "bid_qty": "Bid_Qty",
    "ask_qty": "Ask_Qty",
    "volume": "Volume",
    "oi": "OI",
    "oi_change": "Chng_in_OI",
    "iv": "IV",
}
_KEYS = ("Fetch_Time", "Expiry_Date", "Strike_Price")
_OURS = {*_KEYS, *(side + name for side, _ in _SIDES for name in _FIELDS.values())}
_OPTIONAL = ("collection_timestamp", "Symbol", "index_name")
_LINES_AT_ONCE = 20_000

Lines = Iterable[tuple[int, Record]]


@dataclass(slots=True)
class _Gathered:
    """Both sides' quotes, and what a line says of both, by line."""

    calls: Quotes = field(default_factory=Quotes)
    puts: Quotes = field(default_factory=Quotes)
    observed: dict[int, np.datetime64] = field(default_factory=dict)
    received: dict[int, np.datetime64] = field(default_factory=dict)
    underlying: dict[int, str] = field(default_factory=dict)


def recognises(sample: Sample) -> bool:
    """Tell the table by its columns; a Parquet file's stand at its end."""
    if sample.head.startswith(b"PAR1"):
        try:
            return set(_parquet(sample.path).schema_arrow.names) >= _OURS
        except InputError:
            return False
    header = sample.head.split(b"\n", 1)[0].decode("latin-1")
    return {name.strip('"\r ') for name in header.split(",")} >= _OURS


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield the table in pieces of some thousand lines."""
    is_parquet = _opens_with(path, b"PAR1")
    source, pieces = _parquet_pieces(path) if is_parquet else _csv_pieces(path)
    sha256 = file_digest(path)
    for lines, broken in pieces:
        gathered = _gather(lines, path, options)
        columns, rows = _columns(gathered)
        yield Batch(
            columns,
            source,
            sha256,
            clock="IST",
            oi_unit="contracts",
            volume_unit="contracts",
            iv_unit="percent",
            row_number=rows,
            broken=(*broken, *gathered.calls.broken, *gathered.puts.broken),
        )


def _gather(lines: Lines, path: Path, options: ReadOptions) -> _Gathered:
    gathered = _Gathered()
    for line, record in lines:
        try:
            expiry = _day(record["Expiry_Date"])
            gathered.observed[line] = _ist(record["Fetch_Time"])
            received = record.get("collection_timestamp")
            gathered.received[line] = _ist(received) if received else np.datetime64("NaT")
        except ValueError as error:
            gathered.calls.refuse(line, str(error), record["Strike_Price"])
            gathered.puts.refuse(line, str(error), record["Strike_Price"])
            continue
        named = record.get("Symbol") or record.get("index_name")
        gathered.underlying[line] = str(named) if named else underlying_of(path, options)
        for quotes, right in ((gathered.calls, CE), (gathered.puts, PE)):
            quotes.add(line, expiry, record["Strike_Price"], right, record)
    return gathered


def _columns(gathered: _Gathered) -> tuple[Columns, AnyArray]:
    """Return both sides under one another."""
    sides = [
        quotes.columns({column: prefix + name for column, name in _FIELDS.items()})
        for quotes, (prefix, _) in zip((gathered.calls, gathered.puts), _SIDES, strict=True)
    ]
    columns = {name: np.concatenate([side[0][name] for side in sides]) for name in sides[0][0]}
    rows = np.concatenate([side[1] for side in sides])
    lines = rows.tolist()
    columns["ts"] = _times(gathered.observed, lines)
    columns["received_ts"] = _times(gathered.received, lines)
    columns["underlying"] = np.array([gathered.underlying[line] for line in lines], dtype=object)
    return columns, rows


def _times(by_line: dict[int, np.datetime64], lines: list[int]) -> AnyArray:
    return np.array([by_line[line] for line in lines], dtype="datetime64[us]")


def _day(value: Any) -> np.datetime64:
    if isinstance(value, dt.date):  # a datetime is one too
        return np.datetime64(value.isoformat()[:10], "D")
    return day(value if isinstance(value, str) else shown(value))


def _ist(value: Any) -> np.datetime64:
    if isinstance(value, dt.datetime):
        value = value.isoformat()
    found = moment(value if isinstance(value, str) else shown(value))
    return _to_ist(found)


def _to_ist(found: Moment) -> np.datetime64:
    return found.time + IST_OFFSET if found.clock == "UTC" else found.time


def _csv_pieces(path: Path) -> tuple[str, Iterator[tuple[Lines, list[BrokenRow]]]]:
    document = read_document(path)
    rows = csv_rows(document)
    _, names = next(rows, (1, []))
    _require(names, path)
    lines: list[tuple[int, Record]] = []
    broken = []
    for line, cells in rows:
        if len(cells) == len(names):
            lines.append((line, dict(zip(names, cells, strict=True))))
        else:
            reason = f"{len(cells)} cells under {len(names)} names"
            broken.append(BrokenRow(line, reason, shown(",".join(cells))))
    if not lines and not broken:
        raise InputError(f"{path} has a header and no lines", "leave it out")
    return document.source, iter([(lines, broken)])


def _parquet_pieces(path: Path) -> tuple[str, Iterator[tuple[Lines, list[BrokenRow]]]]:
    file = _parquet(path)
    names = file.schema_arrow.names
    _require(names, path)
    if not file.metadata.num_rows:
        raise InputError(f"{path} has no lines", "leave it out")
    wanted = [name for name in names if name in _OURS or name in _OPTIONAL]
    return str(path), _parquet_lines(file, wanted, path)


def _parquet_lines(
    file: Any, wanted: list[str], path: Path
) -> Iterator[tuple[Lines, list[BrokenRow]]]:
    import pyarrow as pa

    first = 1
    try:
        for piece in file.iter_batches(_LINES_AT_ONCE, columns=wanted):
            yield list(enumerate(piece.to_pylist(), first)), []
            first += piece.num_rows
    except (pa.ArrowException, OSError) as error:
        message = shown(str(error).splitlines()[0], 120)
        raise InputError(f"{path}, after line {first - 1}: {message}", "fetch it again") from error


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        message = shown(str(error).splitlines()[0], 120)
        raise InputError(
            f"{path} is no readable Parquet file: {message}", "copy it again"
        ) from error


def _require(names: list[str], path: Path) -> None:
    if missing := sorted(_OURS - set(names)):
        raise InputError(
            f"{path} is no CALLS_/PUTS_ table: it lacks {', '.join(missing[:5])}",
            "--format csv or parquet reads other tables",
        )
    if len(set(names)) < len(names):
        raise InputError(f"{path} has a column name twice", "save the table again")


def _opens_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
