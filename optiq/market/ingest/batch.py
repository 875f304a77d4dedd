"""What a format reader hands on: the quotes of one source, named but not yet put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from optiq.market.schema import AnyArray

Clock = Literal["IST", "UTC", "unknown"]
Unit = Literal["contracts", "units", "unknown"]
Volatility = Literal["percent", "fraction", "unknown"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Quotes of one source under the store's column names, in the source's own clock and units.

    Attributes
    ----------
    columns
        Equal-length arrays by name. Required: ``expiry`` datetime64[D] (NaT where unreadable),
        ``strike`` float (rupees), ``right`` int8 (+1/-1, 0 where unreadable), ``ts`` datetime64[us]
        as the source's clock reads (NaT where unreadable). Optional: every other column of the
        store, ``underlying`` (object), ``received_ts``, and ``iv delta gamma theta vega`` as the
        vendor has them. Numbers are float64 with NaN for what is not there; a price of 0 may still
        be present and is read as missing later.
    source
        The name put in the manifest and in messages: a file's path, a table, a URL without secrets.
    sha256
        Of the source's bytes; the same digest is never ingested twice.
    underlying
        Of all rows, where there is no such column; None when the source does not say.
    clock, oi_unit, volume_unit, iv_unit
        What the format guarantees; "unknown" is told apart later, from the session and the lots.
        Bid and ask quantities are units in every known source.
    row_number : (n,) int, optional
        Line in a file or position in a document, for messages.
    broken
        Rows that could not become numbers at all, with the reason: they are quarantined, counted.
    left_out
        How many rows of the source are quotes of other instruments; they are counted and told.
    """

    columns: dict[str, AnyArray]
    source: str
    sha256: str
    underlying: str | None = None
    clock: Clock = "unknown"
    oi_unit: Unit = "unknown"
    volume_unit: Unit = "unknown"
    iv_unit: Volatility = "unknown"
    row_number: AnyArray | None = None
    broken: tuple[BrokenRow, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """One row that no reading could save."""

    row_number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Enough of a source to tell its format: its path and its first bytes, gzip undone."""

    path: Path
    head: bytes


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user said about a source on the command line; None where nothing was said.

    ``at`` is when a document without a clock was recorded: a moment (IST unless it carries an
    offset), or a day that completes a time in the file's name.
    """

    underlying: str | None = None
    tz: str | None = None
    expiry: str | None = None
    at: str | None = None
    column_map: dict[str, str] | None = None
    table: str | None = None


class Format(Protocol):
    """One file of ``market/ingest/``: module-level ``NAME``, ``recognises`` and ``read``."""

    NAME: str
    recognises: Callable[[Sample], bool]
    read: Callable[[Path, ReadOptions], Iterator[Batch]]
