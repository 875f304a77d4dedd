"""A small table of any kind, CSV, Parquet or of a database, as the texts that stand in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optiq.errors import InputError
from optiq.market.ingest import postgres
from optiq.market.ingest.batch import BrokenRow
from optiq.market.ingest.csv_table import delimiter_of
from optiq.market.ingest.documents import csv_rows, decoded, read_document
from optiq.market.ingest.files import sample_of
from optiq.market.ingest.numbers import shown
from optiq.market.ingest.sources import expand
from optiq.market.ingest.tables import one_line

_WORKBOOKS = (".xlsx", ".xls", ".ods")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table whose cells are texts, "" where nothing stands.

    ``numbers`` are the lines of the file, or the positions in a database, of ``rows``; ``broken``
    the lines that do not fit the header.
    """

    name: str
    headers: tuple[str, ...]
    rows: list[list[str]]
    numbers: list[int]
    broken: tuple[BrokenRow, ...] = ()

    def column(self, header: str) -> list[str]:
        """Return one column's texts."""
        place = self.headers.index(header)
        return [row[place] for row in self.rows]


def read_text_table(given: str, usual_table: str) -> TextTable:
    """Read the one file or database that ``given`` names; of a database the table ``usual_table``.

    A database's rows come in the order of its first column.
    """
    sources = expand([given])
    if len(sources) != 1:
        raise InputError(f"{given} is {len(sources)} files", "give one of them")
    source = sources[0]
    if source.url is not None:
        return _of_database(source.url, source.name, usual_table)
    path = source.path or Path(given)
    if path.suffix.lower() in _WORKBOOKS:
        raise InputError(f"{path} is a workbook", "save its sheet as CSV and give that")
    is_parquet = sample_of(path).head.startswith(b"PAR1")
    return _of_parquet(path) if is_parquet else _of_csv(path)


def _of_csv(path: Path) -> TextTable:
    document = read_document(path)
    first = next((line for line in decoded(document).splitlines() if line.strip()), "")
    if not first:
        raise InputError(f"{path} is empty", "give a CSV file with a header line")
    delimiter = delimiter_of(first.encode())
    if delimiter is None:
        raise InputError(f"{path}: the first line names no columns", "give a CSV with a header")
    lines = csv_rows(document, delimiter)
    _, headers = next(lines, (1, []))
    while headers and not headers[-1]:  # a mark at the end of the line names no column
        headers.pop()
    rows, numbers, broken = [], [], []
    for number, cells in lines:
        fitting = cells[: len(headers)] if not any(cells[len(headers) :]) else cells
        if len(fitting) == len(headers):
            rows.append(fitting)
            numbers.append(number)
        else:
            reason = f"{len(cells)} cells where the header has {len(headers)}"
            broken.append(BrokenRow(number, reason, shown(delimiter.join(cells), 200)))
    return TextTable(str(path), tuple(headers), rows, numbers, tuple(broken))


def _of_parquet(path: Path) -> TextTable:
    try:
        with pq.ParquetFile(path) as file:
            names = [field.name for field in file.schema_arrow if not _is_nested(field.type)]
            table = file.read(columns=names)
            columns = [column.cast(pa.string()) for column in table.columns]
    except (pa.ArrowException, OSError) as reason:
        raise InputError(
            f"{path}: not a whole Parquet file ({one_line(reason)})", "fetch it again"
        ) from reason
    return _of_columns(str(path), names, [pa.table(columns, names=names)])


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind))


def _of_database(url: str, name: str, table: str) -> TextTable:
    with postgres.reading(url, name) as cursor:
        tables = postgres.tables_of(cursor)
        if table not in tables:
            known = ", ".join(tables) or "it has none"
            raise InputError(f"{name}: no table {table!r} among {known}", "give another database")
        names = tables[table]
        place = f"{name}, table {table}"
        return _of_columns(place, names, postgres.texts(cursor, table, names, names[0]))


def _of_columns(name: str, headers: Iterable[str], pieces: Iterable[pa.Table]) -> TextTable:
    headers = tuple(headers)
    rows: list[list[str]] = []
    for piece in pieces:
        columns = [
            [(text or "").strip() for text in piece.column(place).to_pylist()]
            for place in range(len(headers))
        ]
        rows += [list(cells) for cells in zip(*columns, strict=True)]
    return TextTable(name, headers, rows, list(range(1, len(rows) + 1)))
