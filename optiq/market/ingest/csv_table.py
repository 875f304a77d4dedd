"""Any CSV file whose headers can be matched with ours; plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from optiq.errors import InputError
from optiq.market.ingest.aliases import ColumnMap, column_map
from optiq.market.ingest.batch import Batch, BrokenRow, ReadOptions, Sample
from optiq.market.ingest.files import file_digest, said_of
from optiq.market.ingest.numbers import shown
from optiq.market.ingest.tables import batches_of, one_line, require_chain

NAME = "csv"
_BLOCK_BYTES = 16 * 2**20
_HEAD_BYTES = 2**20
_NOTHING = ["", "-", "--", "NA", "N/A", "nan", "NaN", "null", "NULL", "None"]


def recognises(sample: Sample) -> bool:
    """Whether the first line has several columns and the bytes are text."""
    head = sample.head[:4096]
    first_line = head.split(b"\n", 1)[0]
    return b"\0" not in head and delimiter_of(first_line) is not None and head[:1] not in b"{[<"


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield the file's quotes block by block."""
    try:
        yield from _read(path, options)
    except OSError as reason:
        raise InputError(
            f"{path}: cannot be read ({one_line(reason)})", "fetch it again"
        ) from reason
    except pa.ArrowKeyError as reason:  # a line end or quote inside a name
        raise InputError(
            f"{path}: its header line is damaged ({one_line(reason)})", "repair the first line"
        ) from reason


def _read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    headers, delimiter = _header(path)
    columns = column_map(headers, options.column_map)
    require_chain(columns, str(path), headers)
    source = said_of(path, file_digest(path), columns, options)
    broken: list[BrokenRow] = []
    first_row = 2  # line 1 is the header
    for block in _blocks(path, columns, delimiter, broken):
        table = pa.Table.from_batches([block])
        yield from batches_of(table, source, first_row)
        first_row += table.num_rows
    if broken:
        nothing = pa.table({name: pa.nulls(0, pa.string()) for name in columns.theirs()})
        for batch in batches_of(nothing, source, first_row):
            yield replace(batch, broken=tuple(broken))


def _blocks(
    path: Path, columns: ColumnMap, delimiter: str, broken: list[BrokenRow]
) -> Iterator[pa.RecordBatch]:
    """Read with inferred types; where a later block disagrees, go on with everything as text."""
    done = 0
    for as_text in (False, True):
        try:
            skip = done
            for block in _open(path, columns, delimiter, [] if skip else broken, as_text=as_text):
                fresh = block.slice(min(skip, block.num_rows))
                skip -= block.num_rows - fresh.num_rows
                done += fresh.num_rows
                if fresh.num_rows:
                    yield fresh
            return
        except pa.ArrowInvalid as reason:
            if as_text:
                raise InputError(
                    f"{path}: {one_line(reason)}", "repair the file at that row"
                ) from reason


def _open(
    path: Path, columns: ColumnMap, delimiter: str, broken: list[BrokenRow], *, as_text: bool
) -> Iterator[pa.RecordBatch]:
    def note(row: pacsv.InvalidRow) -> str:
        reason = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        broken.append(BrokenRow(row.number or 0, reason, shown(row.text, 200)))
        return "skip"

    kinds = dict.fromkeys(columns.theirs(), pa.string()) if as_text else {}
    with _bytes(path) as file:
        yield from pacsv.open_csv(
            file,
            read_options=pacsv.ReadOptions(
                block_size=_BLOCK_BYTES, encoding=_encoding(path), use_threads=False
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns.theirs(), column_types=kinds, null_values=_NOTHING
            ),
        )


def _bytes(path: Path) -> pa.NativeFile:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return pa.input_stream(str(path), compression="gzip" if packed else None)


def _encoding(path: Path) -> str:
    """Return UTF-8 where the first megabyte is that, else the Latin-1 of old pages."""
    with _bytes(path) as file:
        head = file.read(_HEAD_BYTES)
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as reason:
        cut_off = reason.start >= _HEAD_BYTES - 4
        return "utf8" if cut_off else "latin-1"
    return "utf8"


def _header(path: Path) -> tuple[list[str], str]:
    with _bytes(path) as file:
        line = file.read(_HEAD_BYTES).split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    delimiter = delimiter_of(line.encode())
    if delimiter is None:
        raise InputError(f"{path}: the first line names no columns", "give a CSV with a header")
    return [name.strip().strip('"') for name in line.rstrip("\r").split(delimiter)], delimiter


def delimiter_of(line: bytes) -> str | None:
    """Return the mark that parts a header line most often, None where none does."""
    counts = {mark: line.count(mark.encode()) for mark in ",;\t|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else None
