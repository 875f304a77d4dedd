"""Where refused rows go: one Parquet file per source, underlying and session, with the reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optiq.market.durable import make_folder, storage_error
from optiq.market.ingest.normalise import Refused
from optiq.market.schema import PRICES, QUANTITIES, AnyArray

_TIME = pa.timestamp("us", tz="UTC")
_NUMBERS = ("strike", *PRICES, *QUANTITIES, "spot")
SCHEMA = pa.schema(
    [
        ("reason", pa.string()),
        ("source", pa.string()),
        ("row_number", pa.int64()),
        ("text", pa.string()),
        ("ts", _TIME),
        ("received_ts", _TIME),
        ("expiry", pa.date32()),
        ("right", pa.string()),
        *((name, pa.float64()) for name in _NUMBERS),
        *((f"kept_{name}", pa.float64()) for name in (*PRICES, *QUANTITIES)),
    ]
)
"""``kept_*`` are the stored values a conflicting row disagrees with."""

Waiting = dict[Path, list[tuple[str, Refused]]]


class Quarantine:
    """Collects refused rows and writes them before their day is committed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._waiting: Waiting = {}
        self._written: set[Path] = set()
        self._one_at_a_time = Lock()

    def add(self, source: str, sha256: str, refused: Refused) -> None:
        """Remember rows until they are ``taken``."""
        path = self._path(refused.underlying, refused.date, sha256)
        self._waiting.setdefault(path, []).append((source, refused))

    def taken(self) -> Waiting:
        """Hand over what waits, for ``write``."""
        waiting, self._waiting = self._waiting, {}
        return waiting

    def write(self, waiting: Waiting) -> None:
        """Write refused rows; a file of an earlier run of the same source is replaced."""
        with self._one_at_a_time:
            try:
                self._write(waiting)
            except OSError as reason:
                raise storage_error(self._root / "quarantine", reason) from reason

    def _write(self, waiting: Waiting) -> None:
        for path, rows in waiting.items():
            tables = [_table(source, refused) for source, refused in rows]
            if path in self._written:
                tables = [pq.read_table(path, schema=SCHEMA), *tables]
            make_folder(path.parent)
            half = path.with_suffix(".tmp")
            pq.write_table(
                pa.concat_tables(tables),
                half,
                compression="zstd",
                use_dictionary=["reason", "source", "right"],
                write_statistics=False,
            )
            half.replace(path)
            self._written.add(path)

    def forget(self, sha256: str) -> None:
        """Drop the waiting rows of a source that goes in not at all."""
        mine = [path for path in self._waiting if path.stem == sha256[:16]]
        for path in mine:
            del self._waiting[path]

    def _path(self, underlying: str | None, date: dt.date | None, sha256: str) -> Path:
        folder = f"underlying={underlying or 'unknown'}/date={date or 'unknown'}"
        return self._root / "quarantine" / folder / f"{sha256[:16]}.parquet"


def _table(source: str, refused: Refused) -> pa.Table:
    rows = len(refused)
    arrays = []
    for entry in SCHEMA:
        if entry.name == "reason":
            arrays.append(pa.repeat(refused.reason, rows))
        elif entry.name == "source":
            arrays.append(pa.repeat(source, rows))
        elif entry.name == "text" and refused.texts:
            arrays.append(pa.array(refused.texts))
        else:
            arrays.append(_array(entry, refused, rows))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _array(entry: pa.Field, refused: Refused, rows: int) -> pa.Array:
    holder = refused.other if entry.name.startswith("kept_") else refused.columns
    values = holder.get(entry.name.removeprefix("kept_"))
    if values is None:
        return pa.nulls(rows, entry.type)
    if entry.name == "right":
        names = np.array(["CE", "PE", None], object)
        return pa.array(names[np.select([values > 0, values < 0], [0, 1], 2)], pa.string())
    if entry.type == _TIME:
        return pa.array(values.astype("datetime64[us]"), pa.timestamp("us")).cast(_TIME)
    return _plain(values, entry.type)


def _plain(values: AnyArray, kind: pa.DataType) -> pa.Array:
    if values.dtype.kind == "M":
        return pa.array(values.astype("datetime64[D]"), kind)
    wide = values.astype(np.float64) if pa.types.is_floating(kind) else values
    return pa.array(wide, kind, from_pandas=True)
