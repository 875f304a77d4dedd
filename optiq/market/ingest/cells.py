"""Table columns as vendors write them to arrays; each distinct text is read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from optiq.market.ingest.batch import Clock
from optiq.market.ingest.numbers import day, moment, number, shown
from optiq.market.schema import AnyArray

SIDES = {"CE": 1, "CALL": 1, "C": 1, "CALLS": 1, "PE": -1, "PUT": -1, "P": -1, "PUTS": -1}
"""How a call (+1) and a put (-1) are written."""
_EPOCH_UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
_NOT_A_TIME = np.datetime64("NaT", "us")


@dataclass(frozen=True, slots=True)
class Cells:
    """One column read: its values, and why a cell could not be read, by row."""

    values: AnyArray
    broken: dict[int, str]
    clock: Clock = "unknown"


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def number_cells(column: pa.Array) -> Cells:
    """Return float64, NaN for what is empty or a dash; Indian grouping and K, L, M, Cr are read."""
    if _is_text(column):
        return _each(column, number, np.nan, np.float64)
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return Cells(values, {})


def side_cells(column: pa.Array) -> Cells:
    """Return int8: +1 for calls, -1 for puts, 0 for what is neither."""
    return _each(column, lambda text: SIDES.get(text.strip().upper(), 0), 0, np.int8)


def word_cells(column: pa.Array) -> Cells:
    """Return texts as an object array, None where empty."""
    return _each(column, str.strip, None, object)


def day_cells(column: pa.Array) -> Cells:
    """Return ``datetime64[D]``, NaT where empty."""
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        days = column.cast(pa.date32(), safe=False).to_numpy(zero_copy_only=False)
        return Cells(days.astype("datetime64[D]"), {})
    return _each(column, day_of, np.datetime64("NaT", "D"), "datetime64[D]")


def moment_cells(column: pa.Array) -> Cells:
    """Return ``datetime64[us]`` as the column's clock reads; zones and epochs make it UTC."""
    if pa.types.is_timestamp(column.type):
        moments = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        values = moments.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        return Cells(values, {}, "unknown" if column.type.tz is None else "UTC")
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return _numeric_moments(column)
    clocks: set[Clock] = set()

    def read(text: str) -> np.datetime64:
        found = moment(text)
        clocks.add(found.clock)
        return found.time

    cells = _each(column, read, _NOT_A_TIME, "datetime64[us]")
    return Cells(cells.values, cells.broken, clocks.pop() if len(clocks) == 1 else "unknown")


def _numeric_moments(column: pa.Array) -> Cells:
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    known = np.isfinite(values)
    typical = float(np.median(values[known])) if known.any() else 0.0
    if _is_written_out(typical):
        return moment_cells(column.cast(pa.int64(), safe=False).cast(pa.string()))
    unit = next((unit for least, unit in _EPOCH_UNITS if typical >= least), None)
    if unit is None:
        reason = f"{shown(typical)} is no moment"
        return Cells(np.full(len(values), _NOT_A_TIME), dict.fromkeys(range(len(values)), reason))
    whole = column.cast(pa.int64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
    moments = whole.astype(f"datetime64[{unit}]").astype("datetime64[us]")
    moments[~known] = _NOT_A_TIME
    return Cells(moments, {}, "UTC")


def _is_written_out(value: float) -> bool:
    """Whether a number spells a moment (202608181043) and does not count from 1970."""
    try:
        moment(str(int(value)))
    except ValueError:
        return False
    return True


def day_of(text: str) -> np.datetime64:
    """Return the ``datetime64[D]`` of a day or a moment; ValueError where it is neither."""
    try:
        return day(text)
    except ValueError:
        found: np.datetime64 = moment(text).time.astype("datetime64[D]")
        return found


def _is_text(column: pa.Array) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _each(column: pa.Array, read: Callable[[str], Any], nothing: Any, kind: Any) -> Cells:
    """Read each distinct text once; an empty cell is ``nothing``, one that fails is broken."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    texts = [str(text) for text in column.dictionary.to_pylist()]
    values, reasons = [], {}
    for code, text in enumerate(texts):
        try:
            values.append(read(text) if text.strip() else nothing)
        except ValueError as reason:
            values.append(nothing)
            reasons[code] = str(reason)
    codes = column.indices.fill_null(len(texts)) if column.null_count else column.indices
    places = codes.cast(pa.int32()).to_numpy(zero_copy_only=False)
    return Cells(_array([*values, nothing], kind)[places], _rows_of(places, reasons))


def _array(values: list[Any], kind: Any) -> AnyArray:
    array = np.empty(len(values), kind)
    array[:] = values
    return array


def _rows_of(places: AnyArray, reasons: dict[int, str]) -> dict[int, str]:
    if not reasons:
        return {}
    rows = np.flatnonzero(np.isin(places, list(reasons)))
    return {int(row): reasons[int(places[row])] for row in rows}
