"""Tables of an SQLite database; the largest that is an option chain unless one is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from optiq.errors import InputError
from optiq.market.ingest.aliases import ColumnMap, column_map, missing_columns
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.files import file_digest, said_of
from optiq.market.ingest.tables import batches_of, one_line, require_chain

NAME = "sqlite"
_BATCH_ROWS = 200_000


def recognises(sample: Sample) -> bool:
    """Whether the file starts as every SQLite database does."""
    return sample.head.startswith(b"SQLite format 3\0")


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield the rows of one table in the order they were written."""
    digest = file_digest(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            table, columns = _choose(path, database, options)
            source = said_of(path, digest, columns, options)
            first_row = 1
            for piece in _pieces(database, table, columns):
                yield from batches_of(piece, source, first_row)
                first_row += piece.num_rows
    except sqlite3.DatabaseError as reason:
        raise InputError(
            f"{path}: not a whole SQLite database ({one_line(reason)})", "copy it again"
        ) from reason


def _choose(
    path: Path, database: sqlite3.Connection, options: ReadOptions
) -> tuple[str, ColumnMap]:
    headers = _tables(database)
    if options.table is not None:
        if options.table not in headers:
            raise InputError(f"{path}: no table {options.table!r}", f"it has {', '.join(headers)}")
        columns = column_map(headers[options.table], options.column_map)
        require_chain(columns, f"{path}, table {options.table}", headers[options.table])
        return options.table, columns
    given = {} if options.column_map is None else options.column_map
    chains = {}
    for table, names in headers.items():
        if set(given.values()) <= set(names):
            columns = column_map(names, given)
            if not missing_columns(columns):
                chains[table] = columns
    if not chains:
        there = one_line(", ".join(headers)) or "there are none"
        raise InputError(
            f"{path}: none of its tables ({there}) is an option chain",
            "name one with --table and its columns with --map FILE",
        )
    largest = max(chains, key=lambda table: _count(database, table))
    return largest, chains[largest]


def _tables(database: sqlite3.Connection) -> dict[str, list[str]]:
    names = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return {
        name: [column[1] for column in database.execute(f"PRAGMA table_info({_quoted(name)})")]
        for (name,) in names.fetchall()
    }


def _count(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0])


def _pieces(database: sqlite3.Connection, table: str, columns: ColumnMap) -> Iterator[pa.Table]:
    names = columns.theirs()
    wanted = ", ".join(_quoted(name) for name in names)
    cursor = database.execute(f"SELECT {wanted} FROM {_quoted(table)}")
    while rows := cursor.fetchmany(_BATCH_ROWS):
        yield pa.table([_array(values) for values in zip(*rows, strict=True)], names=names)


def _array(values: tuple[Any, ...]) -> pa.Array:
    """Return a column; SQLite may hold numbers and text in one."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
