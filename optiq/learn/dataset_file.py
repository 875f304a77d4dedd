"""One day of labelled rows as a Parquet file that says what it was made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optiq.errors import DamagedError
from optiq.market.durable import make_folder, storage_error, sync_folder
from optiq.market.schema import AnyArray

KEY, DROPPED = b"optiq.key", b"optiq.dropped"

Columns = dict[str, AnyArray]


def rows_of(path: Path, key: str) -> int | None:
    """Return how many rows the file of a key has; None where there is no file, or another key's.

    `DamagedError` where its footer cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            said = file.schema_arrow.metadata or {}
            return int(file.metadata.num_rows) if said.get(KEY) == key.encode() else None
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as reason:
        raise _damaged(path) from reason


def read(path: Path) -> tuple[Columns, dict[str, int]]:
    """Return the columns and how many purchases have no label, by reason.

    Every page is checked against its checksum; `DamagedError` where one disagrees.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True, memory_map=False)
        dropped = json.loads((table.schema.metadata or {})[DROPPED])
    except (pa.ArrowException, OSError, KeyError, ValueError) as reason:
        raise _damaged(path) from reason
    columns = {name: _array(table[name]) for name in table.column_names}
    return columns, dropped


def write(path: Path, key: str, columns: Columns, dropped: Mapping[str, int]) -> None:
    """Write a day in place of what was there; a reader sees the old or the new."""
    make_folder(path.parent)
    table = pa.table({name: _arrow(values) for name, values in columns.items()})
    said = {KEY: key.encode(), DROPPED: json.dumps(dict(dropped)).encode()}
    part = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        pq.write_table(
            table.replace_schema_metadata(said),
            part,
            compression="zstd",
            use_dictionary=False,
            write_page_checksum=True,
        )
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as reason:
        raise storage_error(path, reason) from reason
    finally:
        part.unlink(missing_ok=True)


def _arrow(values: AnyArray) -> pa.Array:
    if values.dtype.kind == "M":
        is_date = values.dtype == np.dtype("datetime64[D]")
        return pa.array(values, pa.date32() if is_date else pa.timestamp("us", "UTC"))
    return pa.array(values)


def _array(column: Any) -> AnyArray:
    values: AnyArray = column.to_numpy()
    if pa.types.is_date(column.type):
        return values.astype("datetime64[D]")
    return values


def _damaged(path: Path) -> DamagedError:
    return DamagedError(f"{path}: a damaged file of labelled rows", "delete it; it is made anew")
