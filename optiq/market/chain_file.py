"""One day's Parquet file: fixed columns, a row group an expiry, its content's id in the footer."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optiq.errors import AccessError, DamagedError, OptiqError
from optiq.market.day_arrays import Columns, Grid, grid_of, n_quotes, packed, unpacked
from optiq.market.schema import COLUMNS, FIELDS, GREEKS, KEY, AnyArray

VENDOR_GREEKS = tuple(f"{name}_vendor" for name in GREEKS)
ALL_COLUMNS = (*COLUMNS, *VENDOR_GREEKS, "is_chain")
"""Every file has every column, so that a reader may glob over all days."""

CONTENT_KEY = b"optiq.content_id"
GRID_KEY = b"optiq.grid"
_TIME = pa.timestamp("us", tz="UTC")
_TYPES = {
    "ts": _TIME,
    "received_ts": _TIME,
    "expiry": pa.date32(),
    "right": pa.dictionary(pa.int8(), pa.string()),
    "is_chain": pa.bool_(),
}
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.float32())) for name in ALL_COLUMNS])
_FLOATS = [field.name for field in SCHEMA if field.type == pa.float32()]
_LEVEL = -5
"""With floats split into their bytes it reads half again as fast as level 1, and is smaller."""


def content_id(underlying: str, date: dt.date, columns: Mapping[str, AnyArray]) -> str:
    """Return the digest of a day's stored values; equal content has an equal id.

    A column that says nothing counts as one that is not there.
    """
    digest = hashlib.sha256(f"{underlying} {date}".encode())
    for name in ALL_COLUMNS:
        if name in columns and _says_something(name, columns[name]):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(as_stored(name, columns[name])).data.cast("B"))
    return digest.hexdigest()[:32]


def _says_something(name: str, values: AnyArray) -> bool:
    if name == "is_chain":
        return not values.all()
    return name == "right" or not np.isnan(values).all()


def as_stored(name: str, values: AnyArray) -> AnyArray:
    """Return a column in the width it is stored in, every NaN with the same bits."""
    if name in ("ts", "received_ts"):
        return values.astype("datetime64[us]").view(np.int64)
    if name == "expiry":
        return values.astype("datetime64[D]").view(np.int64)
    if name == "right":
        return values.astype(np.int8)
    if name == "is_chain":
        return values.astype(np.uint8)
    narrow = values.astype(np.float32)
    narrow[np.isnan(narrow)] = np.nan
    return narrow


def write(path: Path, columns: Columns, identity: str) -> None:
    """Write sorted columns to ``path`` and flush them to the disk."""
    table = _table(columns)
    expiry = columns["expiry"].view(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(expiry)) + 1).tolist(), n_quotes(columns)]
    grid = packed(grid_of(columns))
    schema = SCHEMA.with_metadata({CONTENT_KEY: identity.encode(), GRID_KEY: grid})
    with path.open("wb") as file:
        with pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=["right"],
            use_byte_stream_split=_FLOATS,
            store_schema=True,
        ) as writer:
            for start, stop in pairwise(edges):
                writer.write_table(table.slice(start, stop - start), row_group_size=stop - start)
        file.flush()
        os.fsync(file.fileno())


def _table(columns: Columns) -> pa.Table:
    length = n_quotes(columns)
    arrays = [
        _arrow(name, columns[name]) if name in columns else _absent(name, length)
        for name in ALL_COLUMNS
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _absent(name: str, length: int) -> pa.Array:
    if name == "is_chain":
        return pa.array(np.ones(length, np.bool_))
    return pa.nulls(length, SCHEMA.field(name).type)


def _arrow(name: str, values: AnyArray) -> pa.Array:
    if name in ("ts", "received_ts"):
        return pa.array(values.astype("datetime64[us]"), pa.timestamp("us")).cast(_TIME)
    if name == "right":
        codes = pa.array((values < 0).astype(np.int8))
        return pa.DictionaryArray.from_arrays(codes, pa.array(["CE", "PE"]))
    if name == "expiry":
        return pa.array(values.astype("datetime64[D]"), pa.date32())
    if name == "is_chain":
        return pa.array(values.astype(np.bool_))
    return pa.array(values.astype(np.float32), from_pandas=True)


class ChainFile:
    """A chain file whose footer has been read once.

    It stays open until the first read, so that a panel costs one opening; later reads, of fields
    asked for afterwards, open it anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: pq.ParquetFile | None = _opened(path)
        self.metadata: pq.FileMetaData = self._open.metadata
        self._said: dict[bytes, bytes] = self.metadata.metadata or {}

    @property
    def content_id(self) -> str:
        """The id its writer gave it; empty where a stranger wrote it."""
        return self._said.get(CONTENT_KEY, b"").decode()

    @cached_property
    def grid(self) -> Grid:
        """Where the quotes belong, from the footer; from the key columns where it has none."""
        text = self._said.get(GRID_KEY)
        return grid_of(self.read(KEY)) if text is None else unpacked(text)

    def read(self, names: Iterable[str]) -> Columns:
        """Return columns as arrays; those that say nothing (no value anywhere) are left out."""
        wanted = [name for name in names if self._tells(name)]
        opened, self._open = self._open, None
        try:
            with opened or _opened(self.path, self.metadata) as file:
                table = file.read(columns=wanted, use_threads=False)
        except (pa.ArrowException, OSError) as reason:
            raise _damaged(self.path, reason) from reason
        return {name: _numpy(name, table.column(name)) for name in wanted}

    def read_all(self) -> Columns:
        """Return every column."""
        return self.read(ALL_COLUMNS)

    def _tells(self, name: str) -> bool:
        """Whether a column has a value, by the footer alone; ``is_chain`` if any is false."""
        index = self._index.get(name)
        return index is not None and any(
            _tells(name, group.column(index).statistics) for group in self._groups
        )

    @cached_property
    def _groups(self) -> list[pq.RowGroupMetaData]:
        return [self.metadata.row_group(group) for group in range(self.metadata.num_row_groups)]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.metadata.schema.names)}


def _tells(column: str, statistics: pq.Statistics | None) -> bool:
    if statistics is None:
        return True
    if column == "is_chain" and statistics.has_min_max:
        return not statistics.min
    return not statistics.has_null_count or statistics.num_values > 0


def _opened(path: Path, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    # Arrow's reading ahead, made for distant stores, doubles the work on a local file.
    return pq.ParquetFile(path, metadata=metadata, pre_buffer=False)


def open_chain(path: Path) -> ChainFile | None:
    """Read the footer of a chain file; None where there is no file."""
    try:
        return ChainFile(path)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as reason:
        raise _damaged(path, reason) from reason


def _damaged(path: Path, reason: Exception) -> OptiqError:
    if isinstance(reason, PermissionError):
        return AccessError(f"{path}: no permission to read it", "give this user access")
    return DamagedError(
        f"{path}: cannot be read ({reason})", "delete the day's folder and ingest its source again"
    )


def _numpy(name: str, column: pa.ChunkedArray) -> AnyArray:
    if name == "right":
        parts = [_sides(chunk) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.empty(0, np.int8)
    values: AnyArray = column.to_numpy()
    if name in ("ts", "received_ts"):
        return values.astype("datetime64[us]", copy=False)
    if name == "expiry":
        return values.astype("datetime64[D]", copy=False)
    return values if name == "is_chain" or name in FIELDS else values.astype(np.float32, copy=False)


def _sides(chunk: pa.DictionaryArray | pa.StringArray) -> AnyArray:
    if not isinstance(chunk, pa.DictionaryArray):
        chunk = chunk.dictionary_encode()
    signs = np.array([1 if name == "CE" else -1 for name in chunk.dictionary.to_pylist()], np.int8)
    codes: AnyArray = chunk.indices.to_numpy(zero_copy_only=False)
    return signs[codes]
