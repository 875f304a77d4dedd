"""From one piece of any table, whatever it was stored in, to a batch of quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from optiq.errors import InputError
from optiq.market.ingest.aliases import ColumnMap, missing_columns
from optiq.market.ingest.batch import Batch, BrokenRow, Clock, Unit
from optiq.market.ingest.cells import (
    Cells,
    day_cells,
    flat,
    moment_cells,
    number_cells,
    side_cells,
    word_cells,
)
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.numbers import shown
from optiq.market.schema import CE, PE, UNDERLYINGS, AnyArray

_READERS: dict[str, Callable[[pa.Array], Cells]] = {
    "ts": moment_cells,
    "received_ts": moment_cells,
    "expiry": day_cells,
    "right": side_cells,
    "underlying": word_cells,
}
_UNIT_WORDS: dict[str, Unit] = {
    "shares": "units",
    "units": "units",
    "qty": "units",
    "contracts": "contracts",
    "lots": "contracts",
}


@dataclass(frozen=True, slots=True)
class TableSource:
    """What is the same for every piece of one table.

    ``underlying`` and ``expiry`` where no column says them; ``asked`` is the user's underlying:
    trading symbols that begin with it are taken for it.
    """

    name: str
    sha256: str
    columns: ColumnMap
    underlying: str | None = None
    asked: str | None = None
    expiry: np.datetime64 | None = None


def one_line(text: object) -> str:
    """Return what somebody else wrote as one printable line for a message."""
    joined = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in joined)


def require_chain(columns: ColumnMap, name: str, headers: list[str]) -> None:
    """Refuse a table that lacks what an option chain needs, naming it."""
    missing = missing_columns(columns)
    if missing:
        raise InputError(
            f"{name}: no column for {', '.join(missing)} among {one_line(', '.join(headers))}",
            "name them with --map FILE"
            if "a price" not in missing[-1]
            else "a chain without prices cannot be traded; if it has them, name them with --map",
        )


def batches_of(table: pa.Table, source: TableSource, first_row: int) -> Iterator[Batch]:
    """Yield a piece of a table as one batch; a wide line becomes a call row and a put row."""
    reader = _Reader(table, {})
    columns, clock = _shared(reader, source)
    if source.columns.is_wide:
        columns = _both_sides(columns, reader, source.columns)
    row_number = first_row + np.arange(table.num_rows)
    if source.columns.is_wide:
        row_number = np.tile(row_number, 2)
    if reader.broken:
        good = ~np.isin(row_number - first_row, list(reader.broken))
        columns = {name: values[good] for name, values in columns.items()}
        row_number = row_number[good]
    unit = _stated_unit(table, source.columns)
    yield Batch(
        columns=columns,
        source=source.name,
        sha256=source.sha256,
        underlying=source.underlying,
        clock=clock,
        oi_unit=unit,
        volume_unit=unit,
        row_number=row_number,
        broken=_broken(reader, first_row, 2 if source.columns.is_wide else 1),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads columns of a table and remembers the rows that could not be read."""

    table: pa.Table
    broken: dict[int, str]

    def read(self, ours: str, theirs: str) -> Cells:
        cells = _READERS.get(ours, number_cells)(flat(self.table.column(theirs)))
        for row, reason in cells.broken.items():
            self.broken.setdefault(row, f"{theirs}: {reason}")
        return cells


def _shared(reader: _Reader, source: TableSource) -> tuple[dict[str, AnyArray], Clock]:
    clock: Clock = "unknown"
    columns = {}
    for ours, theirs in source.columns.shared.items():
        if ours == "oi_unit":
            continue
        cells = reader.read(ours, theirs)
        columns[ours] = cells.values
        if ours == "ts":
            clock = cells.clock
    if source.asked is not None and "underlying" in columns:
        columns["underlying"] = _as_asked(columns["underlying"], source.asked)
    if "expiry" not in columns:
        columns["expiry"] = np.full(reader.table.num_rows, source.expiry, "datetime64[D]")
    return columns, clock


def _as_asked(names: AnyArray, asked: str) -> AnyArray:
    distinct = {name: index_name(name) for name in set(names)}
    for name, ours in distinct.items():
        if ours not in UNDERLYINGS and str(name).upper().startswith(asked):
            distinct[name] = asked
    return np.array([distinct[name] for name in names], object)


def _both_sides(
    shared: dict[str, AnyArray], reader: _Reader, columns: ColumnMap
) -> dict[str, AnyArray]:
    rows = reader.table.num_rows
    both = {name: np.tile(values, 2) for name, values in shared.items()}
    both["right"] = np.repeat(np.array([CE, PE], np.int8), rows)
    nothing = np.full(rows, np.nan)
    for name in dict.fromkeys((*columns.call, *columns.put)):
        call, put = (
            reader.read(name, side[name]).values if name in side else nothing
            for side in (columns.call, columns.put)
        )
        both[name] = np.concatenate((call, put))
    return both


def _stated_unit(table: pa.Table, columns: ColumnMap) -> Unit:
    if "oi_unit" not in columns.shared or not table.num_rows:
        return "unknown"
    said = set(flat(table.column(columns.shared["oi_unit"])).unique().to_pylist())
    return _UNIT_WORDS.get(str(said.pop()).lower(), "unknown") if len(said) == 1 else "unknown"


def _broken(reader: _Reader, first_row: int, quotes_per_line: int) -> tuple[BrokenRow, ...]:
    return tuple(
        BrokenRow(first_row + row, reason, shown(_text(reader.table, row), 200))
        for row, reason in sorted(reader.broken.items())
        for _ in range(quotes_per_line)
    )


def _text(table: pa.Table, row: int) -> str:
    return ",".join(
        "" if cell is None else str(cell) for cell in table.slice(row, 1).to_pylist()[0].values()
    )
