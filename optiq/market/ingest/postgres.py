"""A live system's own database: one table of a PostgreSQL server, by connection URL."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from optiq.errors import InputError
from optiq.market.ingest.aliases import ColumnMap, column_map, missing_columns
from optiq.market.ingest.batch import Batch, ReadOptions
from optiq.market.ingest.numbers import day
from optiq.market.ingest.tables import TableSource, batches_of, require_chain

if TYPE_CHECKING:
    from psycopg import Cursor

NAME = "postgres"
_USUAL_TABLE = "option_snapshots"
_BLOCK_BYTES = 16 * 2**20


def read_url(url: str, name: str, options: ReadOptions) -> Iterator[Batch]:
    """Yield the rows of one table in time order; ``name`` is the URL without its secrets.

    The server sends them as CSV over COPY, inside one read-only snapshot of the database.
    """
    with reading(url, name) as cursor:
        yield from _rows(cursor, name, options)


@contextmanager
def reading(url: str, name: str) -> Iterator[Cursor[tuple[object, ...]]]:
    """Give a cursor that may only read, in UTC; what goes wrong is told without the password."""
    psycopg = _driver()
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.read_only = True
            with connection.cursor() as cursor:
                cursor.execute("SET TIME ZONE 'UTC'")
                cursor.execute("SET datestyle TO ISO")
                yield cursor
    except psycopg.Error as reason:
        said = str(reason).strip().splitlines()
        raise InputError(
            f"{name}: {said[0] if said else type(reason).__name__}",
            "check the server, the database's name and the user's rights",
        ) from None  # the original may repeat the password


def _driver() -> ModuleType:
    try:
        import psycopg
    except ImportError:
        raise InputError(
            "reading PostgreSQL needs psycopg", "install it: pip install 'optiq[postgres]'"
        ) from None
    return psycopg


def _rows(cursor: Cursor[tuple[object, ...]], name: str, options: ReadOptions) -> Iterator[Batch]:
    table, columns = _choose(cursor, name, options)
    place = f"{name}, table {table}"
    source = TableSource(
        name=place,
        sha256=_digest(cursor, place, table, columns),
        columns=columns,
        underlying=None if "underlying" in columns.shared else _said_underlying(place, options),
        asked=options.underlying,
        expiry=None if "expiry" in columns.shared else _said_expiry(place, options),
    )
    first_row = 1
    for piece in _copied(cursor, table, columns):
        yield from batches_of(piece, source, first_row)
        first_row += piece.num_rows


def _choose(
    cursor: Cursor[tuple[object, ...]], name: str, options: ReadOptions
) -> tuple[str, ColumnMap]:
    """Return the table asked for, else the usual one, else the first that is an option chain."""
    headers = tables_of(cursor)
    wanted = options.table or (_USUAL_TABLE if _USUAL_TABLE in headers else None)
    if wanted is not None:
        if wanted not in headers:
            raise InputError(f"{name}: no table {wanted!r}", f"it has {', '.join(headers)}")
        columns = column_map(headers[wanted], options.column_map)
        require_chain(columns, f"{name}, table {wanted}", headers[wanted])
        return wanted, columns
    for table, names in headers.items():
        columns = column_map(names)
        if not missing_columns(columns):
            return table, columns
    raise InputError(
        f"{name}: none of its tables ({', '.join(headers) or 'there are none'}) is an option chain",
        "name one with --table and its columns with --map FILE",
    )


def tables_of(cursor: Cursor[tuple[object, ...]]) -> dict[str, list[str]]:
    """Return the columns of each table of the database's usual schema, by name."""
    cursor.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = ANY (current_schemas(false)) ORDER BY table_name, ordinal_position"
    )
    tables: dict[str, list[str]] = {}
    for table, column in cursor.fetchall():
        tables.setdefault(str(table), []).append(str(column))
    return tables


def _digest(cursor: Cursor[tuple[object, ...]], place: str, table: str, columns: ColumnMap) -> str:
    """Return what stands for the bytes: the place, how many rows and up to when."""
    from psycopg import sql

    cursor.execute(
        sql.SQL("SELECT count(*), max({}) FROM {}").format(
            sql.Identifier(columns.shared["ts"]), sql.Identifier(table)
        )
    )
    return hashlib.sha256(f"{place} {cursor.fetchone()}".encode()).hexdigest()


def _copied(
    cursor: Cursor[tuple[object, ...]], table: str, columns: ColumnMap
) -> Iterator[pa.Table]:
    names = columns.theirs()
    for block in _blocks(cursor, table, names, columns.shared["ts"]):
        yield _parsed(block, names, {})


def texts(
    cursor: Cursor[tuple[object, ...]], table: str, names: Sequence[str], order_by: str
) -> Iterator[pa.Table]:
    """Yield a table's columns as texts, null where empty, in pieces."""
    for block in _blocks(cursor, table, names, order_by):
        yield _parsed(block, names, dict.fromkeys(names, pa.string()))


def _parsed(block: bytes, names: Sequence[str], kinds: dict[str, pa.DataType]) -> pa.Table:
    return pacsv.read_csv(
        io.BytesIO(block),
        read_options=pacsv.ReadOptions(column_names=names, use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=bool(kinds)),
        convert_options=pacsv.ConvertOptions(strings_can_be_null=True, column_types=kinds),
    )


def _blocks(
    cursor: Cursor[tuple[object, ...]], table: str, names: Sequence[str], order_by: str
) -> Iterator[bytes]:
    from psycopg import sql

    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in names),
        sql.Identifier(table),
        sql.Identifier(order_by),
    )
    with cursor.copy(query) as copy:
        yield from _whole_rows(copy)


def _whole_rows(pieces: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """Join what the server sends, a row at a time, into blocks worth parsing."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _said_underlying(place: str, options: ReadOptions) -> str:
    if options.underlying is None:
        raise InputError(f"{place} does not say whose options these are", "give --underlying NIFTY")
    return options.underlying


def _said_expiry(place: str, options: ReadOptions) -> np.datetime64:
    if options.expiry is None:
        raise InputError(f"{place} does not say which expiry it holds", "give --expiry 2026-04-28")
    try:
        return day(options.expiry)
    except ValueError as reason:
        raise InputError(f"--expiry: {reason}") from reason
